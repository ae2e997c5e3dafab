"""Stop a trial whose curve is unlikely to beat the best by its end.

What it does: forecasts the trial's best value by its last step, from its points, the study's complete curves and what
learning curves look like, and stops the trial when the chance that this beats the incumbent is below ``threshold``.
Curves are compared at equal fractions of the training, and the late fall that a decaying learning rate brings is
expected, so it waits by itself where early points say little. Each stop records the forecast with its 80 % interval,
the incumbent and the chance.
When to use it: with any sampler, where trials yield curves; where trials can be paused, ``sampler: freeze-thaw`` saves
more.
Options: ``threshold`` = 0.05; ``top`` = 1, the incumbent is the top-th best trial, so that as many can be confirmed;
``n_warmup_steps`` = 0, steps at which no trial is stopped.
Cost: 1 ms a check at any number of trials; after the first 12 points about 8 checks for each doubling of the steps.
Reference: Domhan et al., Speeding up automatic hyperparameter optimization by extrapolation of learning curves, IJCAI
2015; docs/search.md.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.curves.shapes import milestones
from hpo.search.curves.single import LIBRARY, Library, forecast
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched, forecast_from, worth_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, INSIDE_1
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.trial import Trial

Array = NDArray[np.float64]

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    threshold: Annotated[float, INSIDE_1] = 0.05,
    top: Annotated[int, AT_LEAST_1] = 1,
    n_warmup_steps: Annotated[int, AT_LEAST_0] = 0,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is out of range.
    """
    if not 0 < threshold < 1:
        raise UserError(f"threshold is a probability between 0 and 1, got {threshold}")
    if top < 1 or n_warmup_steps < 0:
        raise UserError(f"top is 1 or more and n_warmup_steps 0 or more, got {top} and {n_warmup_steps}")
    return _LearningCurve(context.horizon, context.seed, threshold, top, n_warmup_steps)


@dataclass
class _Complete:
    """The complete curves of a study: the latest, and the best values of the best; and what those that go on have.

    Attributes:
        open: (value so far, number) of the trials that have not ended, in order; ``worth`` the values by number.
    """

    curves: list[Array] = field(default_factory=list)
    bests: list[float] = field(default_factory=list)
    longest: int = 0
    open: list[tuple[float, int]] = field(default_factory=list)
    worth: dict[int, float] = field(default_factory=dict)

    def rivals(self, number: int, top: int) -> list[float]:
        """The best values of the trials that have not ended, but for one."""
        return [best for best, other in self.open[: top + 1] if other != number]


class _LearningCurve(Stopper):
    def __init__(self, horizon: int | None, seed: int, threshold: float, top: int, warmup: int) -> None:
        super().__init__(horizon)
        self._seed, self._threshold, self._top, self._warmup = seed, threshold, top, warmup
        self._watched: Watched[_Complete] = Watched(_Complete, self._add)

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the forecast leaves less than the threshold for beating the incumbent."""
        complete = self._watched.look(view)
        horizon = self.horizon_of(trial) or complete.longest
        step = curve[-1][0]
        if step <= self._warmup or step >= horizon or step not in milestones(horizon):
            return None
        bests = heapq.nsmallest(self._top, [*complete.bests, *complete.rivals(trial.number, self._top)])
        points = forecast_from(trial, view)
        if len(bests) < self._top or not all(math.isfinite(value) for _, value in points):
            return None
        seen = forecast(
            points, horizon, Library.of(complete.curves, horizon), derive_seed(self._seed, trial.number, step)
        )
        chance = seen.beats(bests[-1])
        if chance >= self._threshold:
            return None
        sign = view.sign
        low, high = sorted((sign * seen.final(0.1), sign * seen.final(0.9)))
        evidence = {
            "predicted": sign * seen.final(0.5),
            "low": low,
            "high": high,
            "incumbent": sign * bests[-1],
            "probability": chance,
        }
        rank = "the best" if self._top == 1 else f"number {self._top}"
        return Prune(
            f"at step {step} of {horizon} it was to end at {evidence['predicted']:.4g} ({low:.4g} to {high:.4g}); "
            f"{rank} is {evidence['incumbent']:.4g}, and its chance to beat that {chance:.1%}",
            evidence,
        )

    def checks(self, horizon: int) -> Iterable[int]:
        """The steps at which it forecasts."""
        steps: list[int] = milestones(horizon)[:-1].tolist()
        return steps

    def _add(self, complete: _Complete, trial: Trial, view: View) -> None:
        best = worth_of(trial, view)
        if (before := complete.worth.pop(trial.number, None)) is not None:
            del complete.open[bisect.bisect_left(complete.open, (before, trial.number))]
        if best is None:
            return
        if not trial.ended:
            complete.worth[trial.number] = best
            bisect.insort(complete.open, (best, trial.number))
        elif trial.state == "complete":
            curve = np.array(forecast_from(trial, view), dtype=np.float64)
            complete.curves = [*complete.curves[1 - LIBRARY :], curve]
            complete.bests = heapq.nsmallest(self._top, [*complete.bests, best])
            complete.longest = max(complete.longest, trial.curve[-1][0])
