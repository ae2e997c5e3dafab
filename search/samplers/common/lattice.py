"""The points of a finite space by number, without listing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hpo.search.terms.domain import Scalar
from hpo.search.terms.space import Space

_Known: TypeAlias = dict[str, Scalar]


class Lattice:
    """Numbers the points of a finite space from 0, in the order of ``Space.points``.

    >>> from hpo.search.terms.domain import Choice, Int
    >>> from hpo.search.terms.space import Parameter
    >>> lattice = Lattice(Space((Parameter("a", Choice((1, 2))), Parameter("b", Int(0, 2), when=(("a", (2,)),)))), {})
    >>> lattice.size, lattice.point(3), lattice.number({"a": 2, "b": 2})
    (4, {'a': 2, 'b': 2}, 3)

    Args:
        space: every range has a step.
        fixed: the other knobs, which conditions may refer to.
    """

    def __init__(self, space: Space, fixed: Mapping[str, Scalar]) -> None:
        self._parameters = tuple(space)
        self._lengths = [parameter.domain.count() or 0 for parameter in space]
        governing = {name for parameter in space for name, _ in parameter.when}
        self._fixed: _Known = {name: value for name, value in fixed.items() if name in governing}
        self._governing = [name for name in space.names() if name in governing]
        self._stretches = [list(self._split(i)) for i in range(len(self._parameters))]
        self._counts: dict[tuple[object, ...], int] = {}
        self.size = self._count(0, dict(self._fixed))

    def point(self, number: int) -> dict[str, Scalar]:
        """The point with this number."""
        known, point = dict(self._fixed), {}
        for i, parameter in enumerate(self._parameters):
            name, domain = parameter.name, parameter.domain
            if not parameter.active(known):
                continue
            for start, length in self._stretches[i]:
                known[name] = domain.at(start)
                below = self._count(i + 1, known)
                if number < length * below:
                    place, number = divmod(number, below)
                    known[name] = point[name] = domain.at(start + place)
                    break
                number -= length * below
        return point

    def number(self, point: Mapping[str, Scalar]) -> int | None:
        """The point's number, None when it is not one of the space's."""
        known, number = dict(self._fixed), 0
        for i, parameter in enumerate(self._parameters):
            name, domain = parameter.name, parameter.domain
            if parameter.active(known) != (name in point):
                return None
            if name not in point:
                continue
            if not domain.contains(point[name]):
                return None
            place = domain.index(point[name])
            for start, length in self._stretches[i]:
                known[name] = domain.at(start)
                number += min(max(place - start, 0), length) * self._count(i + 1, known)
            known[name] = domain.at(place)
        return number

    def _split(self, i: int) -> Iterator[tuple[int, int]]:
        """First index and length of the stretches of a knob's values that no condition tells apart, in order."""
        name, domain, length = self._parameters[i].name, self._parameters[i].domain, self._lengths[i]
        named = [value for later in self._parameters for by, values in later.when if by == name for value in values]
        start = 0
        for place in sorted({domain.index(value) for value in named if domain.contains(value)}):
            yield from ((first, many) for first, many in ((start, place - start), (place, 1)) if many)
            start = place + 1
        if start < length:
            yield start, length - start

    def _count(self, i: int, known: _Known) -> int:
        """Number of ways to go on from parameter i."""
        if i == len(self._parameters):
            return 1
        # Values equal to one another, such as True and 1, make different conditions hold.
        key = (i, *((type(known[name]), known[name]) for name in self._governing if name in known))
        if key not in self._counts:
            parameter = self._parameters[i]
            name, domain = parameter.name, parameter.domain
            if parameter.active(known):
                self._counts[key] = sum(
                    length * self._count(i + 1, {**known, name: domain.at(start)})
                    for start, length in self._stretches[i]
                )
            else:
                self._counts[key] = self._count(i + 1, known)
        return self._counts[key]
