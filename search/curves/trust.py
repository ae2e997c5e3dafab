"""How far a study's complete curves say that early points can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.single import LIBRARY, Forecast, Library, forecast
from hpo.search.terms.recipe import derive_seed

Array = NDArray[np.float64]

_STEPS = (1, 3, 9)
HOPELESS = 0.05
"""Chance to become the best by its end below which a trial is held on no longer."""

_WEIGHT, _DOUBT = 1.0, 0.3  # of ``Calibration``; by the doubt about five held trials are complete before one is stopped
_IMMUNE = 0.2  # of the held trials, which show whether those that are stopped should be
_KEPT = 4096  # scores that are remembered
_ORDERED, _CHANCE = 0.8, 0.5  # share of the pairs ordered alike where early points can be trusted, and where not


_Due: TypeAlias = "tuple[int, int, tuple[int, ...]]"
"""A complete curve's number, the step from which it is forecast, and the numbers of the curves it is forecast from."""


def evidence(complete: Sequence[Array]) -> float:
    """Log odds, from complete curves, that early ranks are those at the end: averaged over steps 1, 3 and 9.

    Steps in the later half say nothing of that. Of pairs of curves 0.8 are ordered alike where they are, a half where
    they are not; n curves count as n - 1 pairs.
    """
    if len(complete) < 2:
        return 0.0
    longest = max(curve[-1, 0] for curve in complete)
    early = [step for step in _STEPS if 2 * step <= longest or step == 1]
    like = np.concatenate([_alike(complete, step / longest) for step in early])
    odds = like * np.log(_ORDERED / _CHANCE) + (1.0 - like) * np.log((1.0 - _ORDERED) / (1.0 - _CHANCE))
    return float((len(complete) - 1) * odds.mean())


def tilted(share: float, odds: float, least: float, most: float) -> float:
    """A share moved by log odds, and kept between two bounds."""
    return min(max(1.0 / (1.0 + (1.0 / share - 1.0) * math.exp(-odds)), least), most)


def immune(seed: int, number: int) -> bool:
    """Whether a held trial is one of the fifth that no forecast stops."""
    return bool(np.random.default_rng(derive_seed(seed, "immune", number)).random() < _IMMUNE)


class Calibration:
    """A study's forecasts held against how its complete curves ended, each forecast from those complete before it.

    Before any is complete a forecast counts as one complete curve, and 0.3 curves as having ended below whatever was
    forecast of them.

    Reference: conformal prediction, with how far below its forecast a curve ended as the score (Vovk, Gammerman and
    Shafer, Algorithmic Learning in a Random World, 2005).
    """

    def __init__(self) -> None:
        self._scores: dict[_Due, float] = {}

    def may_stop(self, complete: int) -> bool:
        """Whether any forecast could leave a trial no chance, given so many complete curves."""
        return _DOUBT / (_WEIGHT + _DOUBT + min(complete, LIBRARY)) < HOPELESS

    def chance(self, seen: Forecast, value: float, complete: Mapping[int, Array], share: float) -> float:
        """Probability that a curve will end below a value, as far as the study's forecasts have been right.

        That is the share of the complete curves that ended as far below their forecasts as this one would have to.

        Args:
            seen: the curve's forecast.
            value: smaller is better.
            complete: finite curves by trial, of trials that were not chosen by their early points, oldest first; the
                latest ``LIBRARY`` count, and as many before them are what these are forecast from.
            share: of its training that the curve has done.
        """
        return self._chance(seen, value, complete, share, np.inf)

    def hopeless(self, seen: Forecast, value: float, complete: Mapping[int, Array], share: float) -> float | None:
        """The chance where it is below ``HOPELESS``, else None; takes no more forecasts than it needs to know."""
        chance = self._chance(seen, value, complete, share, HOPELESS)
        return chance if chance < HOPELESS else None

    def _chance(
        self, seen: Forecast, value: float, complete: Mapping[int, Array], share: float, enough: float
    ) -> float:
        """The chance, or what of it was counted when that had become enough."""
        numbers, wanted = list(complete), _score(seen, value)
        latest = range(max(0, len(numbers) - LIBRARY), len(numbers))
        if len(self._scores) > _KEPT:
            self._scores.clear()
        of_all = 1.0 / (_WEIGHT + _DOUBT + len(latest))
        believed = _WEIGHT * seen.beats(value) + _DOUBT
        due = [self._due(numbers[max(0, i - LIBRARY) : i + 1], complete, share) for i in latest]
        surprised = sum(self._scores[key] >= wanted for key in due if key in self._scores)
        for key in due:
            if (believed + surprised) * of_all >= enough:
                break
            if key not in self._scores:
                self._scores[key] = self._surprise(key, complete)
                surprised += self._scores[key] >= wanted
        return float((believed + surprised) * of_all)

    def _due(self, numbers: Sequence[int], complete: Mapping[int, Array], share: float) -> _Due:
        """The forecast of the last of these curves, at a share of its training, from the others."""
        *before, number = numbers
        curve = complete[number]
        return number, max(round(share * int(curve[-1, 0])), int(curve[0, 0])), tuple(before)

    def _surprise(self, due: _Due, complete: Mapping[int, Array]) -> float:
        """Score of a complete curve."""
        number, step, before = due
        curve = complete[number]
        horizon = int(curve[-1, 0])
        if step >= horizon:
            return -np.inf
        library = Library.of([complete[n] for n in before], horizon)
        seen = forecast(curve[curve[:, 0] <= step], horizon, library, number)
        return _score(seen, float(curve[:, 1].min()))


def _score(seen: Forecast, value: float) -> float:
    """How far a value is below the median that is forecast, in distances from there to the tenth quantile."""
    middle, low = seen.final(0.5), seen.final(0.1)
    return (middle - value) / max(middle - low, 1e-12 * max(abs(middle), 1.0))


def _alike(complete: Sequence[Array], share: float) -> Array:
    """For each pair of complete curves 1 where early values order it as the ends do, 0.5 where one does not, else 0."""
    early, late = np.empty(len(complete)), np.empty(len(complete))
    for i, curve in enumerate(complete):
        early[i] = curve[curve[:, 0] <= max(share * curve[-1, 0], 1.0), 1].min(initial=np.inf)
        late[i] = curve[:, 1].min()
    first, second = np.triu_indices(len(complete), 1)
    alike: Array = (1.0 + _order(early[first], early[second]) * _order(late[first], late[second])) / 2.0
    return alike


def _order(first: Array, second: Array) -> Array:
    """1 where the first is larger, -1 where it is smaller; two that are infinite are equal."""
    order: Array = np.where(first > second, 1.0, 0.0) - np.where(first < second, 1.0, 0.0)
    return order
