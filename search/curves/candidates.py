"""Recipes to consider next, as points of the unit cube: an even spread over it, and variations of good ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.scale import coordinate, place
from hpo.search.terms.domain import Choice, Domain
from hpo.search.terms.space import Space

Array = NDArray[np.float64]

_MOVED = 0.7  # chance that a variation changes a given knob
_SWAPPED = 0.3  # chance that a choice which is to change does
_WIDTHS = (0.03, 0.3)  # of variations: from slight to bold
_GUESS = 0.3  # width around the user's guess in which half of the first recipes lie
_DOUBT = 0.25  # standard deviation of the user's guess


class Candidates:
    """Draws points of the unit cube of a space, evenly in the coordinates of ``scale``.

    Args:
        space: what is searched.
        guess: place of the user's guess for each parameter, NaN where there is none.
    """

    def __init__(self, space: Space, guess: Array) -> None:
        self._domains = [p.domain for p in space]
        self._choice = np.array([isinstance(domain, Choice) for domain in self._domains], dtype=bool)
        self._guess = self._coordinates(guess)

    def spread(self, index: int, seed: int) -> Array:
        """The index-th of an endless sequence that covers the cube evenly (a shifted Kronecker sequence).

        Where the user has guessed, the first point is the guess and every second one is near it.
        """
        shift = np.random.default_rng(seed).random(self._guess.size)
        x = (shift + (index + 1) * _generator(self._guess.size)) % 1.0
        guess = self._guess
        if index % 2 == 0:
            near = np.where(self._choice | (index == 0), guess, guess + _GUESS * (x - 0.5))
            x = np.where(np.isnan(guess), x, near)
        return self._places(x)

    def uniform(self, rng: np.random.Generator, count: int) -> Array:
        """Points drawn from everywhere."""
        return self._places(rng.random((count, self._guess.size)))

    def near(self, rng: np.random.Generator, parents: Array, count: int) -> Array:
        """Variations of the parents; NaN in a parent is drawn anew."""
        x = self._coordinates(parents)[rng.integers(len(parents), size=count)]
        fresh = rng.random(x.shape)
        width = np.exp(rng.uniform(np.log(_WIDTHS[0]), np.log(_WIDTHS[1]), (count, 1)))
        swapped = np.where(rng.random(x.shape) < _SWAPPED, fresh, x)
        moved = np.where(self._choice, swapped, x + width * rng.standard_normal(x.shape))
        return self._places(np.where(np.isnan(x), fresh, np.where(rng.random(x.shape) < _MOVED, moved, x)))

    def belief(self, units: Array) -> Array:
        """Log density of the user's guess, 0 at its peak; 0 everywhere where nothing is guessed."""
        off = self._coordinates(units) - self._guess
        off = np.where(self._choice, (np.abs(off) > 1e-3) * 2.0 * _DOUBT, off)
        belief: Array = -0.5 * np.nansum((off / _DOUBT) ** 2, axis=1)
        return belief

    def _coordinates(self, places: Array) -> Array:
        return _each(coordinate, self._domains, places)

    def _places(self, coordinates: Array) -> Array:
        return _each(place, self._domains, np.clip(coordinates, 0.0, 1.0 - 1e-12))


def _each(convert: Callable[[Domain, Array], Array], domains: Sequence[Domain], points: Array) -> Array:
    """Convert the points' last axis, a parameter at a time."""
    converted = [convert(domain, points[..., i]) for i, domain in enumerate(domains)]
    return np.stack(converted, axis=-1) if converted else points


def _generator(dimensions: int) -> Array:
    """Powers of the inverse of the generalized golden ratio, the root of g^(d+1) = g + 1."""
    g = 1.5
    for _ in range(60):
        g = (1.0 + g) ** (1.0 / (dimensions + 1))
    powers: Array = g ** -np.arange(1.0, dimensions + 1)
    return powers
