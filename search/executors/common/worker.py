"""A worker process: an executor of its own at the other end of a pipe.

Messages in::

    (task, executor, options)   first of all: what to train, by which plug-in
    ("admit", job)              the executor's verbs
    ("evict", number, keep)
    ("advance",)
    ("call", function, arguments)

Messages out: ``READY`` or the UserError that keeps the worker from starting, then a Reply for each advance and an
Answer for each call.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.executors.common.logged import Logged
from hpo.search.running.forks import not_in_children, stay
from hpo.search.running.lifeline import die_with_parent, group_dies_with_us
from hpo.search.running.log import append, captured_descriptors, held
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.job import Event, Task
from hpo.search.terms.threads import ENVIRONMENT
from hpo.search.terms.warned import once

READY = "ready"

GRACE = 5.0
"""Seconds that an idle worker has for its objective's cleaning up."""


@dataclass(frozen=True)
class Reply:
    """What an advance brought: its news, and what the user should know, each sentence sent once."""

    news: Sequence[Event]
    notes: Sequence[str] = ()


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

    def __init__(self, task: Task, executor: str, options: Mapping[str, Any] | None = None) -> None:
        """Start the process.

        Raises:
            UserError: the system refuses.
        """
        self.ready = False
        self.pipe, theirs = Pipe()
        not_in_children(self.pipe)
        fd = theirs.fileno()
        path = [str(folder) for folder in sys.path]
        start = f"from {__name__} import main; main({fd}, {os.getpid()})"
        code = f"import sys; sys.path[:] = {path!r}; {start}"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=[fd], start_new_session=True, env={**ENVIRONMENT, **os.environ},
                stdin=subprocess.DEVNULL, stdout=2,  # what the objective prints is not the command's output
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"a worker process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self._lifeline = ExitStack()
        self._lifeline.enter_context(group_dies_with_us(self._process.pid))
        self.send(task, executor, dict(options or {}))

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
        if isinstance(message, UserError):
            raise message
        if message == READY:
            self.ready = True
            return None
        return message

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


def main(fd: int, parent: int) -> None:
    """Work until the other end of the pipe is closed; ``fd`` is this end, ``parent`` the process at the other."""
    os.set_inheritable(fd, False)  # else a child of the objective's would keep the pipe open
    die_with_parent(parent)
    warned: list[str] = []
    with contextlib.suppress(EOFError, ConnectionError), Connection(fd) as pipe, once(warned.append):
        not_in_children(pipe)
        task, name, options = pipe.recv()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # the live view shows the newest line
        try:
            with held() as said:
                made: Executor = stay(partial(registry.load("executor", name).make, **options), task)
            executor = Logged(made, captured_descriptors)
        except HpoError as error:
            pipe.send(UserError(str(error)))
            return
        pipe.send(READY)
        with closing(executor):
            _serve(pipe, executor, warned, said)


def _serve(pipe: Connection, executor: Executor, warned: Sequence[str], said: list[str]) -> None:
    """Obey; what was ``said`` at the start belongs to the log of the first trial."""
    told: set[str] = set()
    while True:
        verb, *rest = pipe.recv()
        if verb == "admit":
            while said:
                append(rest[0].log, said.pop())
            stay(executor.admit, rest[0])
        elif verb == "evict":
            stay(partial(executor.evict, keep=rest[1]), rest[0])
        elif verb == "call":
            function, arguments = rest
            pipe.send(Answer(stay(function, *arguments)))
        else:
            news = stay(executor.advance)
            notes = [note for note in (*executor.notes, *warned) if note not in told]
            told.update(notes)
            pipe.send(Reply(news, notes))


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {code}"
