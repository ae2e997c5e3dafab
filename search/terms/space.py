"""The space a study searches: floats, integers and choices, some only under a condition.

Pure: no optuna, no I/O. A point of the space is a dict from knob name to value that holds exactly the
parameters active at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hpo.search.terms.domain import Choice, Domain, Float, Scalar

_GOLDEN = 0.6180339887498949
_OTHER = float("nan")  # stands for every value that no condition names: it equals none


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
    """What may vary, in an order in which conditions come before what they govern.

    Conditions name values as their domains have them, 0.3 for 0.1 + 0.2 in steps of 0.1.
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        domains = {parameter.name: parameter.domain for parameter in self.parameters}
        settled = []
        for parameter in self.parameters:
            when = tuple(
                (name, tuple(_settled(domains[name], value) for value in values) if name in domains else values)
                for name, values in parameter.when
            )
            settled.append(replace(parameter, when=when))
        object.__setattr__(self, "parameters", tuple(settled))

    @cached_property
    def text(self) -> str:
        """The same for spaces that are the same, and for no others: True and 1 are different values."""
        return repr(self)

    @cached_property
    def rounds(self) -> bool:
        """Whether a value of some knob may stand for another: a float in steps has neighbours that mean the same."""
        return any(isinstance(p.domain, Float) and p.domain.step is not None for p in self.parameters)

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

        >>> from hpo.search.terms.domain import Float
        >>> Space((Parameter("x", Float(0.0, 10.0)),)).from_unit([0.25])
        {'x': 2.5}
        """
        point: dict[str, Scalar] = {}
        known = dict(fixed or {})
        for parameter, coordinate in zip(self.parameters, u, strict=True):
            if parameter.active(known):
                point[parameter.name] = known[parameter.name] = parameter.domain.from_unit(coordinate)
        return point

    def point_of(
        self, values: Mapping[str, Scalar], fixed: Mapping[str, Scalar] | None = None
    ) -> dict[str, Scalar] | None:
        """The point that these values stand for, each as its domain has it; names that are not active are left out.

        None when an active one is missing, or its value cannot be drawn.

        >>> from hpo.search.terms.domain import Float
        >>> Space((Parameter("x", Float(0.0, 1.0, step=0.1)),)).point_of({"x": 0.1 + 0.2, "y": 1})
        {'x': 0.3}
        """
        point: dict[str, Scalar] = {}
        known = dict(fixed or {})
        for parameter in self.parameters:
            name, domain = parameter.name, parameter.domain
            if not parameter.active(known):
                continue
            if name not in values or not domain.contains(values[name]):
                return None
            point[name] = known[name] = domain.nearest(values[name])
        return point

    def spread(self, count: int, fixed: Mapping[str, Scalar] | None = None) -> Iterator[dict[str, Scalar]]:
        """Points spread over all knobs at once, so that no two knobs go together; the same ones each time.

        >>> from hpo.search.terms.domain import Choice, Float
        >>> list(Space((Parameter("x", Float(0.0, 1.0)), Parameter("y", Choice((1, 2))))).spread(2))
        [{'x': 0.0, 'y': 1}, {'x': 0.6180339887498949, 'y': 1}]
        """
        for turn in range(count):
            yield self.from_unit([turn * _GOLDEN * (place + 1) % 1 for place in range(len(self))], fixed)

    def contains(self, point: Mapping[str, Scalar], fixed: Mapping[str, Scalar] | None = None) -> bool:
        """Whether the point holds exactly the active parameters, each with a value that can be drawn."""
        found = self.point_of(point, fixed)
        return found is not None and found.keys() == point.keys()

    def size(self, fixed: Mapping[str, Scalar] | None = None, limit: int = 1_000_000) -> int | None:
        """Number of points, None when infinite or above ``limit``.

        >>> from hpo.search.terms.domain import Choice, Int
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
            count = parameter.domain.count()
            if count is None:
                raise ValueError(f"{parameter.name} is a continuous range without a step")
            for i in range(count):
                yield from extend({**point, parameter.name: parameter.domain.at(i)}, tuple(later))

        yield from extend({}, self.parameters)


def _settled(domain: Domain, value: Scalar) -> Scalar:
    return domain.nearest(value) if domain.contains(value) else value


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
