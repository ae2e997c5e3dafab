"""What trains: one file per executor; the folder is the registry.

An executor has lanes and four verbs. The search loop does not know which one it drives::

    admit(job)       start the trial, or take a kept one up again, in a free lane
    advance()        block until at least one admitted trial has news; return the news in lane order
    evict(number)    stop a trial now; with keep=True its state is held for a later admit, where there is room
    close()          release everything; safe to call twice, and after any exception

Each file defines ``make(task, **options) -> Executor``.

An executor catches up by itself: a job that says ``done=5`` and whose state is not held is trained through its points
up to step 5 without reporting them, because they are recorded already. Where several lanes move in step (cohort), lanes
that are behind catch up before the others move, so that a resumed study equals an uninterrupted one.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What every trial of a study trains: the objective and its data.

    Attributes:
        objective: reference as in the study file, paths absolute: ``mlp``, ``/x/my.py:train``, ``package.module``.
        data: name, or ``{kind: options}`` with absolute paths; None leaves the objective's own default.
        split_seed: seed of the train / validation / test split.
        folder: the study file's folder; relative paths and a command's working directory.
        device: ``cpu``, ``cuda``, ``mps`` or ``auto``; for objectives that the suite trains.
        memory_limit: MiB that a trial under ``batch_size: auto`` may take; None for a share of what the device has.
        silence: seconds without a point after which a command line counts as hung.
    """

    objective: str
    data: Any = None
    split_seed: int = 0
    folder: str = "."
    device: str = "cpu"
    memory_limit: int | None = None
    silence: float = 600.0


@dataclass(frozen=True)
class Job:
    """One trial to train.

    Attributes:
        number: the trial's number in the study.
        recipe: every knob value, fixed ones and ``seed`` included.
        done: step of the last point recorded already, 0 when there is none; no point up to it is reported.
        scratch: folder that outlives an interruption, for objectives that checkpoint; None when unused.
    """

    number: int
    recipe: Mapping[str, Any]
    done: int = 0
    scratch: str | None = None


@dataclass(frozen=True)
class Point:
    """A trial yielded its next point: steps grow, from 1 on; ``seconds`` is what this point alone cost this lane."""

    number: int
    step: int
    metrics: Mapping[str, float]
    seconds: float = 0.0


@dataclass(frozen=True)
class Finished:
    """A trial's curve is complete."""

    number: int


@dataclass(frozen=True)
class Failed:
    """A trial raised: one-line reason, and the traceback's frames for ``hpo show``.

    ``fatal`` says that no other trial can do better (the data cannot be read): the search stops.
    """

    number: int
    reason: str
    detail: str = ""
    fatal: bool = False


@dataclass(frozen=True)
class Lost:
    """A trial's worker died under it; the loop admits it again or gives up."""

    number: int
    reason: str


Event: TypeAlias = "Point | Finished | Failed | Lost"


class Executor(abc.ABC):
    """Trains up to ``lanes`` trials at a time.

    Attributes:
        lanes: how many.
        notes: what the user should know about how trials are trained, each sentence once.
    """

    lanes: int = 1
    notes: Sequence[str] = ()

    @abc.abstractmethod
    def admit(self, job: Job) -> None:
        """Give a trial a free lane."""

    @abc.abstractmethod
    def advance(self) -> list[Event]:
        """Block until there is news; never returns an empty list while a lane is busy."""

    @abc.abstractmethod
    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the trial's lane; with ``keep`` hold its state, where there is room, for a later ``admit``."""

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of a module where trials are trained, so that what it needs is loaded there only."""
        return function(*arguments)

    @abc.abstractmethod
    def close(self) -> None:
        """Release processes, memory and generators."""
