"""What a policy is given and answers: it decides which trial trains next.

Whenever a lane is free the search loop asks ``next``; after each recorded point it asks ``judge``::

    next(view)           -> Start | Resume | Wait
    judge(view, number)  -> Continue | Pause | Prune

A policy is a function of the view: it sees what is recorded and keeps nothing that a restart would lose. What is
too expensive to work out anew at every decision (fitted hyperparameters) it hands over as ``memo`` with any
answer; the loop stores the memo before it acts on the answer and shows it in every later view.

Each file defines ``make(context, **options) -> Policy``. It may say what it needs from a study, as a literal tuple that
is read without importing it::

    REQUIRES = ("one goal",)    a single goal
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hpo.search.terms.changed import Log
from hpo.search.terms.domain import Scalar
from hpo.search.terms.space import Space
from hpo.search.terms.trial import Trial


@dataclass(frozen=True, slots=True)
class View:
    """A study as a policy sees it; everything in it can be read back from the store.

    Attributes:
        space: what is searched.
        fixed: the other knobs, which conditions may refer to.
        direction: ``minimize`` or ``maximize``.
        seed: the study's seed.
        horizon: steps of a complete trial, None when unknown.
        trials: by number, every trial that was started.
        lanes: how many trials train at a time, of as many as the executor can.
        steps_left: steps left in the budget, None when it is not counted in steps.
        trials_left: trials that may still be started, None for any number.
        memo: what the policy last asked to be kept, and under ``pruner`` what the pruner did; empty at first.
        prior: the user's guess of good values, for any of the knobs.
        earlier: trials of earlier studies of the same space.
        log: which trials changed, so that nobody looks at all of them; None where that is not known.
    """

    space: Space
    fixed: Mapping[str, Scalar]
    direction: Literal["minimize", "maximize"]
    seed: int
    horizon: int | None
    trials: Sequence[Trial]
    lanes: int = 1
    steps_left: int | None = None
    trials_left: int | None = None
    memo: Mapping[str, Any] = field(default_factory=dict)
    prior: Mapping[str, Scalar] = field(default_factory=dict)
    earlier: Sequence[Trial] = ()
    log: Log | None = None

    @property
    def sign(self) -> float:
        """Times this, smaller values are better."""
        return -1.0 if self.direction == "maximize" else 1.0


@dataclass(frozen=True, slots=True)
class Start:
    """Start a new trial at ``point``; None asks the study's sampler for one. Where none may be started it is a Wait."""

    point: Mapping[str, Scalar] | None = None
    memo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Take a paused trial up again."""

    number: int
    memo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the lane empty until another trial has news; while none is running this ends the search."""

    memo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Let the trial go on in its lane."""

    memo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Free the lane and keep the trial's state for a later ``Resume``."""

    memo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Prune:
    """End the trial; ``reason`` and the numbers behind it are shown to the user."""

    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    memo: Mapping[str, Any] | None = None


Turn: TypeAlias = "Start | Resume | Wait"
Verdict: TypeAlias = "Continue | Pause | Prune"


class Policy(abc.ABC):
    """Decides which trial trains next."""

    @abc.abstractmethod
    def next(self, view: View) -> Turn:
        """Say what the free lane does."""

    @abc.abstractmethod
    def judge(self, view: View, number: int) -> Verdict:
        """Say whether the trial that has just recorded a point stays in its lane."""

    def checks(self, horizon: int) -> Iterable[int]:
        """Steps before a trial's last after which it decides by what trials are worth; see ``Pruner.checks``."""
        return range(1, horizon)
