"""Asynchronous successive halving: at each rung only the best share of the trials that reached it goes on."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hpo.search.contracts.policy import Prune, View
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched, curve_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.trial import Trial


@dataclass
class _Rungs:
    """What the trials had at their rungs.

    Attributes:
        values: by first rung and rung, in order, NaN left out.
        next: the first rung that a trial which has not ended is yet to reach.
    """

    values: dict[tuple[int, int], array[float]] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)


class Halving(Stopper):
    """Successive halving among the trials with the same first rung.

    A trial's value at a rung is its first one at or after the rung's step; rungs follow each other in the ratio of
    the reduction factor. These are the decisions of Optuna's pruner, read from the curves instead of from marks left
    on the trials.

    Args:
        horizon: steps of a complete trial, None when unknown.
        reduction_factor: one in this many goes on.
        first: given a trial's number, the step of its first rung.
        lowest: the lowest of these; the others are on its ladder.
        bootstrap_count: the first so many trials at a rung are stopped there, having too few to be compared with.
        slack: a trial that is not among the best goes on too where it is behind the last of them by at most this share
            of the distance from the best to the median at the rung.
    """

    def __init__(
        self,
        horizon: int | None,
        reduction_factor: int,
        first: Callable[[int], int],
        lowest: int,
        bootstrap_count: int = 0,
        slack: float = 0.0,
    ) -> None:
        super().__init__(horizon)
        if reduction_factor < 2:
            raise UserError(f"reduction_factor is 2 or more, got {reduction_factor}")
        self._factor = reduction_factor
        self._first, self._lowest = first, lowest
        self._bootstrap = bootstrap_count
        self._slack = slack
        self._rungs = Watched(_Rungs, self._add)

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the trial is not among the best at a rung that its last point reached."""
        step, value = curve[-1]
        before = curve[-2][0] if len(curve) > 1 else 0
        first = self._first(trial.number)
        reached = [rung for rung in self._steps(first, step) if rung > before]
        if not reached:
            return None
        if math.isnan(value):
            return Prune(f"the value at step {step} is NaN")
        values = self._rungs.look(view).values
        for rung in reached:
            column = values[first, rung]  # with the trial's own
            ahead, trials = bisect.bisect_left(column, value), len(column)
            best = max(trials // self._factor, 1) if trials > self._bootstrap else 0
            worst = self._worst(column, best)
            if ahead >= best and not value <= worst:
                sign, few = view.sign, "" if best else ", too few to be compared"
                more = f", and more to {sign * worst:.6g}" if math.isfinite(worst) else ""
                place = f"place {ahead + 1} of {trials} at step {rung} ({sign * value:.6g})"
                reason = f"{place}, of which {best} go on{more}{few}"
                return Prune(reason, {"value": sign * value, "place": ahead + 1.0, "trials": float(trials)})
        return None

    def checks(self, horizon: int) -> Iterable[int]:
        """The rungs."""
        return self._steps(self._lowest, horizon - 1)

    def _add(self, rungs: _Rungs, trial: Trial, view: View) -> None:
        """Take in the rungs that a trial has reached; what it had there stays, whatever comes of it."""
        first, last = self._first(trial.number), trial.curve[-1][0] if trial.curve else 0
        rung = rungs.next.pop(trial.number, first)
        if rung <= last:
            curve = curve_of(trial, view)
            while rung <= last:
                value = _value_at(curve, rung)
                if not math.isnan(value):
                    bisect.insort(rungs.values.setdefault((first, rung), array("d")), value)
                rung *= self._factor
        if not trial.ended:
            rungs.next[trial.number] = rung

    def _worst(self, column: array[float], best: int) -> float:
        """The worst value that goes on without being among the best, NaN where there is none."""
        distance = column[len(column) // 2] - column[0]
        if not self._slack or not best or not math.isfinite(distance):
            return math.nan
        return column[best - 1] + self._slack * distance

    def _steps(self, first: int, last: int) -> Iterator[int]:
        rung = first
        while rung <= last:
            yield rung
            rung *= self._factor


def _value_at(curve: Curve, rung: int) -> float:
    """The first value at or after a step, NaN where the curve does not reach it."""
    place = bisect.bisect_left(curve, rung, key=lambda point: point[0])
    return curve[place][1] if place < len(curve) else math.nan
