"""Each trial in a worker of its own, which holds still at each point until it is told to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hpo.search.contracts.executor import Executor, Node
from hpo.search.executors.common.channel import GRACE, Channel, Crew, Reply, WorkerDied, call, said
from hpo.search.executors.common.usage import Meter, nodes_of
from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Event, Job, Lost, Point

T = TypeVar("T")


@dataclass
class _Lane:
    worker: Channel
    number: int | None = None
    waiting: bool = False  # the worker holds still until it is told to go on
    kept: set[int] = field(default_factory=set)
    meter: Meter = field(default_factory=Meter)

    @property
    def trials(self) -> Collection[int]:
        return () if self.number is None else (self.number,)

    @property
    def still(self) -> bool:
        """Whether it has a place and trains nothing now."""
        return self.worker.placed and (self.number is None or self.waiting)

    def go(self) -> None:
        self.waiting = False
        self.meter.go()
        self.worker.send("advance")

    def end(self, grace: float = GRACE) -> None:
        """Let an idle worker end by itself, kill one that trains."""
        idle = self.worker.ready and (self.number is None or self.waiting)
        self.worker.end(grace=grace if idle else 0.0)


class Apart(Executor):
    """Lanes in workers of their own, each trained inline there.

    Workers without a place are no lanes. A trial that is admitted while no lane is free, as its own has just gone with
    its machine, waits for the next one.
    """

    def __init__(self, crew: Crew) -> None:
        """Train in the workers of a crew; those that must first find a place are opened at once."""
        self.notes: list[str] = []
        self._crew = crew
        self._lanes: list[_Lane | None] = [None] * crew.size
        self._waiting: list[Job] = []
        self._where: dict[int, str] = {}
        self._gone: list[int] = []
        for index in range(crew.size):
            self._vacate(index)

    @property
    def lanes(self) -> int:  # type: ignore[override] # it changes
        """Workers that have a place, at least one: what is admitted before waits for it."""
        return max(1, sum(lane is None or lane.worker.placed for lane in self._lanes))

    @property
    def processes(self) -> int:  # type: ignore[override] # as many
        """The same."""
        return self.lanes

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the first free one."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None or (lane.worker.placed and lane.number is None)]
        assert free or self._crew.ahead, "no lane is free"
        if not free:
            self._waiting.append(job)
            return
        holders = [i for i in free if (held := self._lanes[i]) is not None and job.number in held.kept]
        index = (holders or free)[0]
        lane = self._lanes[index]
        if lane is None or lane.worker.dead:
            if lane is not None:
                lane.end()
            lane = self._lanes[index] = _Lane(self._crew.open(index))
        for other in self._lanes:  # state held by a busy worker is given up; the trial catches up elsewhere
            if other is not None and other is not lane and job.number in other.kept:
                other.kept.discard(job.number)
                other.worker.send("evict", job.number, False)
        lane.number = job.number
        lane.kept.discard(job.number)
        if lane.worker.node:
            self._where[job.number] = lane.worker.node
        lane.worker.send("admit", job)
        lane.go()

    def advance(self) -> list[Event]:
        """Let waiting workers go on, then collect what has arrived, in lane order.

        There is nothing where time is up before, or where another worker has found a place.

        Raises:
            UserError: a worker cannot start.
        """
        busy = [lane for lane in self._lanes if lane is not None and lane.number is not None]
        assert busy or self._waiting, "no trial is admitted"
        for lane in busy:
            if lane.waiting:
                lane.go()
        self._forget()
        events: list[Event] = []
        lanes = self.lanes
        while not events and self.lanes <= lanes and not self.expired():
            heard = set(map(id, said(self._crew, [lane.worker for lane in self._lanes if lane is not None])))
            for index, own in enumerate(self._lanes):
                if own is not None and id(own.worker) in heard:
                    events += self._receive(index)
            waiting, self._waiting = self._waiting, []
            for job in waiting:
                self.admit(job)
        return events

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Stop or suspend the trial in its worker."""
        self._waiting = [job for job in self._waiting if job.number != number]
        self._where.pop(number, None)
        for index, lane in enumerate(self._lanes):
            if lane is None:
                continue
            if lane.number == number and not lane.waiting:  # it trains and cannot listen
                lane.end()
                self._vacate(index)
            elif lane.number == number:
                lane.number, lane.waiting = None, False
                lane.worker.send("evict", number, keep)
                if keep:
                    lane.kept.add(number)
            elif number in lane.kept and not keep:
                lane.kept.discard(number)
                lane.worker.send("evict", number, False)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in a worker that holds still, a new one where there is none; here where that dies.

        Raises:
            OutOfTime: time was up before it returned.
        """
        still = [i for i, lane in enumerate(self._lanes) if lane is not None and lane.still and not lane.worker.dead]
        index = next(iter(still), next((i for i, lane in enumerate(self._lanes) if lane is None), None))
        if index is None:
            return function(*arguments)
        lane = self._lanes[index] = self._lanes[index] or _Lane(self._crew.open(index))
        try:
            return call(self._crew, lane.worker, self.expired, function, arguments)
        except OutOfTime:
            lane.end(0.0)
            self._vacate(index)
            raise
        except WorkerDied:
            return function(*arguments)

    def node_of(self, number: int) -> str:
        """Name of the machine that trains a trial, or trained it when it ended just now."""
        return self._where.get(number, "")

    def nodes(self) -> Sequence[Node]:
        """The machines that train."""
        return nodes_of([lane for lane in self._lanes if lane is not None], 1)

    def close(self) -> None:
        """End every worker; all of them together have so long for their objectives' cleaning up."""
        lanes, self._lanes = [lane for lane in self._lanes if lane is not None], [None] * self._crew.size
        for lane in lanes:
            lane.worker.close()
        until = time.monotonic() + GRACE
        for lane in lanes:
            lane.end(0.0 if self.expired() else max(0.0, until - time.monotonic()))
        self._crew.close()

    def _vacate(self, index: int) -> None:
        self._lanes[index] = _Lane(self._crew.open(index)) if self._crew.ahead else None

    def _forget(self) -> None:
        """Where those trained whose end has been told."""
        while self._gone:
            self._where.pop(self._gone.pop(), None)

    def _receive(self, index: int) -> list[Event]:
        lane = self._lanes[index]
        if lane is None:
            return []
        try:
            reply = lane.worker.receive()
        except WorkerDied as death:
            lane.end()
            self._vacate(index)
            return [] if lane.number is None else [Lost(lane.number, str(death), death.fault)]
        if not isinstance(reply, Reply) or lane.number is None:
            return []
        lane.meter.rest()
        self.notes += [note for note in reply.notes if note not in self.notes]
        if isinstance(reply.news[-1], Point) and not reply.last:
            lane.waiting = True
        else:
            self._gone.append(lane.number)
            lane.number = None
        if reply.last:
            lane.end(0.0)
            self._vacate(index)
        return list(reply.news)
