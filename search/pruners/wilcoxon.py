"""Stop a trial that is significantly worse than the best one, compared point by point.

What it does: pairs the trial's values with those of the best complete trial at the same steps and stops it when a
one-sided Wilcoxon signed-rank test says that they are worse, unless their mean is not.
When to use it: points that are repeated measurements of the same thing, such as cross-validation folds or data sets,
in the same order in every trial; not for learning curves.
Options: ``p_threshold`` = 0.1, the test's level at each point (the chance of a false alarm over all points is larger);
``n_startup_steps`` = 2, pairs needed first.
Cost: below a millisecond a point.
Reference: Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1945; Optuna's WilcoxonPruner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched, points_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, FRACTION
from hpo.search.terms.trial import Trial

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    p_threshold: Annotated[float, FRACTION] = 0.1,
    n_startup_steps: Annotated[int, AT_LEAST_0] = 2,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is out of range.
    """
    if not 0.0 <= p_threshold <= 1.0 or n_startup_steps < 0:
        raise UserError(
            f"p_threshold is between 0 and 1 and n_startup_steps 0 or more, got {p_threshold} and {n_startup_steps}"
        )
    return _Wilcoxon(context.horizon, p_threshold, n_startup_steps)


class _Wilcoxon(Stopper):
    def __init__(self, horizon: int | None, p_threshold: float, n_startup_steps: int) -> None:
        super().__init__(horizon)
        self._p_threshold = p_threshold
        self._pairs = max(2, n_startup_steps)
        self._best: Watched[list[tuple[float, Curve]]] = Watched(list, _keep_best)

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop where the test says that the trial is worse than the best one."""
        best = self._best.look(view)
        if not best:
            return None
        points = points_of(trial, view)
        rival, own = dict(best[0][1]), dict(points)
        if not all(map(math.isfinite, [*rival.values(), *own.values()])):
            return None
        differences = [value - rival[step] for step, value in points if step in rival]
        if len(differences) < self._pairs:
            return None
        if sum(own.values()) / len(own) <= sum(rival.values()) / len(rival):
            return None
        from scipy.stats import wilcoxon  # takes as long as everything else that a search imports

        p = float(wilcoxon(differences, alternative="greater", zero_method="zsplit").pvalue)
        if p >= self._p_threshold:
            return None
        return Prune(f"worse than the best trial on {len(differences)} points (p = {p:.2g})", {"p": p})

    def checks(self, horizon: int) -> Iterable[int]:
        """None: it compares points one by one, and they head nowhere."""
        return ()


def _keep_best(best: list[tuple[float, Curve]], trial: Trial, view: View) -> None:
    if trial.state != "complete" or not trial.curve:
        return
    curve = points_of(trial, view)
    value = sum(value for _, value in curve) / len(curve)
    if not best or value < best[0][0]:
        best[:] = [(value, curve)]
