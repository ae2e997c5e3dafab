"""How far the mean of a few runs may lie from the truth, where only recipes that spread alike are thrown together.

Two runs alone say little about their own spread: t(0.975, 1) is 12.7. So a finalist with few runs borrows from those
whose spreads agree with its own (F-test at 5 %): with K of them mean +- t(0.975, K (n - 1)) s / sqrt(n), where s is
their pooled deviation. One that exploded says nothing about one that did not.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.search.terms.value import Tally

ENOUGH = 5
"""Runs of a recipe that suffice to tell its own spread."""

_LEVEL = 0.05


def average(values: Sequence[float]) -> float:
    """Mean of finite values, finite itself."""
    return Tally.of(values, maximize=False).average


def half_width(own: Sequence[float], others: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Half the width of the 95 % interval of the mean of a recipe's runs.

    Args:
        own: values of its runs.
        others: those of other recipes, any of which may have none.

    Returns:
        The half width, and of how many recipes the spread was estimated; None where no spread can be told, or where it
        is beyond what a number holds.
    """
    from scipy.special import stdtrit

    mine = _Spread.of(own)
    rivals = [_Spread.of(group) for group in others] if len(own) < ENOUGH else []
    alike = [mine, *(rival for rival in rivals if rival.dof and mine.agrees(rival))]
    dof = sum(spread.dof for spread in alike)
    if not dof:
        return None
    largest = max(spread.deviation for spread in alike) or 1.0
    shares = sum(spread.dof * (spread.deviation / largest) ** 2 for spread in alike)
    width = float(stdtrit(dof, 1 - _LEVEL / 2)) * math.sqrt(shares / dof / len(own)) * largest
    return (width, sum(spread.dof > 0 for spread in alike)) if math.isfinite(width) else None


@dataclass(frozen=True)
class _Spread:
    """How a recipe's runs spread: their standard deviation with its degrees of freedom, and the size of their mean."""

    deviation: float
    dof: int
    size: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Spread:
        """Of the values of a recipe's runs; squares are taken in units of the largest, so that none overflows."""
        scale = max(map(abs, values), default=0.0) or 1.0
        scaled = [value / scale for value in values]
        mean, dof = sum(scaled) / len(scaled) if scaled else 0.0, max(0, len(scaled) - 1)
        squares = sum((value - mean) ** 2 for value in scaled)
        return cls(min(scale * math.sqrt(squares / max(1, dof)), sys.float_info.max), dof, scale * abs(mean))

    def agrees(self, other: _Spread) -> bool:
        """Whether both may have the same variance.

        Runs that came out equal may do so by chance where a metric has few values: then the other's deviation must not
        be larger than what they measured.
        """
        from scipy.special import fdtri

        if not self.dof:
            return True
        small, large = sorted([(self.deviation, self.dof), (other.deviation, other.dof)])
        if not small[0]:
            return large[0] <= min(self.size, other.size)
        return bool(large[0] / small[0] <= math.sqrt(fdtri(large[1], small[1], 1 - _LEVEL / 2)))
