"""Stop trials by what their points are: one pruner for learning curves, another for repeated measurements.

What it does: asks the pruner ``folds`` where the trial's value is the mean of its points (folds of a cross-validation,
or a goal that says ``mean``), and the pruner ``curves`` where it is its best or its last point.
When to use it: the default, with ``hedged`` for curves and ``wilcoxon`` for folds: early points of a curve may say
where it goes, while folds differ from one another by more than recipes do and are compared in pairs.
Options: ``curves`` = none, ``folds`` = none; without one such trials go on.
Cost: that of the two.
Reference: none.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpo.search.contracts.policy import Continue, View
from hpo.search.contracts.pruner import Answer, Pruner, PrunerContext

REQUIRES = ("one goal",)


def make(context: PrunerContext, *, curves: Pruner | None = None, folds: Pruner | None = None) -> Pruner:
    """Make the pruner."""
    return _ByPoints(curves, folds)


class _ByPoints(Pruner):
    def __init__(self, curves: Pruner | None, folds: Pruner | None) -> None:
        self._curves, self._folds = curves, folds

    def judge(self, view: View, number: int) -> Answer:
        """Ask the one for such points."""
        pruner = self._folds if view.trials[number].aggregate == "mean" else self._curves
        return pruner.judge(view, number) if pruner is not None else Continue()

    def checks(self, horizon: int) -> Iterable[int]:
        """Those of the one for curves; where a fold is heading says nothing."""
        return self._curves.checks(horizon) if self._curves is not None else ()
