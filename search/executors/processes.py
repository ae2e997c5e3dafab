"""Train each trial in a worker process of its own lane.

What it does: ``workers`` processes, one thread each, every one with the data loaded once; a trial waits at each point
for the word to go on, so nothing is trained that was to be stopped.
When to use it: several cores, objectives that crash or leak, trials that take seconds or more.
Options: ``workers`` = the study's, how many; ``paused`` = 64, suspended trials that a worker holds at a time. Beyond
that the longest paused is closed; when it comes back it trains again up to where it was, from its checkpoint where it
has one.
Cost: about two seconds of start per worker (importing torch or sklearn), a tenth of a millisecond per point.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Annotated, Any, TypeVar

from hpo.search.contracts.executor import Executor
from hpo.search.executors.common.worker import GRACE, Reply, Worker, WorkerDied
from hpo.search.terms.devices import shown
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Job, Lost, Point, Task
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

T = TypeVar("T")

REQUIRES = ("other processes",)

_LOOK = 0.5
"""Seconds after which a worker that says nothing is looked at, and the time too."""

DISCLAIMS = ("same study",)


@dataclass
class _Lane:
    worker: Worker
    number: int | None = None
    waiting: bool = False  # the worker holds still until it is told to go on
    kept: set[int] = field(default_factory=set)

    def end(self, grace: float = GRACE) -> None:
        """Let an idle worker end by itself, kill one that trains."""
        idle = self.worker.ready and (self.number is None or self.waiting)
        self.worker.end(grace=grace if idle else 0.0)


class Processes(Executor):
    """Lanes in processes of their own, each trained inline there."""

    def __init__(self, task: Task, workers: int, paused: int) -> None:
        """Train in ``workers`` processes, each of which holds up to ``paused`` suspended trials."""
        self.lanes = self.processes = workers
        self.notes: list[str] = []
        self._task, self._options = task, {"paused": paused}
        self._lanes: list[_Lane | None] = [None] * workers
        self.places: dict[int, str] = {}

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the first free one."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None or lane.number is None]
        assert free, "no lane is free"
        holders = [i for i in free if (held := self._lanes[i]) is not None and job.number in held.kept]
        index = (holders or free)[0]
        lane = self._lanes[index]
        if lane is None or lane.worker.dead:
            if lane is not None:
                lane.end()
            lane = self._start(index)
        for other in self._lanes:  # state held by a busy worker is given up; the trial catches up elsewhere
            if other is not None and other is not lane and job.number in other.kept:
                other.kept.discard(job.number)
                other.worker.send("evict", job.number, False)
        lane.number, lane.waiting = job.number, False
        lane.kept.discard(job.number)
        if lane.worker.place:
            self.places[job.number] = shown(lane.worker.place)
        lane.worker.send("admit", job)
        lane.worker.send("advance")

    def advance(self) -> list[Event]:
        """Let waiting workers go on, then collect what has arrived, in lane order; nothing where time is up before.

        Raises:
            UserError: a worker cannot start.
        """
        busy = [lane for lane in self._lanes if lane is not None and lane.number is not None]
        assert busy, "no trial is admitted"
        for lane in busy:
            if lane.waiting:
                lane.waiting = False
                lane.worker.send("advance")
        events: list[Event] = []
        while not events and not self.expired():
            wait([lane.worker.pipe for lane in busy], timeout=_LOOK)
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
                lane.worker.send("evict", number, keep)
                if keep:
                    lane.kept.add(number)
            elif number in lane.kept and not keep:
                lane.kept.discard(number)
                lane.worker.send("evict", number, False)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in a worker that holds still, a new one where there is none.

        Raises:
            OutOfTime: time was up before it returned.
        """
        idle = [i for i, lane in enumerate(self._lanes) if lane is not None and lane.number is None]
        index = next((i for i in idle if (lane := self._lanes[i]) is not None and not lane.worker.dead), 0)
        lane = self._lanes[index] or self._start(index)
        try:
            found: T = lane.worker.call(function, arguments, self.expired)
            return found
        except WorkerDied:
            return function(*arguments)

    def close(self) -> None:
        """End every worker; all of them together have so long for their objectives' cleaning up."""
        lanes, self._lanes = [lane for lane in self._lanes if lane is not None], [None] * self.lanes
        for lane in lanes:
            lane.worker.pipe.close()
        until = time.monotonic() + GRACE
        for lane in lanes:
            lane.end(0.0 if self.expired() else max(0.0, until - time.monotonic()))

    def _start(self, index: int) -> _Lane:
        lane = self._lanes[index] = _Lane(Worker(self._task, "inline", self._options, index=index))
        return lane

    def _receive(self, index: int) -> list[Event]:
        lane = self._lanes[index]
        if lane is None or lane.number is None:
            return []
        try:
            reply = lane.worker.receive()
        except WorkerDied as death:
            lane.end()
            self._lanes[index] = None
            return [Lost(lane.number, str(death))]
        if not isinstance(reply, Reply):
            return []
        self.notes += [note for note in reply.notes if note not in self.notes]
        if reply.last:
            lane.worker.end(grace=0.0)
            self._lanes[index] = None
        elif isinstance(reply.news[-1], Point):
            lane.waiting = True
        else:
            lane.number = None
        return list(reply.news)


def make(task: Task, *, workers: Annotated[int, AT_LEAST_1] = 2, paused: Annotated[int, AT_LEAST_0] = 64) -> Processes:
    """Make the executor.

    Args:
        task: what is trained.
        workers: processes, each of which trains a trial at a time.
        paused: suspended trials that a worker holds at a time; others train again up to where they were.

    Raises:
        UserError: ``paused`` is negative.
    """
    if paused < 0:
        raise UserError(f"paused is a number of trials, from 0 on, not {paused}")
    return Processes(task, workers, paused)
