"""Recipes as coordinates: numbers by their place on their ``scale``, choices by identity, inactive knobs apart.

Each parameter owns a group of columns. Two recipes differ by at most 1 in each group: numbers by the distance on
the unit interval, unequal choices by 1, an active and an inactive knob by at least 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.scale import coordinate
from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.space import Parameter, Space

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_UNEQUAL = 0.5**0.5  # so that two unequal choices are at distance 1
_INACTIVE = 0.5


class Encoding:
    """Maps points of a space to rows of coordinates; ``groups[c]`` is the parameter that column c belongs to.

    Args:
        space: what is searched.
        fixed: the other knobs, which conditions may refer to.
    """

    def __init__(self, space: Space, fixed: Mapping[str, Any]) -> None:
        self.space, self.fixed = space, fixed
        self._column: dict[str, int] = {}
        groups: list[int] = []
        for i, parameter in enumerate(space):
            self._column[parameter.name] = len(groups)
            groups += [i] * (_width(parameter.domain) + bool(parameter.when))
        self.groups = np.array(groups, dtype=np.int64)

    def units(self, points: Sequence[Mapping[str, Scalar]]) -> Array:
        """Places of the points in the unit cube, [points, parameters]; NaN where a knob is missing or unknown."""
        units = np.full((len(points), len(self.space)), np.nan)
        for row, point in zip(units, points, strict=True):
            for i, parameter in enumerate(self.space):
                value = point.get(parameter.name)
                if parameter.name in point and _placeable(parameter.domain, value):
                    row[i] = min(max(parameter.domain.to_unit(value), 0.0), 1.0)
        return units

    def rows(self, units: Array) -> Array:
        """Coordinates of points of the unit cube, [points, columns], as of the points that they stand for.

        NaN is an inactive knob; so is one whose condition the point does not meet.
        """
        rows = np.zeros((len(units), len(self.groups)))
        for i, parameter in enumerate(self.space):
            column, domain = self._column[parameter.name], parameter.domain
            active = ~np.isnan(units[:, i]) & self._active(parameter, units)
            u = np.where(active, units[:, i], _INACTIVE)
            if isinstance(domain, Choice):
                place = np.minimum((u * len(domain.values)).astype(np.int64), len(domain.values) - 1)
                rows[np.flatnonzero(active), column + place[active]] = _UNEQUAL
            else:
                rows[:, column] = np.where(active, coordinate(domain, _snapped(domain, u)), _INACTIVE)
            if parameter.when:
                rows[:, column + _width(domain)] = np.where(active, 0.0, _INACTIVE)
        return rows

    def encode(self, points: Sequence[Mapping[str, Scalar]]) -> Array:
        """Coordinates of points of the space."""
        return self.rows(self.units(points))

    def _active(self, parameter: Parameter, units: Array) -> Mask:
        """Where the conditions of a parameter are met."""
        active = np.ones(len(units), dtype=bool)
        names = self.space.names()
        for name, allowed in parameter.when:
            known = Choice(allowed)
            if name not in names:
                active &= name in self.fixed and known.contains(self.fixed[name])
                continue
            governing, place = self.space[name], units[:, names.index(name)]
            met = [not np.isnan(u) and known.contains(governing.domain.from_unit(float(u))) for u in place]
            active &= np.array(met, dtype=bool) & self._active(governing, units)
        return active


def _width(domain: Domain) -> int:
    return len(domain.values) if isinstance(domain, Choice) else 1


def _placeable(domain: Domain, value: Scalar) -> bool:
    """Whether a value, maybe one of an earlier study with other ranges, has a place."""
    if isinstance(domain, Choice):
        return domain.contains(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and (value > 0 or not domain.log)


def _snapped(domain: Int | Float, u: Array) -> Array:
    """Place of the value that each u stands for."""
    if isinstance(domain, Int) and domain.log:
        low, high = np.log(domain.low - 0.5), np.log(domain.high + 0.5)
        value = np.clip(np.round(np.exp(low + u * (high - low))), domain.low, domain.high)
        place: Array = (np.log(value) - low) / (high - low)
        return place
    count = domain.count()
    if count is None or count == 1:
        return u
    index = np.minimum(np.floor(u * count), count - 1)
    even: Array = (index + 0.5) / count if isinstance(domain, Int) else index / (count - 1)
    return even
