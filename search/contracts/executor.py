"""What an executor is given and answers: it trains up to a number of trials at a time.

An executor has lanes and four verbs. The search loop does not know which one it drives::

    admit(job)       start the trial, or take a kept one up again, in a free lane
    advance()        block until at least one admitted trial has news, or time is up, or there are more lanes than
                     before; return the news in lane order
    evict(number)    stop a trial now; with keep=True its state is held for a later admit, where there is room
    close()          release everything; safe to call twice, and after any exception

Each file defines ``make(task, *, option=default, ...) -> Executor``. An option ``workers`` is given the study's number
of workers, unless the study names it there.

A file may say what it needs from a study, as a literal tuple that is read without importing it::

    REQUIRES = ("other processes",)     the objective trains in another process: it is imported there, or sent
               ("trained by suite",)    the suite does the training

An executor catches up by itself: a job that says ``done=5`` and whose state is not held is trained through its points
up to step 5 without reporting them, because they are recorded already. Where several lanes move in step (cohort), lanes
that are behind catch up before the others move, so that a resumed study equals an uninterrupted one.

A file may also say what it does not promise, and the contract tests leave that out::

    DISCLAIMS = ("same study",)    which trial is ahead depends on how fast each trains, and so may what is pruned
                ("same study under rounds: free",)    the same, where its option ``rounds`` is ``free``

Lanes may come and go between two calls, as machines do. A trial whose machine went is lost, which is no fault of its
own; one that is admitted while no lane is free waits for the next. An executor that trains on other machines has names
for them, and what a trial needs of this one's disk (checkpoints, log) goes there and comes back with its points.

Everything ends: an executor that waits for other processes asks ``expired()`` at least twice a second while it waits,
and where time is up ends those that do not answer and returns what it has. One that trains in the caller's process is
interrupted there by OutOfTime, after which its lanes are only evicted or closed.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hpo.search.terms.job import Event, Job

T = TypeVar("T")


@dataclass(frozen=True)
class Node:
    """A machine that trains, or a GPU of this one.

    Attributes:
        name: as its cluster calls it, or such as ``gpu 1``.
        lanes: trials that it trains at a time.
        trials: numbers of those it trains now.
        busy: share of its lanes' time in which they trained, from 0 to 1.
    """

    name: str
    lanes: int
    trials: tuple[int, ...]
    busy: float


class Executor(abc.ABC):
    """Trains up to ``lanes`` trials at a time.

    Attributes:
        lanes: how many now, at least one.
        processes: worker processes that train at the same time, with as many lanes each; 0 where this one trains.
        notes: what the user should know about how trials are trained, each sentence once.
        expired: says whether time is up; set by whoever drives the executor.
        models: whether any trial that ended here left a model that can be tested; None while that is not known.
    """

    lanes: int = 1
    processes: int = 0
    models: bool | None = None
    notes: Sequence[str] = ()
    expired: Callable[[], bool] = staticmethod(lambda: False)

    @abc.abstractmethod
    def admit(self, job: Job) -> None:
        """Give a trial a free lane."""

    @abc.abstractmethod
    def advance(self) -> list[Event]:
        """Block until there is news; the list is empty only where time is up, or where lanes have come."""

    @abc.abstractmethod
    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the trial's lane; with ``keep`` hold its state, where there is room, for a later ``admit``."""

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of a module where trials are trained, so that what it needs is loaded there only.

        Raises:
            OutOfTime: time was up before it returned.
        """
        return function(*arguments)

    def node_of(self, number: int) -> str:
        """Name of the machine or GPU that trains a trial whose news was returned last, empty where it has none."""
        return ""

    def nodes(self) -> Sequence[Node]:
        """The machines or GPUs that train, by name; none where they have no names."""
        return ()

    @abc.abstractmethod
    def close(self) -> None:
        """Release processes, memory and generators."""
