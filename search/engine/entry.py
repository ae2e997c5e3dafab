"""One trial of a running study, as facts in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.search.terms.study import Goal
from hpo.search.terms.trial import Curve, State, Trial


@dataclass
class Tally:
    """What of one goal's curve counts towards the trial's value.

    Attributes:
        count: number of points.
        total: sum of their values.
        best: the best of them.
        last: the last of them.
    """

    count: int = 0
    total: float = 0.0
    best: float = 0.0
    last: float = 0.0

    def add(self, value: float, *, maximize: bool) -> None:
        """Take in the next point."""
        better = not self.count or (value > self.best if maximize else value < self.best)
        self.count += 1
        self.total += value
        self.best = value if better else self.best
        self.last = value

    def plain(self) -> list[float]:
        """As stored."""
        return [self.count, self.total, self.best, self.last]

    def value(self, goal: Goal, *, folds: bool, several: bool) -> float:
        """The trial's value: the best point, the last one, or the mean of all.

        Args:
            goal: says which, or leaves it to what the points are.
            folds: the points are folds of a cross-validation, whose mean counts.
            several: the study has several goals, whose values must belong to one and the same point.
        """
        how = goal.aggregate or ("mean" if folds else "last" if several else "best")
        return self.total / self.count if how == "mean" else self.last if how == "last" else self.best


@dataclass
class Entry:
    """One trial.

    Attributes:
        trial_id: its id in the storage.
        recipe: every knob value; ``point`` the searched ones among them.
        key: digest of the recipe without its seed.
        curve: (step, value of the goal that curves are judged by), steps ascending.
        tallies: for each goal, its curve summed up.
        metrics: all metrics of the last point.
        values: its value for each goal, once it is complete.
        seconds: what its points cost, as stored.
        unstored: what they cost beyond that, too little to be worth storing yet.
        retry_of: the failed trial of the same recipe that this one repeats.
        attempts: how often it was taken up again after a death under it, without a new point since.
    """

    number: int
    trial_id: int
    recipe: dict[str, Any]
    point: dict[str, Any]
    key: str
    state: State = "running"
    curve: Curve = ()
    tallies: list[Tally] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    unstored: float = 0.0
    reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    retry_of: int | None = None
    attempts: int = 0

    @property
    def folds(self) -> bool:
        """Whether its points are folds of a cross-validation."""
        return "fold" in self.metrics

    @property
    def step(self) -> int:
        """The last recorded step, 0 before the first."""
        return self.curve[-1][0] if self.curve else 0

    def value(self, goals: Sequence[Goal]) -> tuple[float, ...]:
        """Its value for each goal so far; there must be a point."""
        several = len(goals) > 1
        pairs = zip(self.tallies, goals, strict=True)
        return tuple(tally.value(goal, folds=self.folds, several=several) for tally, goal in pairs)

    def view(self) -> Trial:
        """What everything else sees of it."""
        return Trial(
            self.number,
            self.point,
            self.curve,
            self.state,
            values=self.values,
            seconds=self.seconds,
            seed=self.recipe.get("seed"),
            reason=self.reason,
            evidence=self.evidence,
            metrics=self.metrics,
            recipe=self.key,
        )
