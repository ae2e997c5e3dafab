"""Gaussian process over (recipe, step): every curve of a study informs every other.

With x a recipe, t a step, m a Matern 5/2 kernel with a length per knob, S and G the covariances of the falling and
growing parts of a random curve shape (``shapes``)::

    k((x,t), (x',t')) = g0 + gS S + gG G                          all curves of the study
                      + m(x,x') (w0 + wS S + wG G)                curves of similar recipes
                      + [same trial] (v0 + vS S + vG G)           what is a trial's own
                      + [same point] noise

So a curve is a level at the horizon, plus a part that falls towards it and a part that grows, each partly common,
partly smooth in the recipe, partly the trial's own. After Swersky et al., "Freeze-thaw Bayesian optimization"
(2014), with the covariance of sampled shapes in place of the exponential-decay kernel.

Exact inference: O(points^3) once per decision and O(points) for each candidate; callers thin the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import minimize

from hpo.search.curves.shapes import ShapeCovariance

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Normal = tuple[float, float]  # mean, standard deviation
T = TypeVar("T")

_JITTER = 1e-8
_SQRT5 = 5.0**0.5


class Part(NamedTuple, Generic[T]):
    """What belongs to one of the three parts of the covariance: one value for each of its terms."""

    level: T
    falling: T
    growing: T


class Hyperparameters(NamedTuple, Generic[T]):
    """A value for each hyperparameter, in the order in which they form one vector.

    Attributes:
        lengths: of the recipes' kernel, one for each knob.
        common: weights g of what all curves of the study share.
        similar: weights w of what curves of similar recipes share.
        own: weights v of what is a trial's own.
        noise: variance of a point.
    """

    lengths: Sequence[T]
    common: Part[T]
    similar: Part[T]
    own: Part[T]
    noise: T

    @classmethod
    def named(cls, vector: Sequence[T]) -> Hyperparameters[T]:
        """The parts of a vector [lengths + 10]."""
        *lengths, g0, gs, gg, w0, ws, wg, v0, vs, vg, noise = vector
        return cls(lengths, Part(g0, gs, gg), Part(w0, ws, wg), Part(v0, vs, vg), noise)

    def vector(self) -> list[T]:
        """The values one after another, [lengths + 10]."""
        return [*self.lengths, *self.common, *self.similar, *self.own, self.noise]


@dataclass(frozen=True)
class HyperPrior:
    """Log-normal priors of the hyperparameters: mean and standard deviation of their logarithms."""

    length: Normal
    common: Part[Normal]
    similar: Part[Normal]
    own: Part[Normal]
    noise: Normal

    def centre(self, lengths: int) -> Array:
        """Means of the log hyperparameters, as one vector [lengths + 10]."""
        return np.array([mean for mean, _ in self._all(lengths).vector()])

    def spread(self, lengths: int) -> Array:
        """Standard deviations in the same order."""
        return np.array([spread for _, spread in self._all(lengths).vector()])

    def _all(self, lengths: int) -> Hyperparameters[Normal]:
        return Hyperparameters([self.length] * lengths, self.common, self.similar, self.own, self.noise)


PRIOR = HyperPrior(
    length=(-0.5, 0.7),
    common=Part((-3.5, 1.0), (-4.0, 1.0), (-4.0, 1.0)),
    similar=Part((-0.5, 0.5), (-0.5, 0.5), (-1.5, 0.5)),
    own=Part((-3.5, 1.0), (-3.0, 1.0), (-3.5, 1.0)),
    noise=(-6.5, 1.0),
)
"""The weights of the recipe's part are held large, in units in which all of a study lies between 0 and 1: what has
not been tried yet may always be better, and a fit to a few good recipes would forget that. Those of the common part
are about what complete curves ask for."""


@dataclass(frozen=True)
class Observations:
    """Points of several curves in the model's units.

    Attributes:
        rows: coordinates of the recipes, [trials, columns].
        trial: the row each point belongs to, [points].
        steps: [points].
        values: [points], larger is better.
    """

    rows: Array
    trial: Index
    steps: Array
    values: Array


class Kernel:
    """The covariance for one space and horizon; hyperparameters are passed in as logarithms."""

    def __init__(self, groups: Index, shapes: ShapeCovariance, prior: HyperPrior = PRIOR) -> None:
        self.groups = groups
        self.shapes = shapes
        self.lengths = int(groups.max()) + 1 if groups.size else 0
        self.prior = prior

    def centre(self) -> Array:
        """Most probable log hyperparameters before any data."""
        return self.prior.centre(self.lengths)

    def values(self, theta: Array) -> Hyperparameters[float]:
        """The hyperparameters that these logarithms are of."""
        return Hyperparameters.named(np.exp(theta).tolist())

    def distance(self, theta: Array, rows: Array, others: Array) -> Array:
        """Distances of recipes in units of the lengths."""
        scale = np.exp(-theta[: self.lengths])[self.groups]
        a, b = rows * scale, others * scale
        square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2.0 * a @ b.T
        distance: Array = np.sqrt(np.maximum(square, 0.0))
        return distance

    def fit(self, data: Observations, start: Array, iterations: int = 30) -> Array:
        """Log hyperparameters of highest posterior density, by L-BFGS from ``start``."""
        differences = np.zeros((self.lengths, len(data.rows), len(data.rows)))
        for column, group in enumerate(self.groups):
            values = data.rows[:, column]
            differences[group] += (values[:, None] - values[None, :]) ** 2
        falling, growing = self.shapes.falling(data.steps), self.shapes.growing(data.steps)
        bases = falling @ falling.T, growing @ growing.T
        same = data.trial[:, None] == data.trial[None, :]
        centre, spread = self.centre(), self.prior.spread(self.lengths)

        def objective(theta: Array) -> tuple[float, Array]:
            value, gradient = self._negative_evidence(theta, data, differences, bases, same)
            pull = (theta - centre) / spread
            return value + 0.5 * float(pull @ pull), gradient + pull / spread

        found = minimize(
            objective, start, jac=True, method="L-BFGS-B",
            bounds=[(c - 4 * s, c + 4 * s) for c, s in zip(centre, spread, strict=True)],
            options={"maxiter": iterations},
        )  # fmt: skip
        fitted: Array = found.x
        return fitted

    def _negative_evidence(
        self,
        theta: Array,
        data: Observations,
        differences: Array,
        bases: tuple[Array, Array],
        same: NDArray[np.bool_],
    ) -> tuple[float, Array]:
        """Negative log marginal likelihood and its gradient."""
        inverse_squares = np.exp(-2.0 * theta[: self.lengths])
        values = self.values(theta)
        r = np.sqrt(np.tensordot(inverse_squares, differences, 1))
        decay = np.exp(-_SQRT5 * r)
        matern = (1.0 + _SQRT5 * r + 5.0 / 3.0 * r * r) * decay
        falling, growing = bases
        similar = _mixed(values.similar, falling, growing)
        spread_matern = matern[data.trial][:, data.trial]
        covariance = _mixed(values.common, falling, growing) + spread_matern * similar
        covariance += same * _mixed(values.own, falling, growing)
        covariance[np.diag_indices_from(covariance)] += values.noise + _JITTER
        factor, failed = lapack.dpotrf(covariance, lower=1)
        if failed:
            return 1e10, np.zeros_like(theta)
        half, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(half) + np.tril(half, -1).T
        alpha = inverse @ data.values
        value = 0.5 * float(data.values @ alpha) + float(np.log(np.diag(factor)).sum())
        pull = inverse - np.outer(alpha, alpha)  # derivative of the value is half the sum of pull * dK

        def slopes(part: Part[float], masked: Array) -> Part[float]:
            sums = (float(masked.sum()), float((masked * falling).sum()), float((masked * growing).sum()))
            return Part(*(0.5 * weight * total for weight, total in zip(part, sums, strict=True)))

        slope = 5.0 / 3.0 * (1.0 + _SQRT5 * r) * decay  # d matern / d log length = slope * difference / length^2
        starts = np.flatnonzero(np.r_[True, data.trial[1:] != data.trial[:-1]])
        present = data.trial[starts]
        blocks = np.add.reduceat(np.add.reduceat(pull * similar, starts, axis=0), starts, axis=1)
        blocks *= slope[np.ix_(present, present)]
        lengths = [
            0.5 * inverse_square * float((blocks * difference[np.ix_(present, present)]).sum())
            for inverse_square, difference in zip(inverse_squares, differences, strict=True)
        ]
        gradient = Hyperparameters(
            lengths,
            common=slopes(values.common, pull),
            similar=slopes(values.similar, pull * spread_matern),
            own=slopes(values.own, pull * same),
            noise=0.5 * values.noise * float(np.trace(pull)),
        )
        return value, np.array(gradient.vector())


class Posterior:
    """The process given the observations, at fixed hyperparameters."""

    def __init__(self, kernel: Kernel, theta: Array, data: Observations) -> None:
        self.kernel = kernel
        self.theta = theta
        self.data = data
        self._values = values = kernel.values(theta)
        self._falling = kernel.shapes.falling(data.steps)
        self._growing = kernel.shapes.growing(data.steps)
        distance = kernel.distance(theta, data.rows, data.rows)
        bases = self._falling @ self._falling.T, self._growing @ self._growing.T
        covariance = _mixed(values.common, *bases)
        covariance += _matern(distance)[data.trial][:, data.trial] * _mixed(values.similar, *bases)
        covariance += (data.trial[:, None] == data.trial[None, :]) * _mixed(values.own, *bases)
        covariance[np.diag_indices_from(covariance)] += values.noise + _JITTER
        self._factor = np.linalg.cholesky(covariance)
        half = solve_triangular(self._factor, data.values, lower=True, check_finite=False)
        self._alpha = solve_triangular(self._factor, half, lower=True, trans=1, check_finite=False)

    @property
    def fitted(self) -> Array:
        """Mean of the noiseless curves at the observed points."""
        mean: Array = self.data.values - (self._values.noise + _JITTER) * self._alpha
        return mean

    def predict(self, rows: Array, trial: Index, steps: Array) -> tuple[Array, Array]:
        """Mean and variance of the noiseless curves at one step each.

        Args:
            rows: recipes, [n, columns].
            trial: the observed trial each belongs to, -1 for a recipe that has none.
            steps: one step each, [n].
        """
        cross, falling, growing = self._cross(rows, trial, steps)
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        parts = zip(self._values.common, self._values.similar, self._values.own, strict=True)
        prior = _mixed(Part(*(g + w + v for g, w, v in parts)), (falling**2).sum(1), (growing**2).sum(1))
        return cross @ self._alpha, np.maximum(prior - (half**2).sum(0), 1e-12)

    def _cross(self, rows: Array, trial: Index, steps: Array) -> tuple[Array, Array, Array]:
        falling, growing = self.kernel.shapes.falling(steps), self.kernel.shapes.growing(steps)
        s, g = falling @ self._falling.T, growing @ self._growing.T
        values = self._values
        matern = _matern(self.kernel.distance(self.theta, rows, self.data.rows))[:, self.data.trial]
        cross = _mixed(values.common, s, g) + matern * _mixed(values.similar, s, g)
        known = np.flatnonzero(trial >= 0)
        if known.size:
            own = trial[known, None] == self.data.trial[None, :]
            cross[known] += own * _mixed(values.own, s[known], g[known])
        return cross, falling, growing


def _mixed(weights: Part[float], falling: Array, growing: Array) -> Array:
    """Weighted sum of 1, S and G; the two covariances have any shape."""
    covariance: Array = weights.level + weights.falling * falling + weights.growing * growing
    return covariance


def _matern(distance: Array) -> Array:
    scaled = _SQRT5 * distance
    value: Array = (1.0 + scaled + scaled * scaled / 3.0) * np.exp(-scaled)
    return value
