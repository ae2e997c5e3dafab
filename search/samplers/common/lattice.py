"""The points of a finite space by number, without listing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from hpo.search.terms.space import Choice, Domain, Scalar, Space

_Known: TypeAlias = dict[str, Scalar]


class Lattice:
    """Numbers the points of a finite space from 0, in the order of ``Space.points``.

    >>> from hpo.search.terms.space import Int, Parameter
    >>> lattice = Lattice(Space((Parameter("a", Choice((1, 2))), Parameter("b", Int(0, 2), when=(("a", (2,)),)))), {})
    >>> lattice.size, lattice.point(3), lattice.number({"a": 2, "b": 2})
    (4, {'a': 2, 'b': 2}, 3)

    Args:
        space: every range has a step.
        fixed: the other knobs, which conditions may refer to.
    """

    def __init__(self, space: Space, fixed: Mapping[str, Scalar]) -> None:
        self._parameters = tuple(space)
        self._values = [parameter.domain.grid() or () for parameter in space]
        governing = {name for parameter in space for name, _ in parameter.when}
        self._fixed: _Known = {name: value for name, value in fixed.items() if name in governing}
        self._governing = [name for name in space.names() if name in governing]
        self._counts: dict[tuple[object, ...], int] = {}
        self.size = self._count(0, dict(self._fixed))

    def point(self, number: int) -> dict[str, Scalar]:
        """The point with this number."""
        known, point = dict(self._fixed), {}
        for i, parameter in enumerate(self._parameters):
            if not parameter.active(known):
                continue
            for value in self._values[i] if parameter.name in self._governing else ():
                known[parameter.name] = point[parameter.name] = value
                below = self._count(i + 1, known)
                if number < below:
                    break
                number -= below
            if parameter.name not in self._governing:
                place, number = divmod(number, self._count(i + 1, known))
                point[parameter.name] = self._values[i][place]
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
            value = point[name]
            if isinstance(value, float):
                value = float(f"{value:.12g}")  # as the grid's values are written: 0.1 + 0.2 is 0.3
            if not domain.contains(value):
                return None
            place = _place(domain, value)
            if name in self._governing:
                for earlier in self._values[i][:place]:
                    known[name] = earlier
                    number += self._count(i + 1, known)
                known[name] = self._values[i][place]
            else:
                number += place * self._count(i + 1, known)
        return number

    def _count(self, i: int, known: _Known) -> int:
        """Number of ways to go on from parameter i."""
        if i == len(self._parameters):
            return 1
        # Values equal to one another, such as True and 1, make different conditions hold.
        key = (i, *((type(known[name]), known[name]) for name in self._governing if name in known))
        if key not in self._counts:
            parameter = self._parameters[i]
            if not parameter.active(known):
                count = self._count(i + 1, known)
            elif parameter.name in self._governing:
                count = sum(self._count(i + 1, {**known, parameter.name: value}) for value in self._values[i])
            else:
                count = len(self._values[i]) * self._count(i + 1, known)
            self._counts[key] = count
        return self._counts[key]


def _place(domain: Domain, value: Scalar) -> int:
    if isinstance(domain, Choice):
        return domain.index(value)
    assert isinstance(value, (int, float))
    return round((value - domain.low) / (domain.step or 1))
