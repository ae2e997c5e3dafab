"""A worker process: an executor of its own at the other end of a pipe, which ``served`` obeys.

Messages in::

    (task, executor, options, seat)   first of all: what to train, by which plug-in, beside which other ranks
    ("admit", job)              the executor's verbs
    ("evict", number, keep)
    ("advance",)
    ("call", function, arguments)

Messages out: ``READY`` or the UserError that keeps the worker from starting, then a Reply for each advance and an
Answer for each call. A WorkerDied says that it ends now, and why.

Where several processes train a trial the worker is rank 0 of them, and hands what it is told on to the others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from hpo.search.running.forks import not_in_children
from hpo.search.running.lifeline import group_dies_with_us
from hpo.search.running.ranks import Seat
from hpo.search.terms.devices import environment
from hpo.search.terms.errors import OutOfTime, UserError
from hpo.search.terms.job import Event, Task
from hpo.search.terms.threads import ENVIRONMENT

READY = "ready"

GRACE = 5.0
"""Seconds that an idle worker has for its objective's cleaning up."""


_LOOK = 0.5
"""Seconds after which a worker that says nothing is looked at, and the time too."""


@dataclass(frozen=True)
class Reply:
    """What an advance brought: its news, and what the user should know, each sentence sent once.

    ``last`` says that the worker can train nothing more, and ends.
    """

    news: Sequence[Event]
    notes: Sequence[str] = ()
    last: bool = False


@dataclass(frozen=True)
class Answer:
    """What a called function returned."""

    value: Any


class WorkerDied(Exception):
    """A worker's process has ended; the message says how."""


class Worker:
    """This end: a process started afresh, with the module search path and nothing else of this one.

    Scripts need no main guard, and objectives may have children of their own. Ctrl-C does not reach the worker; it
    dies with this process, and with it the children in its group, however this process ends.
    """

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
        self.place = task.places[index] if task.places else ""
        given = environment(self.place) if self.place else {}
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

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], expired: Callable[[], bool]) -> Any:
        """Have the worker call a function; gives what that returns.

        Raises:
            WorkerDied: the process has ended.
            OutOfTime: time was up before it returned.
        """
        self.send("call", function, arguments)
        while True:
            if expired():
                raise OutOfTime
            wait([self.pipe], timeout=_LOOK)
            if isinstance(answer := self.receive(), Answer):
                return answer.value

    def end(self, *, grace: float) -> None:
        """Wait so many seconds for the worker's own end, then kill it and whatever the objective has left running."""
        self.pipe.close()
        if grace:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._lifeline.close()


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {code}"
