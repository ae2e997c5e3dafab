"""What training a curve further is expected to gain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

_LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)
_TAIL = 5.0


def log_expected_improvement(mean: Array, variance: Array, best: float) -> Array:
    """Log of E[max(f - best, 0)] for f normal, accurate far below the best, where the plain formula is 0.

    >>> float(np.exp(log_expected_improvement(np.array([0.0]), np.array([1.0]), 0.0))[0]).__round__(4)
    0.3989
    """
    deviation = np.sqrt(variance)
    u = (mean - best) / deviation
    near = np.maximum(u, -_TAIL)
    plain = np.log(near * ndtr(near) + np.exp(-0.5 * near * near - _LOG_ROOT_2PI))
    # Far below, phi(u) + u Phi(u) tends to phi(u) / u^2; matched to the plain formula where they meet.
    far = np.minimum(u, -_TAIL)
    tail = -0.5 * (far * far - _TAIL**2) - 2.0 * np.log(-far / _TAIL)
    value: Array = np.log(deviation) + plain + tail
    return value
