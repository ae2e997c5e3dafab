"""Values in steps: the double that each index stands for, and the index that a number stands for.

``{float: [0, 0.3], step: 0.1}`` means the decimals 0, 0.1, 0.2 and 0.3, which repeated addition of doubles misses. So
low + index * step is computed on the decimals that the ends and the step are written as, without rounding, and rounded
once to the nearest double.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

_DIVIDES = 1e-9  # of a step: a range that ends so near a step was meant to end on it
_ROUNDED = 0.25  # of a step: the most that rounding is credited with
_MEANT = 1e-6  # of a step: a number so near a value stands for it
_DIGITS = 12  # significant ones: numbers written with no more stand for the value that they round


@dataclass(frozen=True)
class Steps:
    """The values low, low + step, ... up to high, numbered from 0.

    Where the steps end on ``high`` but for rounding, the last value is ``high`` itself: the rounding of doubles, as in
    steps of a third from -1 to 1, which pass through 0, or that of whoever wrote them, as in steps of 0.3333333333.

    >>> [Steps(-0.3, 0.3, 0.1).at(i) for i in (0, 3, 4, 6)]
    [-0.3, 0.0, 0.1, 0.3]
    >>> [Steps(-1.0, 1.0, 1 / 3).at(i) for i in (0, 3, 4, 6)]
    [-1.0, 0.0, 0.3333333333333333, 1.0]

    Args:
        low: the first value, finite.
        high: the end of the range, finite and not below ``low``.
        step: finite and above 0.
    """

    low: float
    high: float
    step: float

    @cached_property
    def _extent(self) -> tuple[int, bool, Fraction]:
        """Number of values, whether the last one is the end of the range, and the step without rounding."""
        step, width = _decimal(self.step), _decimal(self.high) - _decimal(self.low)
        nearest = round(width / step)
        rounding = (math.ulp(self.low) + math.ulp(self.high)) / 2 + nearest * math.ulp(self.step)
        off = abs(width / step - nearest)
        if nearest > 0 and off <= min(rounding / self.step, _ROUNDED):  # a sixth of pi: cut the range itself in six
            return nearest + 1, True, width / nearest
        if nearest > 0 and off <= _DIVIDES:
            return nearest + 1, True, step
        return math.floor(width / step) + 1, False, step

    @cached_property
    def _ratio(self) -> tuple[int, int, int]:
        """Low and step as whole multiples of one over a common denominator."""
        low, step = _decimal(self.low), self._extent[2]
        over = math.lcm(low.denominator, step.denominator)
        return int(low * over), int(step * over), over

    def __len__(self) -> int:
        return self._extent[0]

    def at(self, index: int) -> float:
        """The value with this index, from 0 to the number of values less one."""
        count, ends, _ = self._extent
        if ends and index == count - 1:
            return self.high + 0.0  # never -0.0
        low, step, over = self._ratio
        return (low + index * step) / over

    def nearest(self, value: float) -> int:
        """Index of the nearest value, of two the lower; ValueError for NaN."""
        value = min(max(value, self.low), self.high)
        numerator, denominator = value.as_integer_ratio()
        low, step, over = self._ratio
        last = self._extent[0] - 1
        guess = round(Fraction(numerator * over - low * denominator, step * denominator))
        near = range(max(min(guess, last) - 1, 0), min(guess + 1, last) + 1)  # rounding may have moved a value
        return min(near, key=lambda index: abs(self.at(index) - value))

    def index(self, value: float) -> int:
        """Index of the value that a number stands for: itself but for rounding, or rounded to 12 digits.

        >>> Steps(0.0, 1.0, 1 / 3).index(0.333333333333)
        1

        Raises:
            ValueError: it stands for none.
        """
        reach = self.step + 10.0 ** (1 - _DIGITS) * max(abs(self.low), abs(self.high))
        if self.low - reach <= value <= self.high + reach:
            index = self.nearest(value)
            known = self.at(index)
            if abs(value - known) <= _MEANT * self.step or value == float(f"{known:.{_DIGITS}g}"):
                return index
        raise ValueError(f"{value!r} is none of the steps of {self.step!r} from {self.low!r} to {self.high!r}")

    @cached_property
    def distinct(self) -> bool:
        """Whether any two values differ; huge numbers may be further apart than the step.

        >>> Steps(0.0, 1.0, 0.25).distinct, Steps(1e16, 1e16 + 10, 0.5).distinct
        (True, False)
        """
        spacing = math.ulp(max(abs(self.low), abs(self.high)))
        if self.step >= 2 * spacing:
            return True
        return all(self.at(i) < self.at(i + 1) for i in range(len(self) - 1))

    @cached_property
    def decimal(self) -> bool:
        """Whether low + index * step in doubles is every value but for 1e-9 of a step, the last one included."""
        last = self.at(len(self) - 1)
        whole = (_decimal(last) - _decimal(self.low)) % _decimal(self.step) == 0
        return whole and self.step * 1e-9 > math.ulp(max(abs(self.low), abs(last)))


def _decimal(value: float) -> Fraction:
    """The shortest decimal that is read as this double."""
    return Fraction(repr(float(value)))
