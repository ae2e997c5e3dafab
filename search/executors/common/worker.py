"""A worker process of this machine, at the other end of a pipe, where ``served`` obeys.

The first message says what to train, by which plug-in, beside which other ranks: ``(task, executor, options, seat)``.
The first answer is ``READY``, or the UserError that keeps the worker from starting; a WorkerDied says that it ends now,
and why. The rest is as in ``channel``.

Where several processes train a trial the worker is rank 0 of them, and hands what it is told on to the others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from hpo.search.executors.common.channel import GRACE, Answer, Channel, Reply, WorkerDied
from hpo.search.running.forks import not_in_children
from hpo.search.running.lifeline import group_dies_with_us
from hpo.search.running.ranks import Seat
from hpo.search.terms.devices import environment, shown
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.threads import ENVIRONMENT

READY = "ready"


class Worker:
    """This end: a process started afresh, with the module search path and nothing else of this one.

    Scripts need no main guard, and objectives may have children of their own. Ctrl-C does not reach the worker; it
    dies with this process, and with it the children in its group, however this process ends.
    """

    placed = True

    def __init__(
        self, task: Task, executor: str, options: Mapping[str, Any] | None = None, *, index: int = 0,
        seat: Seat | None = None,
    ) -> None:  # fmt: skip
        """Start the process.

        Args:
            task: what it trains.
            executor: by which plug-in.
            options: of that.
            index: its number among the study's workers, which says the GPUs it sees.
            seat: its place where it is one of several processes that train a trial, and not their first.

        Raises:
            UserError: the system refuses.
        """
        self.ready = False
        place = task.places[index] if task.places else ""
        self.node = shown(place) if place else ""
        given = environment(place) if place else {}
        self.pipe, theirs = Pipe()
        not_in_children(self.pipe)
        fd = theirs.fileno()
        path = [str(folder) for folder in sys.path]
        start = f"from {__package__}.served import main; main({fd}, {os.getpid()})"
        code = f"import sys; sys.path[:] = {path!r}; {start}"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=[fd], start_new_session=True,
                env={**ENVIRONMENT, **os.environ, **given}, stdin=subprocess.DEVNULL,
                stdout=2,  # what the objective prints is not the command's output
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"a worker process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self._lifeline = ExitStack()
        self._lifeline.enter_context(group_dies_with_us(self._process.pid))
        self.send(replace(task, places=()), executor, dict(options or {}), seat)

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def send(self, *message: Any) -> None:
        """Send a message; a dead worker shows at the next ``receive``."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def receive(self) -> Reply | Answer | None:
        """Take the next reply; None while there is none.

        Raises:
            WorkerDied: the process has ended.
            UserError: it cannot start.
        """
        dead = self.dead  # looked up first: what it sent before its end still counts
        try:
            message = self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, OSError):
            message, dead = None, True
        if message is None and dead:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
            code = self._process.poll()
            if not self.ready and code is not None and code > 0:
                raise UserError(f"a worker process ended with exit code {code} before it could train; see above")
            raise WorkerDied(_how_it_died(code))
        if isinstance(message, (UserError, WorkerDied)):
            raise message
        if message == READY:
            self.ready = True
            return None
        return message

    def close(self) -> None:
        """Let the worker end by itself."""
        self.pipe.close()

    def end(self, *, grace: float) -> None:
        """Wait so many seconds for the worker's own end, then kill it and whatever the objective has left running."""
        self.close()
        if grace:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._lifeline.close()


class Pipes:
    """Worker processes of this machine, which trains them all: each has its place from the start."""

    ahead = False

    def __init__(self, size: int, task: Task, executor: str, options: Mapping[str, Any]) -> None:
        self.size = size
        self._start = task, executor, options

    def open(self, index: int) -> Worker:
        """Start one more, with the GPUs of this number.

        Raises:
            UserError: the system refuses.
        """
        return Worker(*self._start, index=index)

    def wait(self, channels: Sequence[Channel], timeout: float) -> Sequence[Channel]:
        """Block until any of these has something to receive."""
        pipes = {worker.pipe: worker for worker in channels if isinstance(worker, Worker)}
        heard = set(wait(list(pipes), timeout))
        return [worker for pipe, worker in pipes.items() if pipe in heard]

    def close(self) -> None:
        """Nothing is shared."""


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {code}"
