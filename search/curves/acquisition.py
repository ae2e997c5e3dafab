"""What training a curve further is expected to gain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Array = NDArray[np.float64]

_LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)


def log_expected_improvement(mean: Array, variance: Array, best: float) -> Array:
    """Log of E[max(f - best, 0)] for f normal, accurate far below the best, where the plain formula is 0.

    >>> float(np.exp(log_expected_improvement(np.array([0.0]), np.array([1.0]), 0.0))[0]).__round__(4)
    0.3989
    """
    deviation = np.sqrt(variance)
    u = (mean - best) / deviation
    density = -0.5 * u * u - _LOG_ROOT_2PI
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = np.log(u * ndtr(u) + np.exp(density))
    # Far below, phi(u) + u Phi(u) = phi(u) (1 - |u| Phi(u)/phi(u)); the bracket tends to 1/u^2.
    mills = np.exp(log_ndtr(np.minimum(u, 0.0)) - density)
    bracket = np.maximum(1.0 + np.minimum(u, 0.0) * mills, 1e-300)
    tail = density + np.where(u < -30.0, -2.0 * np.log(np.maximum(-u, 1.0)), np.log(bracket))
    value: Array = np.log(deviation) + np.where(u > -3.0, plain, tail)
    return value
