"""The posterior of one curve under every shape and every size of noise and drift, in closed form.

With y the curve's points, s a shape, w a Brownian motion in log step and e noise (see ``single``)::

    y(t) = a + b s(t) + w(t) + e(t)

Given the shape and the sizes of w and e, the level a and the fall b are jointly normal, and the evidence for that shape
and those sizes is known too. A mixture of these normals, weighed by the evidence, is the posterior.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Sizes of the noise and of the Brownian motion (per natural log of the step), in units of z.
_NOISE = (0.005, 0.02, 0.08, 0.25)
_DRIFT = (0.02, 0.06, 0.16, 0.4)
_NOISES, _DRIFTS = np.array(list(itertools.product(_NOISE, _DRIFT))).T


class Mixture:
    """The posterior of (level, fall) for every size of noise and drift, and every shape.

    Args:
        z: the points' values, [points].
        log_steps: logarithms of their steps, [points].
        shapes: the shapes at these steps, [shapes, points].
        log_prior: log prior weights of the shapes, [shapes].
        mean: prior mean of (level, fall).
        covariance: prior covariance of (level, fall), [2, 2].

    Attributes:
        weight: posterior weights, [sizes, shapes].
    """

    def __init__(
        self, z: Array, log_steps: Array, shapes: Array, log_prior: Array, mean: Array, covariance: Array
    ) -> None:
        self._z, self._log_steps, self._shapes = z, log_steps, shapes
        precision = np.linalg.inv(covariance)
        lags = np.minimum(log_steps[:, None], log_steps[None, :])
        factor = np.linalg.cholesky(
            _DRIFTS[:, None, None] ** 2 * lags + _NOISES[:, None, None] ** 2 * np.eye(z.size)
        )  # [sizes, points, points]
        self._whiten = np.linalg.inv(factor)
        one = self._whiten.sum(axis=2)
        fall = shapes @ self._whiten.transpose(0, 2, 1)  # [sizes, shapes, points]
        rest = (self._whiten @ (z - mean[0]))[:, None, :] - mean[1] * fall
        self._p11 = precision[0, 0] + (one * one).sum(axis=1)[:, None]
        self._p12 = precision[0, 1] + (fall @ one[:, :, None])[:, :, 0]
        self._p22 = precision[1, 1] + (fall * fall).sum(axis=2)
        self._determinant = self._p11 * self._p22 - self._p12**2
        q1, q2 = (rest @ one[:, :, None])[:, :, 0], (rest * fall).sum(axis=2)
        level = (self._p22 * q1 - self._p12 * q2) / self._determinant
        slope = (self._p11 * q2 - self._p12 * q1) / self._determinant
        self._level, self._fall = mean[0] + level, mean[1] + slope
        explained = (rest * rest).sum(axis=2) - q1 * level - q2 * slope
        volume = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None] + 0.5 * np.log(self._determinant)
        log_weight = log_prior - 0.5 * explained - volume
        weight = np.exp(log_weight - log_weight.max())
        self.weight: Array = weight / weight.sum()

    def moments(self, log_step: float, at_step: Array) -> tuple[float, float]:
        """Mean and standard deviation of the noiseless value at a later step.

        Args:
            log_step: logarithm of the step.
            at_step: the shapes there, [shapes].
        """
        cross = _DRIFTS[:, None] ** 2 * np.minimum(log_step, self._log_steps)  # [sizes, points]
        gain = np.einsum("kp,kqp,kqr->kr", cross, self._whiten, self._whiten)
        by_level = 1.0 - gain.sum(axis=1)[:, None]
        by_fall = at_step - gain @ self._shapes.T
        mean = by_level * self._level + by_fall * self._fall + (gain @ self._z)[:, None]
        own = (by_level**2 * self._p22 - 2.0 * by_level * by_fall * self._p12 + by_fall**2 * self._p11) / (
            self._determinant
        )
        drift = _DRIFTS**2 * log_step - (gain * cross).sum(axis=1)
        centre = float((self.weight * mean).sum())
        variance = float((self.weight * (own + drift[:, None] + (mean - centre) ** 2)).sum())
        return centre, variance**0.5

    def draw(
        self, rng: np.random.Generator, size: int, shape: Index, normal: Array, log_ahead: Array, at_ahead: Array
    ) -> Array:
        """Draw the values ahead for one size of noise and drift, one row for each of the given shapes.

        Args:
            rng: of the drift and the noise.
            size: place of the sizes among ``weight``'s rows.
            shape: shapes, [draws].
            normal: standard normal numbers for level and fall, [2, draws].
            log_ahead: logarithms of the later steps, [steps].
            at_ahead: the shapes at these steps, [shapes, steps].
        """
        noise, drift, whiten = _NOISES[size], _DRIFTS[size], self._whiten[size]
        p12, p22 = self._p12[size, shape], self._p22[size, shape]
        off = np.sqrt(p22 / self._determinant[size, shape]) * normal[0]
        level = self._level[size, shape] + off
        fall = self._fall[size, shape] - p12 / p22 * off + normal[1] / np.sqrt(p22)
        left = self._z - level[:, None] - fall[:, None] * self._shapes[shape]
        cross = drift**2 * np.minimum(log_ahead[:, None], self._log_steps[None, :])
        gain = cross @ whiten.T @ whiten
        rest = drift**2 * np.minimum(log_ahead[:, None], log_ahead[None, :]) - gain @ cross.T
        root = np.linalg.cholesky(rest + (noise**2 + 1e-10) * np.eye(log_ahead.size))
        smooth = level[:, None] + fall[:, None] * at_ahead[shape] + left @ gain.T
        draws: Array = smooth + rng.standard_normal(smooth.shape) @ root.T
        return draws
