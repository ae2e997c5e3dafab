"""A trial's value so far: what of its curve counts. Whoever judges, prints, stores, exports or draws it asks here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpo.search.terms.study import Goal
from hpo.search.terms.trial import Aggregate, Curve, Trial

FOLD = "fold"
"""Metric that marks a point as one fold of a cross-validation."""


def aggregate_of(goal: Goal, metrics: Mapping[str, float], *, several: bool) -> Aggregate:
    """What of a goal's curve counts as the trial's value: as the goal says, else what its points are decides.

    The mean of folds; with several goals the last point, whose values belong together; else the best point.

    >>> aggregate_of(Goal("acc", "maximize"), {"fold": 1.0, "acc": 0.5}, several=False)
    'mean'
    """
    return goal.aggregate or ("mean" if FOLD in metrics else "last" if several else "best")


@dataclass
class Tally:
    """One goal's curve summed up, point by point.

    Attributes:
        count: number of points.
        total: sum of their values, infinite where it overflows.
        average: their mean, which does not overflow.
        best: the best of them.
        last: the last of them.
    """

    count: int = 0
    total: float = 0.0
    best: float = 0.0
    last: float = 0.0
    average: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float], *, maximize: bool) -> Tally:
        """Sum up a whole curve."""
        tally = cls()
        for value in values:
            tally.add(value, maximize=maximize)
        return tally

    @classmethod
    def read(cls, plain: Sequence[float]) -> Tally:
        """Read back what ``plain`` gave."""
        count, total, best, last, *average = plain
        if average:
            return cls(int(count), math.inf, best, last, average[0])
        return cls(int(count), total, best, last, total / count if count else 0.0)

    def add(self, value: float, *, maximize: bool) -> None:
        """Take in the next point."""
        better = not self.count or (value > self.best if maximize else value < self.best)
        self.count += 1
        self.total += value
        if math.isfinite(self.total):
            self.average = self.total / self.count
        else:
            self.average += value / self.count - self.average / self.count
        self.best = value if better else self.best
        self.last = value

    def plain(self) -> list[float]:
        """As stored: all finite."""
        if math.isfinite(self.total):
            return [self.count, self.total, self.best, self.last]
        return [self.count, 0.0, self.best, self.last, self.average]

    def value(self, aggregate: Aggregate) -> float:
        """The value so far; there must be a point."""
        if aggregate == "mean":
            return self.average
        return self.last if aggregate == "last" else self.best


def course(curve: Curve, aggregate: Aggregate, *, maximize: bool, outlook: Curve = ()) -> Curve:
    """What a trial is judged by after each point of its curve: its value so far, or a better outlook.

    Of folds no one is ahead: there the outlook says nothing.

    >>> course(((1, 0.5), (2, 0.9), (3, 0.7)), "best", maximize=True)
    ((1, 0.5), (2, 0.9), (3, 0.9))
    >>> course(((1, 0.5), (2, 0.9), (3, 0.7)), "last", maximize=False, outlook=((2, 0.4), (3, 0.8)))
    ((1, 0.5), (2, 0.4), (3, 0.7))
    """
    if aggregate == "mean":
        outlook = ()
    if aggregate == "last" and not outlook:
        return curve
    ahead, tally, found = dict(outlook), Tally(), []
    for step, value in curve:
        tally.add(better(value, ahead.get(step), maximize=maximize), maximize=maximize)
        found.append((step, tally.value(aggregate)))
    return tuple(found)


def better(value: float, other: float | None, *, maximize: bool) -> float:
    """The better of two values, of which there may be one."""
    if other is None:
        return value
    return max(value, other) if maximize else min(value, other)


def headed(trial: Trial, *, maximize: bool) -> Curve:
    """The points by which a curve is continued: where its trainer says where it is heading, those, and the last.

    Before it says so first, all.

    >>> points = ((1, 0.5), (2, 0.9), (3, 0.7), (4, 0.6))
    >>> headed(Trial(0, {}, points, "running", outlook=((2, 0.4),)), maximize=False)
    ((1, 0.5), (2, 0.4), (4, 0.6))
    """
    if not trial.outlook or trial.aggregate == "mean":
        return trial.curve
    ahead, first, last = dict(trial.outlook), trial.outlook[0][0], trial.curve[-1][0]
    return tuple(
        (step, better(value, ahead.get(step), maximize=maximize))
        for step, value in trial.curve
        if step < first or step in ahead or step == last
    )
