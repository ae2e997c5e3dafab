"""Train each trial in a worker process of its own lane.

What it does: ``workers`` processes, one thread each, every one with the data loaded once; a trial waits at each point
for the word to go on, so nothing is trained that was to be stopped.
When to use it: several cores, objectives that crash or leak, trials that take seconds or more.
Options: ``workers`` = the study's, how many.
Cost: about two seconds of start per worker (importing torch or sklearn), a tenth of a millisecond per point.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from hpo.search.errors import UserError
from hpo.search.executors import Event, Executor, Job, Lost, Point, Task
from hpo.search.worker import READY

_LOOK = 1.0
"""Seconds after which a worker that says nothing is looked at; a child of a dead one may hold its pipe open."""

_GRACE = 5.0
"""Seconds that an idle worker has for its objective's cleaning up."""


@dataclass
class _Lane:
    process: subprocess.Popen[bytes]
    pipe: Connection
    ready: bool = False
    number: int | None = None
    waiting: bool = False  # the worker holds still until it is told to go on
    kept: set[int] = field(default_factory=set)

    @property
    def training(self) -> bool:
        return not self.ready or (self.number is not None and not self.waiting)

    def send(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # a dead worker shows at the next receive
            self.pipe.send(message)

    def end(self) -> None:
        """Let an idle worker end by itself, kill one that trains, and whatever the objective has left running."""
        self.pipe.close()
        if not self.training:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Processes(Executor):
    """Lanes in processes of their own.

    Workers are started afresh, with the module search path and nothing else of this process: scripts need no main
    guard, and objectives may have children of their own. Ctrl-C does not reach them; they die with this process.
    """

    def __init__(self, task: Task, workers: int) -> None:
        self.lanes = workers
        self._task = task
        self._lanes: list[_Lane | None] = [None] * workers

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the first free one."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None or lane.number is None]
        assert free, "no lane is free"
        holders = [i for i in free if (held := self._lanes[i]) is not None and job.number in held.kept]
        index = (holders or free)[0]
        lane = self._lanes[index]
        if lane is None or lane.process.poll() is not None:
            if lane is not None:
                lane.end()
            lane = self._lanes[index] = self._spawn()
        for other in self._lanes:  # state held by a busy worker is given up; the trial catches up elsewhere
            if other is not None and other is not lane and job.number in other.kept:
                other.kept.discard(job.number)
                other.send("drop", job.number)
        lane.number, lane.waiting = job.number, False
        lane.kept.discard(job.number)
        lane.send("admit", job)

    def advance(self) -> list[Event]:
        """Let waiting workers go on, then collect what has arrived, in lane order.

        Raises:
            UserError: a worker cannot start.
        """
        busy = [lane for lane in self._lanes if lane is not None and lane.number is not None]
        assert busy, "no trial is admitted"
        for lane in busy:
            if lane.waiting:
                lane.waiting = False
                lane.send("go")
        events: list[Event] = []
        while not events:
            wait([lane.pipe for lane in busy], timeout=_LOOK)
            events = [event for index in range(self.lanes) for event in self._receive(index)]
        return events

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Stop or suspend the trial in its worker."""
        for index, lane in enumerate(self._lanes):
            if lane is None:
                continue
            if lane.number == number and not lane.waiting:  # it trains and cannot listen
                lane.end()
                self._lanes[index] = None
            elif lane.number == number:
                lane.number, lane.waiting = None, False
                if keep:
                    lane.kept.add(number)
                else:
                    lane.send("drop", number)
            elif number in lane.kept and not keep:
                lane.kept.discard(number)
                lane.send("drop", number)

    def close(self) -> None:
        """End every worker."""
        lanes, self._lanes = [lane for lane in self._lanes if lane is not None], [None] * self.lanes
        for lane in lanes:
            lane.pipe.close()
        for lane in lanes:
            lane.end()

    def _spawn(self) -> _Lane:
        ours, theirs = Pipe()
        fd = theirs.fileno()
        path = [str(folder) for folder in sys.path]
        code = f"import sys; sys.path[:] = {path!r}; from hpo.search.worker import main; main({fd}, {os.getpid()})"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=[fd], start_new_session=True, env={**threads, **os.environ},
                stdin=subprocess.DEVNULL, stdout=2,  # what the objective prints is not the command's output
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"a worker process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        lane = _Lane(process, ours)
        with contextlib.suppress(OSError):
            ours.send(self._task)
        return lane

    def _receive(self, index: int) -> list[Event]:
        lane = self._lanes[index]
        if lane is None or lane.number is None:
            return []
        number = lane.number
        dead = lane.process.poll() is not None
        if not lane.pipe.poll() and not dead:
            return []
        try:
            message = lane.pipe.recv() if lane.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        if message is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                lane.process.wait(_GRACE)
            code = lane.process.poll()
            lane.end()
            self._lanes[index] = None
            if not lane.ready and code is not None and code > 0:
                raise UserError(f"a worker process ended with exit code {code} before it could train; see above")
            return [Lost(number, _how_it_died(code))]
        if isinstance(message, UserError):
            raise message
        if message == READY:
            lane.ready = True
            return []
        if isinstance(message, Point):
            lane.waiting = True
        else:
            lane.number = None
        return [message]


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {code}"


def make(task: Task, *, workers: int = 2) -> Processes:
    """Make the executor with so many worker processes."""
    return Processes(task, workers)
