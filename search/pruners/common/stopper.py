"""What all pruners that look at curves have in common."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeAlias, TypeVar, overload

from hpo.search.contracts.policy import Continue, Prune, View
from hpo.search.contracts.pruner import Answer, Pruner
from hpo.search.terms.changed import Reader
from hpo.search.terms.trial import Trial
from hpo.search.terms.value import headed

Curve: TypeAlias = Sequence[tuple[int, float]]
"""``(step, value so far)`` in order of step; smaller values are better, whatever the goal."""


class Stopper(Pruner):
    """Prunes by the trial's curve and those of the others."""

    def __init__(self, horizon: int | None) -> None:
        self._horizon = horizon

    @abc.abstractmethod
    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Say why the trial is to be stopped after the last point of its curve, None to let it go on.

        ``curve`` is what the trial was worth after each step.
        """

    def horizon_of(self, trial: Trial) -> int | None:
        """The last step of a trial, where its number of epochs is searched its own; None when unknown."""
        epochs = trial.point.get("epochs", self._horizon)
        return epochs if isinstance(epochs, int) else self._horizon

    def judge(self, view: View, number: int) -> Answer:
        """Whether to stop the trial now; never where it has nothing left to train."""
        trial = view.trials[number]
        curve = curve_of(trial, view)
        if not curve or (self._horizon is not None and curve[-1][0] >= self._horizon):
            return Continue()
        return self.stop(view, trial, curve) or Continue()


def curve_of(trial: Trial, view: View) -> Curve:
    """What the trial is worth after each step, turned so that smaller is better: its value, had it ended there."""
    return _turned(trial.course or trial.curve, view)


def headed_of(trial: Trial, view: View) -> Curve:
    """The points that tell how the curve goes on, turned so that smaller is better: where it is heading, if known."""
    return _turned(headed(trial, maximize=view.sign < 0), view)


def forecast_from(trial: Trial, view: View) -> Curve:
    """The curve whose end is the trial's value: its points, whose best counts, or their running mean."""
    return curve_of(trial, view) if trial.aggregate == "mean" else headed_of(trial, view)


def worth_of(trial: Trial, view: View) -> float | None:
    """What the trial is worth so far, smaller is better; None before a finite value."""
    return next((value for _, value in reversed(curve_of(trial, view)) if math.isfinite(value)), None)


def points_of(trial: Trial, view: View) -> Curve:
    """The trial's points as they came, turned so that smaller is better: for what is told by their ups and downs."""
    return _turned(trial.curve, view)


class _Turned(Sequence[tuple[int, float]]):
    """A curve with the signs of its values changed as they are read: most judges read the end only."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def __len__(self) -> int:
        return len(self._curve)

    @overload
    def __getitem__(self, place: int) -> tuple[int, float]: ...
    @overload
    def __getitem__(self, place: slice) -> Curve: ...
    def __getitem__(self, place: int | slice) -> tuple[int, float] | Curve:
        if isinstance(place, slice):
            return [(step, -value) for step, value in self._curve[place]]
        step, value = self._curve[place]
        return step, -value

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return ((step, -value) for step, value in self._curve)


def _turned(curve: Curve, view: View) -> Curve:
    return curve if view.sign > 0 else _Turned(curve)


def due(curve: Curve, n_warmup_steps: int, interval_steps: int) -> bool:
    """Whether the last point is the first one at or after a check, of which there is one every so many steps.

    The first check is at the step that follows the warm-up.

    >>> [due([(s, 0.0) for s in range(1, n + 1)], 2, 3) for n in range(1, 8)]
    [False, False, True, False, False, True, False]
    """
    past = curve[-1][0] - 1 - n_warmup_steps
    if past < 0:
        return False
    check = past // interval_steps * interval_steps + n_warmup_steps + 1
    return len(curve) == 1 or curve[-2][0] < check


T = TypeVar("T")


class Watched(Generic[T]):
    """Something worked out from a study's trials, one by one as they change.

    Args:
        start: makes it for a study without any.
        add: takes in a trial that is new or has changed; each that has ended once.
    """

    def __init__(self, start: Callable[[], T], add: Callable[[T, Trial, View], None]) -> None:
        self._start, self._add = start, add
        self._found = start()
        self._reader: Reader[Trial] = Reader(lambda trial: trial.ended)

    def look(self, view: View) -> T:
        """What was worked out, up to date."""
        numbers, afresh = self._reader.news(view.trials, view.log, view.trials)
        if afresh:
            self._found = self._start()
        for number in numbers:
            self._add(self._found, view.trials[number], view)
        return self._found
