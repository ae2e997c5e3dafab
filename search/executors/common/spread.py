"""Cohorts side by side: one in each worker, all moved in step, or each at its own pace.

In step a round moves every lane of every worker by an epoch, and its news is told when all have come. So a study does
not depend on which worker was faster: it is the one that a single process with as many lanes would have trained. At
its own pace (``rounds: free``) a worker is told to go on as soon as its news has been told, and waits for no other.

A round in which a worker dies is finished later: its trials are reported lost, the news of the others is held back
until the trials have been admitted again, in step until they have caught up. What the loop sees next is what it would
have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hpo.search.contracts.executor import Executor, Node
from hpo.search.executors.common.channel import Channel, Crew, Reply, WorkerDied, call, said
from hpo.search.executors.common.rounds import is_over
from hpo.search.executors.common.usage import Meter, nodes_of
from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Event, Job, Lost, Point

T = TypeVar("T")


@dataclass(eq=False)
class _Place:
    """A worker's lanes."""

    worker: Channel | None = None
    numbers: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    news: list[Event] = field(default_factory=list)  # of a round that others have not finished
    asked: bool = False  # to move, and has not answered
    stale: set[int] = field(default_factory=set)  # evicted since it was asked: what it answers about them is of no use
    meter: Meter = field(default_factory=Meter)

    @property
    def trials(self) -> Collection[int]:
        return self.numbers

    def ask(self) -> None:
        """Have the worker move its lanes."""
        self.asked = True
        self.meter.go()
        self.send("advance")

    def answered(self) -> None:
        """It holds still again."""
        self.asked, self.stale = False, set()
        self.meter.rest()

    def send(self, *message: object) -> None:
        if self.worker is not None:
            self.worker.send(*message)

    def end(self) -> None:
        """Kill the worker; lanes hold nothing that needs cleaning up."""
        if self.worker is not None:
            self.worker.end(grace=0.0)
        self.worker = None
        self.numbers, self.kept, self.news, self.meter = set(), set(), [], Meter()
        self.asked, self.stale = False, set()


class Spread(Executor):
    """The workers of a crew times ``lanes`` lanes; all start at once, beside whatever the caller does next.

    Workers without a place have no lanes. Trials that are admitted while no lane is free, as theirs have just gone with
    their machine, wait for the next ones.

    Attributes:
        notes: what the user should know about how trials are trained, each sentence once.
    """

    def __init__(self, crew: Crew, lanes: int, *, free: bool = False) -> None:
        """Open the workers.

        Args:
            crew: of what kind they are, and how many.
            lanes: of each.
            free: each worker goes on at its own pace, instead of all in step.

        Raises:
            UserError: the system refuses.
        """
        self.notes: list[str] = []
        self._crew, self._each, self._free = crew, lanes, free
        self._places = [_Place(crew.open(index)) for index in range(crew.size)]
        self._waiting: list[Job] = []
        self._where: dict[int, str] = {}
        self._gone: list[int] = []

    @property
    def lanes(self) -> int:  # type: ignore[override] # it changes
        """Lanes of the workers that have a place, of one at least: what is admitted before waits for it."""
        return self._each * self.processes

    @property
    def processes(self) -> int:  # type: ignore[override] # it changes
        """Those workers."""
        return max(1, sum(place.worker is None or place.worker.placed for place in self._places))

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the one that trains fewest."""
        open_ = [place for place in self._places if place.worker is None or place.worker.placed]
        free = [place for place in open_ if len(place.numbers) < self._each]
        assert free or self._crew.ahead, "no lane is free"
        if not free:
            self._waiting.append(job)
            return
        # one with news has had its turn in this round, in which a lost trial is still to be trained
        place = min(free, key=lambda place: (job.number not in place.kept, bool(place.news), len(place.numbers)))
        if place.worker is None or (place.worker.dead and not place.numbers):
            place.end()
            place.worker = self._open(place)
        for other in self._places:  # state held by a full worker is given up; the trial catches up elsewhere
            if other is not place and job.number in other.kept:
                other.kept.discard(job.number)
                other.send("evict", job.number, False)
        place.kept.discard(job.number)
        place.numbers.add(job.number)
        if place.worker.node:
            self._where[job.number] = place.worker.node
        place.send("admit", job)

    def advance(self) -> list[Event]:
        """Move every lane by an epoch, or until there is news; where workers died, return their trials only, as lost.

        Where time is up the workers that have not answered are ended, and the news of the round is dropped: it is told
        whole or not at all, so that what goes on from it later is as if the round had not begun.

        Raises:
            UserError: a worker cannot start.
        """
        while self._gone:
            self._where.pop(self._gone.pop(), None)
        lost = self._find_room()
        busy = [place for place in self._places if place.numbers or place.news]
        assert busy or lost or self.expired(), "no trial is admitted"
        for place in busy:
            if not place.news and not place.asked:
                place.ask()
        while not is_over(busy, lost, free=self._free):
            if self.expired():
                for place in busy:
                    if place.asked:
                        place.end()
                    place.news = []
                return []
            lost += self._hear()
        if lost:
            return lost
        news: list[Event] = []
        for place in busy:
            news += place.news
            ended = {event.number for event in place.news if not isinstance(event, Point)}
            place.numbers -= ended
            self._gone += ended
            place.news = []
        return news

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free a lane; its worker holds a kept trial."""
        self._waiting = [job for job in self._waiting if job.number != number]
        self._where.pop(number, None)
        for place in self._places:
            if number in place.numbers or number in place.kept:
                held = keep and not place.asked  # one that is moving would be held a step ahead of what is told of it
                place.send("evict", number, held)
                place.numbers.discard(number)
                if place.asked:
                    place.stale.add(number)
                (place.kept.add if held else place.kept.discard)(number)
                place.news = [event for event in place.news if event.number != number]

    def close(self) -> None:
        """End every worker."""
        for place in self._places:
            place.end()
        self._crew.close()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in a worker, which has loaded what it needs; here where every worker has died.

        Raises:
            OutOfTime: time was up before it returned.
        """
        for place in self._places:
            if place.worker is None or not place.worker.placed:
                continue
            try:
                found: T = call(self._crew, place.worker, self.expired, function, arguments)
            except OutOfTime:
                place.end()
                raise
            except WorkerDied:
                continue
            place.answered()  # what it was asked before it has answered before
            return found
        return function(*arguments)

    def node_of(self, number: int) -> str:
        """Name of the machine that trains a trial, or trained it when it ended just now."""
        return self._where.get(number, "")

    def nodes(self) -> Sequence[Node]:
        """The machines that train."""
        return nodes_of(self._places, self._each)

    def _find_room(self) -> list[Event]:
        """Wait until no trial waits for a lane, or some train meanwhile; return what is lost over it."""
        lost: list[Event] = []
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for job in waiting:
                self.admit(job)
            if lost or self.expired() or any(place.numbers or place.news for place in self._places):
                break
            lost += self._hear()
        return lost

    def _open(self, place: _Place) -> Channel:
        return self._crew.open(self._places.index(place))

    def _hear(self) -> list[Event]:
        """Take in what workers have to say; return the trials that are lost by their deaths."""
        workers = {id(place.worker): place for place in self._places if place.worker is not None}
        heard = said(self._crew, [place.worker for place in workers.values() if place.worker is not None])
        return [event for worker in heard for event in self._receive(workers[id(worker)])]

    def _receive(self, place: _Place) -> list[Event]:
        assert place.worker is not None
        try:
            reply = place.worker.receive()
        except WorkerDied as death:
            lost: list[Event] = [Lost(number, str(death), death.fault) for number in sorted(place.numbers)]
            place.end()
            if self._crew.ahead:
                place.worker = self._open(place)
            return lost
        if isinstance(reply, Reply):
            place.news = [event for event in reply.news if event.number not in place.stale]
            place.answered()
            if not place.news and place.numbers:  # admitted since it was asked
                place.ask()
            self.notes += [note for note in reply.notes if note not in self.notes]
        return []
