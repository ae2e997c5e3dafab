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

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from hpo.search.contracts.pruner import PrunerContext
from hpo.search.pruners.common.stopper import Curve, Stop, Stopper
from hpo.search.terms.errors import UserError

REQUIRES = ("one goal",)


def make(
    context: PrunerContext, *, of: BasePruner | None = None, patience: int = 5, min_delta: float = 0.0
) -> BasePruner:
    """Make the pruner.

    Raises:
        UserError: an option is negative.
    """
    if patience < 0 or min_delta < 0:
        raise UserError(f"patience and min_delta are 0 or more, got {patience} and {min_delta}")
    return _Patient(context.horizon, of, patience, min_delta)


class _Patient(Stopper):
    def __init__(self, horizon: int | None, of: BasePruner | None, patience: int, min_delta: float) -> None:
        super().__init__(horizon)
        self._of, self._patience, self._min_delta = of, patience, min_delta

    def judge(self, study: Study, trial: FrozenTrial, curve: Curve) -> Stop | None:
        """Stop where the trial has not improved and the other pruner agrees."""
        values = [math.inf if math.isnan(value) else value for _, value in curve]
        late = self._patience + 1
        if len(values) <= late:
            return None
        before, after = min(values[:-late]), min(values[-late:])
        if not before + self._min_delta < after:
            return None
        if self._of is not None and not self._of.prune(study, trial):
            return None
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        inner = getattr(self._of, "reason", "")
        reason = f"no value of the last {late} is as good as {sign * before:.6g} before them"
        return Stop(f"{reason}; {inner}" if inner else reason, {"best": sign * before, "late": sign * after})
