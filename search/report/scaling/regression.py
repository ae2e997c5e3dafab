"""Least squares with what it leaves open."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def coefficients(matrix: Array, y: Array, draws: int) -> tuple[Array, Array]:
    """Fitted coefficients, and draws from their Student distribution, from a fixed seed.

    Args:
        matrix: [observations, columns], of full rank and with more rows than columns.
        y: [observations].
        draws: how many.

    Returns:
        [columns] and [draws, columns].
    """
    q, r = np.linalg.qr(matrix)
    found = np.linalg.solve(r, q.T @ y)
    freedom = len(y) - matrix.shape[1]
    deviation = math.sqrt(float(np.square(y - matrix @ found).sum()) / freedom)
    generator = np.random.default_rng(0)
    normal = generator.standard_normal((draws, matrix.shape[1]))
    spread = deviation / np.sqrt(generator.chisquare(freedom, draws) / freedom)
    return found, found + np.linalg.solve(r, normal.T).T * spread[:, None]
