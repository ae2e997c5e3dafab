"""Successive halving among paused trials: who trains on when only ranks count, whatever the model believes.

Rungs are 1, 3, 9, ... steps; of the trials that have reached a rung, the best third goes on to the next. Ranks know no
scale, so this works where a model of the values is misled: on plateaus, and where first points say little.
Reference: Li et al., A system for massively parallel hyperparameter tuning (ASHA), MLSys 2020.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.history import History

Array = NDArray[np.float64]

_REDUCTION = 3


def promoted(history: History, steps: Array, free: NDArray[np.bool_], luck: Array) -> int | None:
    """Place of the trial to train on, the one on the highest rung; None when every rung has its third.

    Args:
        history: the trials' points, smaller is better.
        steps: steps that each trial has done, [trials].
        free: which can be trained now, [trials].
        luck: added to each trial's value before ranking, [trials]: on the order of the values' noise it leaves real
            differences alone and draws lots among trials that differ by less.
    """
    finite = np.where(np.isfinite(history.values), history.values, np.inf)
    for exponent in reversed(range(1 + int(np.emath.logn(_REDUCTION, max(steps.max(), 1.0)) + 1e-9))):
        rung = _REDUCTION**exponent
        bests = np.minimum.reduceat(np.where(history.steps <= rung, finite, np.inf), history.starts)
        there = np.flatnonzero(steps >= rung)
        ranked = there[np.argsort((bests + luck)[there], kind="stable")][: there.size // _REDUCTION]
        waiting = ranked[free[ranked] & (steps[ranked] < rung * _REDUCTION)]
        if waiting.size:
            return int(waiting[0])
    return None
