"""The space a study searches: floats, integers and choices, some only under a condition.

Pure: no optuna, no I/O. A point of the space is a dict from knob name to value that holds exactly the
parameters active at it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = "str | int | float | bool | None"

_DECADES = 1000.0  # ratio of the ends
_OTHER = float("nan")  # stands for every value that no condition names: it equals none


@dataclass(frozen=True)
class Float:
    """Real numbers in [low, high], on a log scale or in steps from ``low`` if asked."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def count(self) -> int | None:
        """Number of values when there is a step, else None."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def grid(self) -> Sequence[Scalar] | None:
        """All values when there is a step, else None."""
        count = self.count()
        return None if count is None else tuple(self._at(i) for i in range(count))

    def _at(self, i: int) -> float:
        value = float(f"{self.low + i * (self.step or 0.0):.12g}") if i else self.low
        return min(max(value, self.low), self.high)

    def from_unit(self, u: float) -> Scalar:
        """Map u in [0, 1) to a value."""
        count = self.count()
        if count is not None:
            return self._at(min(int(u * count), count - 1))
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
        return (value - self.low) / (self.high - self.low)

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        nearest = self._at(min(round((value - self.low) / self.step), (self.count() or 1) - 1))
        return math.isclose(value, nearest, rel_tol=1e-9, abs_tol=1e-6 * self.step)


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

    def grid(self) -> Sequence[Scalar]:
        """All values in order."""
        return range(self.low, self.high + 1, self.step)

    def from_unit(self, u: float) -> Scalar:
        """Map u in [0, 1) to a value; each integer owns an equal share (of the log scale, if log)."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), self.low), self.high)
        return self.low + min(int(u * self.count()), self.count() - 1) * self.step

    def to_unit(self, value: Scalar) -> float:
        """Map a value to the middle of its share of [0, 1]."""
        assert isinstance(value, (int, float))
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(value) - low) / (high - low)
        return ((value - self.low) / self.step + 0.5) / self.count()

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        return value == int(value) and (int(value) - self.low) % self.step == 0


@dataclass(frozen=True)
class Choice:
    """One of the listed values, without order."""

    values: tuple[Scalar, ...]

    def count(self) -> int:
        """Number of values."""
        return len(self.values)

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

    def contains(self, value: Scalar) -> bool:
        """Whether the value can be drawn."""
        return any(known == value and isinstance(known, bool) == isinstance(value, bool) for known in self.values)


Domain: TypeAlias = "Float | Int | Choice"


def spans_decades(domain: Domain) -> bool:
    """Whether an even range without steps is so wide, three decades or more, that it may have been meant by decades.

    >>> [spans_decades(Float(1e-5, 0.1)), spans_decades(Float(1e-5, 0.1, log=True)), spans_decades(Float(0.0, 0.5))]
    [True, False, False]
    """
    if isinstance(domain, Choice) or domain.log or domain.step not in (None, 1) or domain.low <= 0:
        return False
    return domain.high / domain.low >= _DECADES


@dataclass(frozen=True)
class Parameter:
    """A knob that may vary; active only where every knob named in ``when`` has one of the listed values."""

    name: str
    domain: Domain
    when: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()

    def active(self, values: Mapping[str, Scalar]) -> bool:
        """Whether this parameter exists at a point whose earlier values are given."""
        return all(name in values and Choice(allowed).contains(values[name]) for name, allowed in self.when)


@dataclass(frozen=True)
class Space:
    """What may vary, in an order in which conditions come before what they govern."""

    parameters: tuple[Parameter, ...]

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def names(self) -> tuple[str, ...]:
        """All knob names, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def from_unit(self, u: Sequence[float], fixed: Mapping[str, Scalar] | None = None) -> dict[str, Scalar]:
        """Map a point of the unit cube, one coordinate per parameter, to a point of the space.

        Coordinates of parameters that are not active there are ignored. ``fixed`` holds the fixed knobs that
        conditions may refer to.

        >>> Space((Parameter("x", Float(0.0, 10.0)),)).from_unit([0.25])
        {'x': 2.5}
        """
        point: dict[str, Scalar] = {}
        for parameter, coordinate in zip(self.parameters, u, strict=True):
            if parameter.active({**(fixed or {}), **point}):
                point[parameter.name] = parameter.domain.from_unit(coordinate)
        return point

    def contains(self, point: Mapping[str, Scalar], fixed: Mapping[str, Scalar] | None = None) -> bool:
        """Whether the point holds exactly the active parameters, each with a value that can be drawn."""
        known = {**(fixed or {}), **point}
        active = [parameter for parameter in self.parameters if parameter.active(known)]
        return {parameter.name for parameter in active} == set(point) and all(
            parameter.domain.contains(point[parameter.name]) for parameter in active
        )

    def size(self, fixed: Mapping[str, Scalar] | None = None, limit: int = 1_000_000) -> int | None:
        """Number of points, None when infinite or above ``limit``.

        >>> Space((Parameter("a", Choice((1, 2))), Parameter("b", Int(0, 2), when=(("a", (2,)),)))).size()
        4
        """
        if any(parameter.domain.count() is None for parameter in self.parameters):
            return None
        named: dict[str, list[Scalar]] = {}
        for parameter in self.parameters:
            for name, values in parameter.when:
                listed = named.setdefault(name, [])
                for value in values:
                    if not Choice(tuple(listed)).contains(value):
                        listed.append(value)
        count = _count(self.parameters, named, dict(fixed or {}), limit)
        return count if count <= limit else None

    def points(self, fixed: Mapping[str, Scalar] | None = None) -> Iterator[dict[str, Scalar]]:
        """Every point of a finite space once, in order; ValueError when a range has no step."""

        def extend(point: dict[str, Scalar], rest: tuple[Parameter, ...]) -> Iterator[dict[str, Scalar]]:
            if not rest:
                yield point
                return
            parameter, *later = rest
            if not parameter.active({**(fixed or {}), **point}):
                yield from extend(point, tuple(later))
                return
            values = parameter.domain.grid()
            if values is None:
                raise ValueError(f"{parameter.name} is a continuous range without a step")
            for value in values:
                yield from extend({**point, parameter.name: value}, tuple(later))

        yield from extend({}, self.parameters)


def _count(rest: tuple[Parameter, ...], named: Mapping[str, list[Scalar]], known: dict[str, Scalar], limit: int) -> int:
    """Number of points, exact up to ``limit``: values that no condition names are counted at once."""
    total = 1
    for i, parameter in enumerate(rest):
        if not parameter.active(known):
            continue
        values = parameter.domain.count() or 0
        if parameter.name not in named:
            total *= values
            continue
        telling = [value for value in named[parameter.name] if parameter.domain.contains(value)]
        found = 0
        for value in [*telling, _OTHER] if values > len(telling) else telling:
            share = values - len(telling) if value is _OTHER else 1
            found += share * _count(rest[i + 1 :], named, {**known, parameter.name: value}, limit)
            if found > limit:
                break
        return total * found
    return total
