"""The posterior of one curve under every shape and every size of noise and drift, in closed form.

With y the curve's points, s a shape, w a Brownian motion in log step and e noise (see ``single``)::

    y(t) = a + b s(t) + w(t) + e(t)

Given the shape and the sizes of w and e, the level a and the fall b are jointly normal, and the evidence for that shape
and those sizes is known too. A mixture of these normals, weighed by the evidence, is the posterior.

Whatever their sizes, w and e have covariances with the same eigenvectors. So points and shapes are rotated once, and
there every size is but a weight for each coordinate.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Sizes of the noise and of the Brownian motion (per natural log of the step), in units of z.
_NOISE = (0.005, 0.02, 0.08, 0.25)
_DRIFT = (0.02, 0.06, 0.16, 0.4)
_NOISES, _DRIFTS = np.array(list(itertools.product(_NOISE, _DRIFT))).T
_JITTER = 1e-10


@dataclass(frozen=True)
class Basis:
    """Where points lie, and coordinates in which their noise and drift are independent.

    Attributes:
        log_steps: logarithms of the points' steps, [points].
        rotation: from points to coordinates, [points, points].
        ones: the constant 1 in these coordinates, [points].
        precision: of noise and drift, [sizes, points].
        volume: half the log determinant of their covariance, [sizes].
    """

    log_steps: Array
    rotation: Array
    ones: Array
    precision: Array
    volume: Array

    @staticmethod
    @functools.lru_cache(maxsize=256)
    def at(steps: tuple[float, ...]) -> Basis:
        """The basis of points at these steps, 1 or later."""
        log_steps = np.log(steps)
        values, rotation = np.linalg.eigh(np.minimum(log_steps[:, None], log_steps[None, :]))
        variance = _DRIFTS[:, None] ** 2 * np.maximum(values, 0.0) + _NOISES[:, None] ** 2
        return Basis(log_steps, rotation, rotation.sum(axis=0), 1.0 / variance, 0.5 * np.log(variance).sum(axis=1))


class Mixture:
    """The posterior of (level, fall) for every size of noise and drift, and every shape.

    Args:
        z: the points' values, [points].
        basis: of the points.
        shapes: the shapes at the points, times the rotation of the basis, [shapes, points].
        log_prior: log prior weights of the shapes, [shapes].
        mean: prior mean of (level, fall).
        covariance: prior covariance of (level, fall), [2, 2].

    Attributes:
        weight: posterior weights, [sizes, shapes].
    """

    def __init__(self, z: Array, basis: Basis, shapes: Array, log_prior: Array, mean: Array, covariance: Array) -> None:
        self._z, self._basis, self._shapes = z @ basis.rotation, basis, shapes
        (wide, both), (_, tall) = covariance.tolist()
        p11, p12, p22 = np.array([tall, -both, wide]) / (wide * tall - both * both)  # of its inverse
        sizes, one = basis.precision, basis.ones
        off = self._z - mean[0] * one
        fall_one, fall_fall, fall_off = sizes @ (shapes * one).T, sizes @ (shapes * shapes).T, sizes @ (shapes * off).T
        self._p11 = p11 + (sizes @ (one * one))[:, None]
        self._p12 = p12 + fall_one
        self._p22 = p22 + fall_fall
        self._determinant = self._p11 * self._p22 - self._p12**2
        q1 = (sizes @ (one * off))[:, None] - mean[1] * fall_one
        q2 = fall_off - mean[1] * fall_fall
        level = (self._p22 * q1 - self._p12 * q2) / self._determinant
        slope = (self._p11 * q2 - self._p12 * q1) / self._determinant
        self._level, self._fall = mean[0] + level, mean[1] + slope
        explained = (sizes @ (off * off))[:, None] - mean[1] * (fall_off + q2) - q1 * level - q2 * slope
        volume = basis.volume[:, None] + 0.5 * np.log(self._determinant)
        log_weight = log_prior - 0.5 * explained - volume
        weight = np.exp(log_weight - log_weight.max())
        self.weight: Array = weight / weight.sum()

    def moments(self, log_step: float, at_step: Array) -> tuple[float, float]:
        """Mean and standard deviation of the noiseless value at a later step.

        Args:
            log_step: logarithm of the step.
            at_step: the shapes there, [shapes].
        """
        lags = np.minimum(log_step, self._basis.log_steps) @ self._basis.rotation
        gain = _DRIFTS[:, None] ** 2 * lags * self._basis.precision  # [sizes, points]
        by_level = 1.0 - (gain @ self._basis.ones)[:, None]
        by_fall = at_step - gain @ self._shapes.T
        mean = by_level * self._level + by_fall * self._fall + (gain @ self._z)[:, None]
        own = (by_level**2 * self._p22 - 2.0 * by_level * by_fall * self._p12 + by_fall**2 * self._p11) / (
            self._determinant
        )
        drift = _DRIFTS**2 * (log_step - gain @ lags)
        centre = float((self.weight * mean).sum())
        variance = float((self.weight * (own + drift[:, None] + (mean - centre) ** 2)).sum())
        return centre, variance**0.5

    def draw(
        self, rng: np.random.Generator, size: Index, shape: Index, normal: Array, log_ahead: Array, at_ahead: Array
    ) -> Array:
        """Draw the values ahead, one row for each of the given sizes and shapes.

        Args:
            rng: of the drift and the noise.
            size: places of the sizes among ``weight``'s rows, ascending, [draws].
            shape: shapes, [draws].
            normal: standard normal numbers for level and fall, [2, draws].
            log_ahead: logarithms of the later steps, [steps].
            at_ahead: the shapes at these steps, [shapes, steps].
        """
        basis, drift = self._basis, _DRIFTS[:, None] ** 2 * self._basis.precision
        p12, p22 = self._p12[size, shape], self._p22[size, shape]
        off = np.sqrt(p22 / self._determinant[size, shape]) * normal[0]
        level = self._level[size, shape] + off
        fall = self._fall[size, shape] - p12 / p22 * off + normal[1] / np.sqrt(p22)
        left = self._z - level[:, None] * basis.ones - fall[:, None] * self._shapes[shape]
        lags = np.minimum(log_ahead[:, None], basis.log_steps[None, :]) @ basis.rotation
        draws: Array = level[:, None] + fall[:, None] * at_ahead[shape] + (left * drift[size]) @ lags.T
        used, first = np.unique(size, return_index=True)
        between = np.minimum(log_ahead[:, None], log_ahead[None, :])
        rest = between - (lags * drift[used, None, :]) @ lags.T  # what the points leave open of the drift
        noise = (_NOISES[used] ** 2 + _JITTER)[:, None, None] * np.eye(log_ahead.size)
        roots = np.linalg.cholesky(_DRIFTS[used, None, None] ** 2 * rest + noise)
        normals = rng.standard_normal(draws.shape)
        for root, start, end in zip(roots, first, [*first[1:], size.size], strict=True):
            draws[start:end] += normals[start:end] @ root.T
        return draws
