"""Let another pruner stop a trial only when it has not improved for a while.

What it does: asks the pruner ``of`` only once the best of the trial's last ``patience`` + 1 values is worse, by more
than ``min_delta``, than the best before them; without ``of`` that alone stops the trial.
When to use it: noisy curves or plateaus at which another pruner is too hasty:
``pruner: {patient: {of: median, patience: 3}}``.
Options: ``of`` = none; ``patience`` = 5, values in a row that may be no better; ``min_delta`` = 0.0.
Cost: microseconds a point, and that of ``of``.
Reference: Prechelt, Early stopping - but when?, 1998; Optuna's PatientPruner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from hpo.search.contracts.policy import Continue, Prune, View
from hpo.search.contracts.pruner import Answer, Pruner, PrunerContext
from hpo.search.pruners.common.stopper import Curve, Stopper, points_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0
from hpo.search.terms.trial import Trial

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    of: Pruner | None = None,
    patience: Annotated[int, AT_LEAST_0] = 5,
    min_delta: Annotated[float, AT_LEAST_0] = 0.0,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is negative.
    """
    if patience < 0 or min_delta < 0:
        raise UserError(f"patience and min_delta are 0 or more, got {patience} and {min_delta}")
    return _Patient(context.horizon, of, patience, min_delta)


class _Patient(Stopper):
    def __init__(self, horizon: int | None, of: Pruner | None, patience: int, min_delta: float) -> None:
        super().__init__(horizon)
        self._of, self._patience, self._min_delta = of, patience, min_delta

    def judge(self, view: View, number: int) -> Answer:
        """Stop where the trial has not improved and the other pruner agrees."""
        late = super().judge(view, number)
        if self._of is None or isinstance(late, Continue):
            return late
        inner = self._of.judge(view, number)
        if isinstance(inner, Continue):
            return inner
        return replace(late, reason=f"{late.reason}; {inner.reason}", memo=inner.memo)

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the trial has not improved."""
        values = [math.inf if math.isnan(value) else value for _, value in points_of(trial, view)]
        late = self._patience + 1
        if len(values) <= late:
            return None
        before, after = min(values[:-late]), min(values[-late:])
        if not before + self._min_delta < after:
            return None
        sign = view.sign
        reason = f"no value of the last {late} is as good as {sign * before:.6g} before them"
        return Prune(reason, {"best": sign * before, "late": sign * after})

    def checks(self, horizon: int) -> Iterable[int]:
        """Those of the pruner that it asks."""
        return self._of.checks(horizon) if self._of is not None else ()
