"""Whether the lowest point of a curve through trials is one: on a plateau, a fit has a lowest point all the same. Pure.

Two ways in which it is none. The better trials may differ by no more than noise: then a polynomial of third degree
explains no more of them than chance would, by the F test at 5 %. Or they lie on a flat bottom between steep sides, on
which a parabola puts its lowest point in the middle whatever is best: a polynomial of fourth degree then bends up at
both sides (nine draws of ten), and the lowest points of its draws are spread over more than a third of the rates.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from hpo.search.report.scaling.regression import coefficients

Array: TypeAlias = NDArray[np.float64]

_CHANCE = 0.05
_STEEP = 0.9
_WIDE = 1 / 3
_GRID = 101
_DRAWS = 1000


def plateau(x: Array, y: Array) -> str:
    """Why trials do not tell their best rate from its neighbours; empty where they do.

    Args:
        x: logarithms of the rates, of shape [trials].
        y: values, lower is better, of shape [trials].
    """
    middle, spread = float(x.mean()), float(x.std())
    u = (x - middle) / spread
    cubic, quartic = (np.stack([u**power for power in range(degree + 1)], axis=1) for degree in (3, 4))
    left, all_of_it = _squares(cubic, y), float(np.square(y - y.mean()).sum())
    freedom = len(y) - cubic.shape[1]
    if left > 0 and fdtrc(3, freedom, (all_of_it - left) / 3 / (left / freedom)) > _CHANCE:
        return _alike(float(x.min()), float(x.max()))
    if np.linalg.matrix_rank(quartic) < quartic.shape[1] or len(y) <= quartic.shape[1]:
        return ""
    _, drawn = coefficients(quartic, y, _DRAWS)
    grid = np.linspace(u.min(), u.max(), _GRID)
    lowest = grid[np.argmin(drawn @ np.stack([grid**power for power in range(5)]), axis=1)]
    low, high = np.quantile(lowest, (0.025, 0.975))
    if float((drawn[:, 4] > 0).mean()) > _STEEP and high - low > _WIDE * float(np.ptp(u)):
        return _alike(middle + spread * float(low), middle + spread * float(high))
    return ""


def _alike(low: float, high: float) -> str:
    return (
        f"from {math.exp(low):.2g} to {math.exp(high):.2g} all are alike within the noise: "
        "take any of them, or tell them apart by more trials there"
    )


def _squares(matrix: Array, y: Array) -> float:
    found = np.linalg.lstsq(matrix, y, rcond=None)[0]
    return float(np.square(y - matrix @ found).sum())
