"""The posterior over how one curve goes on, from its points so far, complete curves of the study and the shape prior.

The model of a curve, in units of the study's spread, smaller is better::

    y(t) = a + b s(t) + w(t) + e(t)

a is the level at the horizon and b the fall to it, jointly normal as in the study's complete curves; s is a shape,
drawn from the prior (``shapes``) or taken from a complete curve; w is a Brownian motion in log step, which is what no
shape explains and lets the doubt grow with the distance; e is noise. For each shape and each of a few sizes of w and e
the coefficients a and b are integrated in closed form, and the components are weighed by their evidence
(Rao-Blackwellized importance weighting; LC-PFN approximates the same posterior with a network). The best value by the
horizon, which is what a trial counts for, is read off joint draws.

Equivariant: scaling or shifting all values scales and shifts the forecast. Cost: a millisecond, whatever the number
of trials, because at most 40 complete curves and 24 points are used.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hpo.search.curves.mixture import Basis, Mixture
from hpo.search.curves.shapes import draw_shapes, milestones

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SHAPES = 240
DRAWS = 400
POINTS = 24
LIBRARY = 40

_TRUST = 1.5  # complete curves that weigh as much as the shape prior
_CURVES = 6.0  # complete curves that weigh as much as the prior of level and fall
_INFLATED = 1.5  # complete curves are the good ones, so their spread understates that of new ones
_STRATA = ndtri((np.arange(DRAWS) + 0.5) / DRAWS)


@dataclass(frozen=True)
class Forecast:
    """What a curve may do next.

    Attributes:
        steps: later steps, the last one the horizon.
        draws: equally likely values at these steps, [draws, steps].
        best: the best value so far.
    """

    steps: Index
    draws: Array
    best: float

    def quantile(self, share: float, step: int) -> float:
        """Quantile of the value at a later step."""
        column = int(np.searchsorted(self.steps, step))
        return float(np.quantile(self.draws[:, min(column, len(self.steps) - 1)], share))

    def final(self, share: float) -> float:
        """Quantile of the best value by the horizon."""
        return float(_quantiles(self._finals, (share,))[0])

    def beats(self, value: float) -> float:
        """Probability that the best value by the horizon is below ``value``."""
        return float(np.searchsorted(self._finals, value)) / len(self._finals)

    @functools.cached_property
    def _finals(self) -> Array:
        """The best values by the horizon, ascending."""
        finals: Array = np.sort(np.minimum(self.draws.min(axis=1), self.best))
        return finals


@dataclass(frozen=True)
class Library:
    """Complete curves of a study on a common axis: the fraction of their horizon.

    Attributes:
        curves: values at the milestones, [curves, milestones].
        at: the milestones' steps.
        horizon: the last of them.
    """

    curves: Array
    at: Array
    horizon: int

    @staticmethod
    def of(curves: Sequence[Sequence[tuple[int, float]] | Array], horizon: int) -> Library:
        """Put the latest ``LIBRARY`` curves with finite values on the axis of ``horizon`` steps.

        A curve that ended elsewhere is stretched: curves are compared at equal fractions of their schedules.
        """
        at = milestones(horizon).astype(np.float64)
        rows = []
        for curve in curves[-LIBRARY:]:
            points = np.asarray(curve, dtype=np.float64)
            if len(points) and np.isfinite(points[:, 1]).all():
                last = points[-1, 0]
                stretched = (
                    points[:, 0] if last == horizon else 1 + (points[:, 0] - 1) * (horizon - 1) / max(last - 1, 1)
                )
                rows.append(np.interp(at, stretched, points[:, 1]))
        return Library(np.array(rows).reshape(len(rows), at.size), at, horizon)


def forecast(curve: Sequence[tuple[int, float]] | Array, horizon: int, library: Library, seed: int = 0) -> Forecast:
    """Forecast a curve to its horizon.

    Args:
        curve: ``(step, value)`` in order of step, [points, 2], at least one, finite, smaller is better.
        horizon: the last step, beyond the curve's last.
        library: complete curves of the study, may be empty.
        seed: of the draws.
    """
    whole = np.asarray(curve, dtype=np.float64)
    points = _thinned(whole)
    steps, values = points[:, 0], points[:, 1]
    centre, unit = _units(values, library)
    z = (values - centre) / unit
    ahead, prior_ahead = _ahead(horizon, float(steps[-1]))
    basis = Basis.at(tuple(steps.tolist()))
    own = _library_shapes(library)
    shapes = np.concatenate([_prior_at(horizon, tuple(steps.tolist())), _at(own, steps, horizon) @ basis.rotation])
    at_ahead = np.concatenate([prior_ahead, _at(own, ahead.astype(np.float64), horizon)])
    mixture = Mixture(z, basis, shapes, _shape_weights(len(shapes)), *_coefficients(z, library, centre, unit))
    size, shape = np.divmod(_systematic(mixture.weight.ravel(), DRAWS), len(shapes))
    rng = np.random.default_rng(seed)
    # Stratified, so that quantiles are smooth with few draws.
    normal = _STRATA[np.argsort(rng.random((2, DRAWS)), axis=1)]
    draws = mixture.draw(rng, size, shape, normal, np.log(ahead), at_ahead)
    return Forecast(ahead, draws * unit + centre, float(whole[:, 1].min()))


def prospect(curve: Sequence[tuple[int, float]] | Array, horizon: int, ceiling: float = math.inf) -> float:
    """What a curve may well reach by its horizon, from its points alone: smaller is better.

    The mean of the forecast less a standard deviation, or the best so far where that is better. So among curves of
    equal values those that still fall, or of which little is known, rank before those that have gone flat. What is
    forecast is the best so far, so that a curve does not promise the more the wilder it is.

    Args:
        curve: ``(step, value)`` in order of step. A single point is worth its value, a curve that has diverged the best
            it had, and one without a finite value is infinitely bad.
        horizon: the last step.
        ceiling: values above it count as it; from where a curve fell below it says little of where it goes.

    Cost: 0.3 ms.
    """
    points = np.array(curve, dtype=np.float64).reshape(-1, 2)
    finite = np.isfinite(points[:, 1])
    best = float(np.min(points[finite, 1], initial=np.inf))
    if len(points) < 2 or not finite.all() or points[-1, 0] >= horizon:
        return best
    points[:, 1] = np.minimum(np.minimum.accumulate(points[:, 1]), ceiling)
    if points[0, 1] == points[-1, 1]:
        return best
    points, nothing = _thinned(points), Library.of([], horizon)
    steps = tuple(points[:, 0].tolist())
    centre, unit = _units(points[:, 1], nothing)
    z = (points[:, 1] - centre) / unit
    shapes = _prior_at(horizon, steps)
    mixture = Mixture(z, Basis.at(steps), shapes, np.zeros(SHAPES), *_coefficients(z, nothing, centre, unit))
    mean, deviation = mixture.moments(math.log(horizon), _prior_shapes(horizon)[:, -1])
    return min(best, (mean - deviation) * unit + centre)


def _thinned(points: Array) -> Array:
    """At most ``POINTS`` points: the first, the last, and the rest in equal ratios; none before step 1."""
    if len(points) > POINTS:
        points = points[_kept(len(points))]
    return np.column_stack([np.maximum(points[:, 0], 1.0), points[:, 1]])  # scripts of plain Optuna may count from 0


@functools.lru_cache(maxsize=256)
def _kept(count: int) -> Index:
    """Places of the points that stay of so many."""
    kept: Index = np.unique(np.round(np.geomspace(1, count, POINTS)).astype(np.int64)) - 1
    return kept


def _units(values: Array, library: Library) -> tuple[float, float]:
    """Centre and spread of the study's values: robust, and never 0."""
    seen = np.concatenate([values, library.curves[:, [0, -1]].ravel()])
    low, middle, high = _quantiles(np.sort(seen), (0.1, 0.5, 0.9))
    unit = float(high - low) or float(np.ptp(seen)) or abs(float(middle)) or 1.0
    return float(middle), unit


@functools.lru_cache(maxsize=8)
def _prior_shapes(horizon: int) -> Array:
    return draw_shapes(milestones(horizon).astype(np.float64), horizon, SHAPES)


@functools.lru_cache(maxsize=256)
def _prior_at(horizon: int, steps: tuple[float, ...]) -> Array:
    """The prior's shapes at the points of a curve, in the coordinates of their basis."""
    return _at(_prior_shapes(horizon), np.array(steps), horizon) @ Basis.at(steps).rotation


@functools.lru_cache(maxsize=256)
def _ahead(horizon: int, last: float) -> tuple[Index, Array]:
    """The steps that are forecast behind the last one seen, and the prior's shapes there."""
    ahead = milestones(horizon, 4.0)
    ahead = np.unique(np.r_[ahead[ahead > last], horizon])
    return ahead, _at(_prior_shapes(horizon), ahead.astype(np.float64), horizon)


def _library_shapes(library: Library) -> Array:
    """The shapes of complete curves; those that hardly move say nothing and are left out."""
    curves = library.curves
    if not len(curves):
        return np.empty((0, library.at.size))
    fall = curves[:, :1] - curves[:, -1:]
    spread = np.ptp(curves, axis=1, keepdims=True)
    moved = (np.abs(fall) > 0.2 * spread).ravel() & (spread.ravel() > 0)
    shapes: Array = (curves[moved] - curves[moved, -1:]) / fall[moved]
    return shapes


def _shape_weights(count: int) -> Array:
    """Log prior weights: prior shapes first, then the library's, which weigh more the more there are."""
    own = count - SHAPES
    share = own / (own + _TRUST)
    weights = np.concatenate([np.full(SHAPES, (1 - share) / SHAPES), np.full(own, share / max(own, 1))])
    log_weights: Array = np.log(weights)
    return log_weights


def _at(shapes: Array, steps: Array, horizon: int) -> Array:
    """Shapes between their milestones; [shapes, steps]."""
    grid = np.log(milestones(horizon).astype(np.float64))
    place = np.interp(np.log(steps), grid, np.arange(grid.size))
    low = np.minimum(place.astype(np.int64), max(grid.size - 2, 0))
    weight = place - low
    values: Array = shapes[:, low] * (1 - weight) + shapes[:, np.minimum(low + 1, grid.size - 1)] * weight
    return values


def _coefficients(z: Array, library: Library, centre: float, unit: float) -> tuple[Array, Array]:
    """Prior mean and covariance of (level, fall): wide, narrowed by the complete curves as they become many."""
    first = (library.curves[:, 0] - centre) / unit
    last = (library.curves[:, -1] - centre) / unit
    pairs = np.stack([last, first - last])
    count = pairs.shape[1]
    guess, wide = np.array([z[-1] - 0.3, 0.6]), np.eye(2)
    if not count:
        return guess, wide
    mean = (pairs.sum(axis=1) + guess) / (count + 1)
    off = pairs - pairs.mean(axis=1, keepdims=True)
    return mean, (_INFLATED * off @ off.T + _CURVES * wide) / (count + _CURVES)


def _systematic(weights: Array, count: int) -> Index:
    """Indices drawn in proportion to the weights with the least variance."""
    places = (np.arange(count) + 0.5) / count
    indices: Index = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    return indices


def _quantiles(ordered: Array, shares: Sequence[float]) -> Array:
    """Quantiles of values in ascending order, between two neighbours by their distance."""
    quantiles: Array = np.interp(np.asarray(shares) * (len(ordered) - 1), np.arange(len(ordered)), ordered)
    return quantiles
