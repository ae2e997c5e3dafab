"""Successive halving among paused trials: who trains on when only ranks count.

Rungs are 1, 3, 9, ... steps; of the trials that have reached a rung, the best third goes on to the next. What is
ranked is for the caller to say: ranked by value, trials that have gone flat go on and on while nothing is better.
Reference: Li et al., A system for massively parallel hyperparameter tuning (ASHA), MLSys 2020.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_REDUCTION = 3


def promoted(
    steps: Array | Index, free: NDArray[np.bool_], luck: Array, worth: Callable[[Index, int], Array]
) -> int | None:
    """Place of the trial to train on, the one on the highest rung; None when every rung has its third.

    Args:
        steps: steps that each trial has done, [trials].
        free: which can be trained now, [trials].
        luck: added to each trial's worth before ranking, [trials]: on the order of the values' noise it leaves real
            differences alone and draws lots among trials that differ by less.
        worth: of the trials at the given places, all of which have reached the given rung, judged by their points up
            to there; smaller is better.
    """
    rung = rung_below(int(steps.max()))
    while rung:
        waiting = np.flatnonzero(free & (steps >= rung) & (steps < rung * _REDUCTION))
        if waiting.size:
            there = np.flatnonzero(steps >= rung)
            scores = worth(there, rung) + luck[there]
            places = np.searchsorted(there, waiting)
            first = places[np.argmin(scores[places])]  # of equals the first
            ahead = np.count_nonzero(scores < scores[first]) + np.count_nonzero(scores[:first] == scores[first])
            if ahead < there.size // _REDUCTION:
                return int(there[first])
        rung //= _REDUCTION
    return None


def rung_below(steps: int) -> int:
    """The last rung that a trial of so many steps has reached.

    >>> [rung_below(steps) for steps in (0, 1, 2, 3, 8, 9, 80)]
    [1, 1, 1, 3, 3, 9, 27]
    """
    rung = 1
    while rung * _REDUCTION <= steps:
        rung *= _REDUCTION
    return rung


def rungs(steps: int) -> list[int]:
    """The rungs that a trial of so many steps has reached.

    >>> [rungs(steps) for steps in (0, 1, 8, 9)]
    [[], [1], [1, 3], [1, 3, 9]]
    """
    reached = []
    rung = 1
    while rung <= steps:
        reached.append(rung)
        rung *= _REDUCTION
    return reached
