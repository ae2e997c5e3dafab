"""Stop a trial whose value leaves the given limits.

What it does: stops a trial as soon as a value is below ``lower``, above ``upper`` or NaN.
When to use it: values that no usable trial has are known beforehand, such as a loss that has exploded.
Options: ``lower`` = none; ``upper`` = none; at least one of them. ``n_warmup_steps`` = 0, steps at which no trial is
stopped; ``interval_steps`` = 1, steps between checks.
Cost: microseconds a point.
Reference: Optuna's ThresholdPruner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.stopper import Curve, Stopper, due
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1
from hpo.search.terms.trial import Trial

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    lower: float | None = None,
    upper: float | None = None,
    n_warmup_steps: Annotated[int, AT_LEAST_0] = 0,
    interval_steps: Annotated[int, AT_LEAST_1] = 1,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: there is no limit, or an option is out of range.
    """
    if lower is None and upper is None:
        raise UserError("the pruner threshold needs a limit: write {threshold: {upper: 10.0}}, lower, or both")
    if lower is not None and upper is not None and lower > upper:
        raise UserError(f"lower is at most upper, got {lower} and {upper}")
    if n_warmup_steps < 0 or interval_steps < 1:
        raise UserError(
            f"n_warmup_steps is 0 or more and interval_steps 1 or more, got {n_warmup_steps} and {interval_steps}"
        )
    low, high = -math.inf if lower is None else lower, math.inf if upper is None else upper
    return _Threshold(context.horizon, low, high, n_warmup_steps, interval_steps)


class _Threshold(Stopper):
    def __init__(self, horizon: int | None, lower: float, upper: float, warmup: int, interval: int) -> None:
        super().__init__(horizon)
        self._lower, self._upper, self._warmup, self._interval = lower, upper, warmup, interval

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the last value is outside of the limits."""
        step, value = curve[-1]
        value = view.sign * value
        if not due(curve, self._warmup, self._interval) or self._lower <= value <= self._upper:
            return None
        return Prune(f"the value {value:.6g} at step {step} is outside of {self._lower:g} to {self._upper:g}")

    def checks(self, horizon: int) -> Iterable[int]:
        """None: its limits are of the value as it is."""
        return ()
