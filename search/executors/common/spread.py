"""Cohorts on several cores: one in each worker process, all moved in step, or each at its own pace.

In step a round moves every lane of every worker by an epoch, and its news is told when all have come. So a study does
not depend on which worker was faster: it is the one that a single process with as many lanes would have trained. At
its own pace (``rounds: free``) a worker is told to go on as soon as its news has been told, and waits for no other.

A round in which a worker dies is finished later: its trials are reported lost, the news of the others is held back
until the trials have been admitted again, in step until they have caught up. What the loop sees next is what it would
have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, TypeVar

from hpo.search.contracts.executor import Executor
from hpo.search.executors.common.rounds import is_over
from hpo.search.executors.common.worker import Reply, Worker, WorkerDied
from hpo.search.terms.devices import shown
from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Event, Job, Lost, Point, Task

T = TypeVar("T")

LANES = 16
"""Trials that a process trains at a time where nothing else is asked for: more gain little once the overhead is shared,
and crowd the cache."""


def lanes_of(module: object) -> int:
    """The same for an objective: ``LANES`` of its file, where multiplications cost so much that company gains nothing.

    Workers gain there what lanes do elsewhere.
    """
    return int(getattr(module, "LANES", LANES))


_LOOK = 0.5
"""Seconds after which a worker that says nothing is looked at, and the time too."""


@dataclass
class _Place:
    """A worker's lanes."""

    index: int
    worker: Worker | None = None
    numbers: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    news: list[Event] = field(default_factory=list)  # of a round that others have not finished
    asked: bool = False  # to move, and has not answered
    stale: set[int] = field(default_factory=set)  # evicted since it was asked: what it answers about them is of no use

    def ask(self) -> None:
        """Have the worker move its lanes."""
        self.asked = True
        self.send("advance")

    def send(self, *message: object) -> None:
        if self.worker is not None:
            self.worker.send(*message)

    def end(self) -> None:
        """Kill the worker; lanes hold nothing that needs cleaning up."""
        if self.worker is not None:
            self.worker.end(grace=0.0)
        self.worker = None
        self.numbers, self.kept, self.news = set(), set(), []
        self.asked, self.stale = False, set()


class Spread(Executor):
    """``workers`` times ``lanes`` lanes; the workers start at once, beside whatever the caller does next.

    Attributes:
        notes: what the user should know about how trials are trained, each sentence once.
    """

    def __init__(self, task: Task, workers: int, lanes: int, paused_memory: int, *, free: bool = False) -> None:
        self.lanes = workers * lanes
        self.processes = workers
        self.notes: list[str] = []
        self._task = task
        self._each, self._free = lanes, free
        self._options = {"lanes": lanes, "paused_memory": paused_memory}
        self._places = [_Place(index) for index in range(workers)]
        self.places: dict[int, str] = {}
        for place in self._places:
            self._start(place)

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the one that trains fewest."""
        free = [place for place in self._places if len(place.numbers) < self._each]
        assert free, "no lane is free"
        # one with news has had its turn in this round, in which a lost trial is still to be trained
        place = min(free, key=lambda place: (job.number not in place.kept, bool(place.news), len(place.numbers)))
        if place.worker is None or (place.worker.dead and not place.numbers):
            place.end()
            self._start(place)
        for other in self._places:  # state held by a full worker is given up; the trial catches up elsewhere
            if other is not place and job.number in other.kept:
                other.kept.discard(job.number)
                other.send("evict", job.number, False)
        place.kept.discard(job.number)
        place.numbers.add(job.number)
        if place.worker is not None and place.worker.place:
            self.places[job.number] = shown(place.worker.place)
        place.send("admit", job)

    def advance(self) -> list[Event]:
        """Move every lane by an epoch, or until there is news; where workers died, return their trials only, as lost.

        Where time is up the workers that have not answered are ended, and the news of the round is dropped: it is told
        whole or not at all, so that what goes on from it later is as if the round had not begun.

        Raises:
            UserError: a worker cannot start.
        """
        busy = [place for place in self._places if place.numbers or place.news]
        assert busy, "no trial is admitted"
        for place in busy:
            if not place.news and not place.asked:
                place.ask()
        lost: list[Event] = []
        while not is_over(busy, lost, free=self._free):
            waiting = [place for place in busy if place.asked]
            if self.expired():
                for place in waiting:
                    place.end()
                for place in busy:
                    place.news = []
                return []
            wait([place.worker.pipe for place in waiting if place.worker is not None], timeout=_LOOK)
            for place in waiting:
                lost += self._receive(place)
        if lost:
            return lost
        news: list[Event] = []
        for place in busy:
            news += place.news
            place.numbers -= {event.number for event in place.news if not isinstance(event, Point)}
            place.news = []
        return news

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free a lane; its worker holds a kept trial."""
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

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in a worker, which has loaded what it needs; here where every worker has died."""
        for place in self._places:
            if place.worker is None:
                continue
            try:
                found: T = place.worker.call(function, arguments, self.expired)
                place.asked = False  # what it was asked before is of no use any more
                return found
            except OutOfTime:
                place.end()
                raise
            except WorkerDied:
                continue
        return function(*arguments)

    def _start(self, place: _Place) -> None:
        place.worker = Worker(self._task, "cohort", self._options, index=place.index)

    def _receive(self, place: _Place) -> list[Event]:
        """Take in what a worker has to say; return the trials that are lost by its death."""
        assert place.worker is not None
        try:
            reply = place.worker.receive()
        except WorkerDied as death:
            lost: list[Event] = [Lost(number, str(death)) for number in sorted(place.numbers)]
            place.end()
            return lost
        if isinstance(reply, Reply):
            place.news = [event for event in reply.news if event.number not in place.stale]
            place.asked, place.stale = False, set()
            if not place.news and place.numbers:  # admitted since it was asked
                place.ask()
            self.notes += [note for note in reply.notes if note not in self.notes]
        return []
