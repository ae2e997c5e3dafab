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

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
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
        """Log hyperparameters of highest posterior density, by L-BFGS from ``start``; a trial's points are adjacent."""
        evidence = _Evidence(self, data)
        centre, spread = self.centre(), self.prior.spread(self.lengths)

        def objective(theta: Array) -> tuple[float, Array]:
            value, gradient = evidence.negative(theta)
            pull = (theta - centre) / spread
            return value + 0.5 * float(pull @ pull), gradient + pull / spread

        found = minimize(
            objective, start, jac=True, method="L-BFGS-B",
            bounds=[(c - 4 * s, c + 4 * s) for c, s in zip(centre, spread, strict=True)],
            options={"maxiter": iterations},
        )  # fmt: skip
        fitted: Array = found.x
        return fitted


class _Evidence:
    """The marginal likelihood of observations as a function of the hyperparameters.

    All that does not depend on them is worked out once. Of a symmetric matrix only the lower triangle is used, with
    what lies off the diagonal counted twice.
    """

    def __init__(self, kernel: Kernel, data: Observations) -> None:
        self._kernel, self._values = kernel, data.values
        falling, growing = kernel.shapes.features(data.steps)
        size = data.steps.size
        self._bases = np.stack([np.ones((size, size)), falling @ falling.T, growing @ growing.T]).reshape(3, -1)
        self._starts = np.flatnonzero(np.r_[True, data.trial[1:] != data.trial[:-1]])
        self._counts = np.diff(np.r_[self._starts, size])
        self._same = np.flatnonzero(data.trial[:, None] == data.trial[None, :])
        self._same_bases = self._bases[:, self._same]
        rows = data.rows[data.trial[self._starts]]
        differences = np.zeros((kernel.lengths, len(rows), len(rows)))
        for column, group in enumerate(kernel.groups):
            differences[group] += (rows[:, column, None] - rows[None, :, column]) ** 2
        self._differences = differences.reshape(kernel.lengths, -1)  # [lengths, pairs of trials]

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Negative log marginal likelihood and its gradient."""
        values = self._kernel.values(theta)
        size, trials = self._values.size, self._starts.size
        inverse_squares = np.exp(-2.0 * theta[: self._kernel.lengths])
        scaled = _SQRT5 * np.sqrt(inverse_squares @ self._differences).reshape(trials, trials)
        decay = np.exp(-scaled)
        each = (1.0 + scaled + scaled * scaled / 3.0) * decay
        matern = np.repeat(np.repeat(each, self._counts, axis=0), self._counts, axis=1).ravel()
        similar = np.array(values.similar) @ self._bases
        covariance = np.array(values.common) @ self._bases
        covariance += matern * similar
        covariance[self._same] += np.array(values.own) @ self._same_bases
        covariance[:: size + 1] += values.noise + _JITTER
        factor, failed = lapack.dpotrf(covariance.reshape(size, size).T, lower=1, overwrite_a=1)
        if failed:
            return 1e10, np.zeros_like(theta)
        alpha, _ = lapack.dpotrs(factor, self._values, lower=1)
        value = 0.5 * float(self._values @ alpha) + float(np.log(factor.diagonal()).sum())
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
        pull = inverse.T.ravel()  # upper triangle
        pull *= 2.0
        pull[:: size + 1] *= 0.5
        pull -= np.outer(alpha, alpha).ravel()  # derivative of the value is half the sum of pull * dK
        noise = 0.5 * values.noise * float(pull[:: size + 1].sum())
        slope = 5.0 / 3.0 * (1.0 + scaled) * decay  # d matern / d log length = slope * difference / length^2
        similar *= pull
        blocks = np.add.reduceat(similar.reshape(size, size), self._starts, axis=0)
        blocks = np.add.reduceat(blocks, self._starts, axis=1) * slope

        def slopes(weights: Part[float], sums: Array) -> Part[float]:
            return Part(*(0.5 * np.array(weights) * sums).tolist())

        gradient = Hyperparameters(
            (0.5 * inverse_squares * (self._differences @ blocks.ravel())).tolist(),
            common=slopes(values.common, self._bases @ pull),
            own=slopes(values.own, self._same_bases @ pull[self._same]),
            similar=slopes(values.similar, self._bases @ (pull * matern)),
            noise=noise,
        )
        return value, np.array(gradient.vector())


@dataclass(frozen=True)
class _Points:
    """Points of curves as the covariance needs them.

    Attributes:
        rows: coordinates of recipes, [recipes, columns].
        row: the recipe that each point is of, [points].
        trial: the observed trial that each belongs to, -1 for one that has no other points, [points].
        falling: features of the steps, [points, features].
        growing: the same of the growing part.
    """

    rows: Array
    row: Index
    trial: Index
    falling: Array
    growing: Array


class Posterior:
    """The process given the observations, at fixed hyperparameters."""

    def __init__(self, kernel: Kernel, theta: Array, data: Observations) -> None:
        self.kernel = kernel
        self.theta = theta
        self._values = kernel.values(theta)
        self._points = _Points(data.rows, data.trial, data.trial, *kernel.shapes.features(data.steps))
        self._factor = _factored(self._noisy(self._covariance(self._points, self._points)))
        self._alpha, _ = lapack.dpotrs(self._factor, data.values, lower=1)
        self._supposed: tuple[_Points, Array, Array] | None = None  # points, their half of the data's, their factor
        self.fitted: Array = data.values - (self._values.noise + _JITTER) * self._alpha
        """Mean of the noiseless curves at the observed points."""

    def supposing(self, rows: Array, trial: Index, steps: Array) -> Posterior:
        """The posterior if at further points were seen what is expected there: means stay, variances shrink.

        Args:
            rows: recipes, [n, columns].
            trial: the observed trial each belongs to, no two to the same, -1 for one that has no points.
            steps: one step each, [n].
        """
        points = _Points(rows, np.arange(len(rows)), trial, *self.kernel.shapes.features(steps))
        half = _solved(self._factor, self._covariance(points, self._points).T)
        covariance = self._covariance(points, points)
        new = np.flatnonzero(trial < 0)
        covariance[new, new] += self._own(points.falling[new], points.growing[new])
        joined = copy.copy(self)
        joined._supposed = points, half, _factored(self._noisy(covariance - half.T @ half))
        return joined

    def predict(self, rows: Array, trial: Index, steps: Array) -> tuple[Array, Array]:
        """Mean and variance of the noiseless curves at one step each.

        Args:
            rows: recipes, [n, columns].
            trial: the observed trial each belongs to, -1 for a recipe that has none.
            steps: one step each, [n].
        """
        points = _Points(rows, np.arange(len(rows)), trial, *self.kernel.shapes.features(steps))
        cross = self._covariance(points, self._points)
        half = _solved(self._factor, cross.T)
        falling, growing = _squares(points.falling.T), _squares(points.growing.T)
        prior = _mixed(self._values.common, falling, growing) + _mixed(self._values.similar, falling, growing)
        variance = prior + self._own(points.falling, points.growing) - _squares(half)
        if self._supposed is not None:
            supposed, known, factor = self._supposed
            variance -= _squares(_solved(factor, self._covariance(supposed, points) - known.T @ half))
        return cross @ self._alpha, np.maximum(variance, 1e-12)

    def _covariance(self, these: _Points, others: _Points) -> Array:
        """Covariances of noiseless curves at points, [these, others]."""
        values = self._values
        falling, growing = these.falling @ others.falling.T, these.growing @ others.growing.T
        covariance = _matern(self.kernel.distance(self.theta, these.rows, others.rows))
        if these.row.size != len(these.rows) or others.row.size != len(others.rows):
            covariance = covariance.take(these.row, axis=0).take(others.row, axis=1)
        covariance *= _mixed(values.similar, falling, growing)
        covariance += _mixed(values.common, falling, growing)
        known = np.flatnonzero(these.trial >= 0)
        here, there = np.nonzero(these.trial[known, None] == others.trial[None, :])
        here = known[here]
        covariance[here, there] += _mixed(values.own, falling[here, there], growing[here, there])
        return covariance

    def _own(self, falling: Array, growing: Array) -> Array:
        """Variances of what is a trial's own."""
        return _mixed(self._values.own, _squares(falling.T), _squares(growing.T))

    def _noisy(self, covariance: Array) -> Array:
        """The covariance of points rather than of curves; it is changed in place."""
        covariance.ravel()[:: len(covariance) + 1] += self._values.noise + _JITTER
        return covariance


def _squares(columns: Array) -> Array:
    """Sum of squares of each column."""
    squares: Array = np.einsum("ij,ij->j", columns, columns)
    return squares


def _mixed(weights: Part[float], falling: Array, growing: Array) -> Array:
    """Weighted sum of 1, S and G; the two covariances have any shape."""
    covariance: Array = weights.falling * falling
    covariance += weights.growing * growing
    covariance += weights.level
    return covariance


def _matern(distance: Array) -> Array:
    scaled = _SQRT5 * distance
    value: Array = (1.0 + scaled + scaled * scaled / 3.0) * np.exp(-scaled)
    return value


def _factored(covariance: Array) -> Array:
    """Lower Cholesky factor, in columns; the covariance is overwritten.

    Raises:
        numpy.linalg.LinAlgError: it is not positive definite.
    """
    factor, failed = lapack.dpotrf(covariance.T, lower=1, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return np.asarray(factor)


def _solved(factor: Array, right: Array) -> Array:
    """The lower factor's inverse times each column."""
    return np.asarray(lapack.dtrtrs(factor, right, lower=1)[0])
