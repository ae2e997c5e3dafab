"""Stopping trials whose best value so far is outside of the best percentage of the complete ones."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from hpo.search.contracts.policy import Prune, View
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched, curve_of, due
from hpo.search.terms.errors import UserError
from hpo.search.terms.trial import Trial


@dataclass
class _Complete:
    """Complete trials: how many, and per step their values in order, NaN left out."""

    trials: int = 0
    values: dict[int, array[float]] = field(default_factory=dict)

    def add(self, trial: Trial, view: View) -> None:
        if trial.state == "complete":
            self.trials += 1
            for step, value in curve_of(trial, view):
                if not math.isnan(value):
                    bisect.insort(self.values.setdefault(step, array("d")), value)


class Percentile(Stopper):
    """Compares the best value so far with a percentile of the complete trials' values at the same step."""

    def __init__(
        self,
        horizon: int | None,
        percentile: float,
        n_startup_trials: int,
        n_warmup_steps: int,
        interval_steps: int,
        n_min_trials: int,
    ) -> None:
        super().__init__(horizon)
        if not 0.0 <= percentile <= 100.0:
            raise UserError(f"percentile is between 0 and 100, got {percentile}")
        if n_startup_trials < 0 or n_warmup_steps < 0 or interval_steps < 1 or n_min_trials < 1:
            raise UserError(
                "n_startup_trials and n_warmup_steps are 0 or more, interval_steps and n_min_trials 1 or more, got "
                f"{n_startup_trials}, {n_warmup_steps}, {interval_steps} and {n_min_trials}"
            )
        self._percentile = percentile
        self._n_startup_trials = max(n_startup_trials, 1)
        self._n_warmup_steps, self._interval_steps = n_warmup_steps, interval_steps
        self._n_min_trials = n_min_trials
        self._complete = Watched(_Complete, _Complete.add)

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the best value so far is worse than the percentile."""
        complete = self._complete.look(view)
        if complete.trials < self._n_startup_trials or not due(curve, self._n_warmup_steps, self._interval_steps):
            return None
        step = curve[-1][0]
        best = min((value for _, value in curve if not math.isnan(value)), default=math.nan)
        if math.isnan(best):
            return Prune(f"no value but NaN up to step {step}")
        values = complete.values.get(step, array("d"))
        if len(values) < self._n_min_trials:
            return None
        bar = quantile(values, self._percentile / 100.0)
        if not best > bar:
            return None
        sign = view.sign
        evidence = {"best": sign * best, "bar": sign * bar, "trials": float(len(values))}
        which = "median" if self._percentile == 50.0 else f"best {self._percentile:g} %"
        return Prune(
            f"best value {sign * best:.6g} up to step {step} is behind the {which} of {len(values)} complete trials "
            f"({sign * bar:.6g})",
            evidence,
        )

    def checks(self, horizon: int) -> Iterable[int]:
        """From the warm-up on, every so many steps."""
        return range(self._n_warmup_steps + 1, horizon, self._interval_steps)


def quantile(ordered: array[float], share: float) -> float:
    """Quantile of ordered values, linear between neighbours.

    >>> quantile(array("d", [1.0, 2.0, 4.0]), 0.75)
    3.0
    """
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    part = place - below
    if part == 0.0 or low == high:
        return low
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1.0 - part)
