"""What a knob may be: a float or an integer in a range, evenly, by decades or in steps, or one of some choices.

Pure: no optuna, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from hpo.search.terms.steps import Steps

Scalar: TypeAlias = "str | int | float | bool | None"

_DECADES = 1000.0  # ratio of the ends
_LONG = 100_000


@dataclass(frozen=True)
class Float:
    """Real numbers in [low, high], on a log scale or in steps from ``low`` if asked."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @cached_property
    def steps(self) -> Steps | None:
        """The values by index when there is a step, else None."""
        return None if self.step is None else Steps(float(self.low), float(self.high), float(self.step))

    def count(self) -> int | None:
        """Number of values when there is a step, else None."""
        if self.steps is None:
            return 1 if self.low == self.high else None
        return len(self.steps)

    @property
    def long(self) -> bool:
        """Whether there are so many steps that they are searched as a continuous range, and rounded."""
        return (self.count() or 0) > _LONG

    def at(self, index: int) -> float:
        """The value with this index, of those that ``count`` counts."""
        return self.low if self.steps is None else self.steps.at(index)

    def grid(self) -> Sequence[Scalar] | None:
        """All values when there is a step, else None."""
        count = self.count()
        return None if count is None else tuple(self.at(i) for i in range(count))

    def from_unit(self, u: float) -> Scalar:
        """Map u in [0, 1) to a value."""
        count = self.count()
        if count is not None:
            return self.at(min(int(u * count), count - 1))
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Scalar) -> float:
        """Map a value to its place in [0, 1]."""
        assert isinstance(value, (int, float))
        if self.high == self.low:
            return 0.5
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        if self.steps is not None:
            with suppress(ValueError):
                return self.steps.index(value) / max(len(self.steps) - 1, 1)
        return (value - self.low) / (self.high - self.low)

    def index(self, value: Scalar) -> int:
        """Index of a value of a range in steps; ValueError when it is none."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} is not a number")
        if self.steps is not None:
            return self.steps.index(value)
        if self.low == value == self.high:
            return 0
        raise ValueError(f"{value!r} has no index: the range has no steps")

    def nearest(self, value: Scalar) -> Scalar:
        """The nearest value as plain Python data, of two the lower."""
        assert isinstance(value, (int, float))
        if self.steps is None:
            return min(max(float(value), self.low), self.high)
        return self.steps.at(self.steps.nearest(value))

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn; of a range in steps also whether it stands for one that can."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return self.low <= value <= self.high if self.steps is None else _indexed(self, value)


@dataclass(frozen=True)
class Int:
    """Whole numbers in [low, high], on a log scale or in steps from ``low`` if asked."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def count(self) -> int:
        """Number of values."""
        return (self.high - self.low) // self.step + 1

    @property
    def long(self) -> bool:
        """Whether there are so many values that they are searched as a continuous range, and rounded."""
        return self.count() > _LONG

    def at(self, index: int) -> int:
        """The value with this index."""
        return self.low + index * self.step

    def grid(self) -> Sequence[Scalar]:
        """All values in order."""
        return range(self.low, self.high + 1, self.step)

    def from_unit(self, u: float) -> Scalar:
        """Map u in [0, 1) to a value; each integer owns an equal share (of the log scale, if log)."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), self.low), self.high)
        return self.at(min(int(u * self.count()), self.count() - 1))

    def to_unit(self, value: Scalar) -> float:
        """Map a value to the middle of its share of [0, 1]."""
        assert isinstance(value, (int, float))
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(value) - low) / (high - low)
        return ((value - self.low) / self.step + 0.5) / self.count()

    def index(self, value: Scalar) -> int:
        """Index of a value; ValueError when it is none."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is no number from {self.low} to {self.high}")
        index, rest = divmod(int(value) - self.low, self.step)
        if value != int(value) or rest:
            raise ValueError(f"{value!r} is none of the steps of {self.step} from {self.low}")
        return index

    def nearest(self, value: Scalar) -> Scalar:
        """The nearest value, of two the lower."""
        assert isinstance(value, (int, float))
        steps = (Fraction(value) - self.low) / self.step  # whatever the size, without rounding
        return self.at(min(max(math.ceil(steps - Fraction(1, 2)), 0), self.count() - 1))

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return _indexed(self, value)


@dataclass(frozen=True)
class Choice:
    """One of the listed values, without order."""

    values: tuple[Scalar, ...]

    def count(self) -> int:
        """Number of values."""
        return len(self.values)

    def at(self, index: int) -> Scalar:
        """The value with this index."""
        return self.values[index]

    def grid(self) -> Sequence[Scalar]:
        """All values in the order listed."""
        return self.values

    def from_unit(self, u: float) -> Scalar:
        """Map u in [0, 1) to a value, each with an equal share."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def to_unit(self, value: Scalar) -> float:
        """Map a value to the middle of its share of [0, 1]."""
        return (self.index(value) + 0.5) / len(self.values)

    def index(self, value: Scalar) -> int:
        """Place of a value in the list; True and 1 are different values."""
        for i, known in enumerate(self.values):
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                return i
        raise ValueError(f"{value!r} is not one of {self.values}")

    def nearest(self, value: Scalar) -> Scalar:
        """The value as it is listed; ValueError when it is not."""
        return self.values[self.index(value)]

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return _indexed(self, value)


Domain: TypeAlias = "Float | Int | Choice"


def _indexed(domain: Domain, value: Scalar) -> bool:
    try:
        domain.index(value)
    except ValueError:
        return False
    return True


def spans_decades(domain: Domain) -> bool:
    """Whether an even range without steps is so wide, three decades or more, that it may have been meant by decades.

    >>> [spans_decades(Float(1e-5, 0.1)), spans_decades(Float(1e-5, 0.1, log=True)), spans_decades(Float(0.0, 0.5))]
    [True, False, False]
    """
    if isinstance(domain, Choice) or domain.log or domain.step not in (None, 1) or domain.low <= 0:
        return False
    return domain.high / domain.low >= _DECADES
