"""The prior over shapes of learning curves, and the covariances it implies.

A shape falls from 1 at the first step to 0 at the horizon. Three families are mixed, as in LC-PFN's prior
(Adriaensen et al., NeurIPS 2023) with parameters of our own: power laws, stretched exponentials (Janoschek) and MMF
sigmoids; a fourth adds to a stretched exponential the late fall that a decaying learning rate brings. Their time
constants are log-uniform from a fraction of the first step to the horizon, so both curves that are done after one
step and curves that have hardly begun are expected.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DRAWS = 3000
_KEPT = 1e-6  # share of a covariance's trace that may be left out of its features


@functools.lru_cache(maxsize=64)
def milestones(horizon: int, per_octave: float = 8.0) -> NDArray[np.int64]:
    """Steps from 1 to the horizon in about equal ratios, the first and the last included.

    >>> milestones(8).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8]
    """
    count = int(math.log2(max(horizon, 2)) * per_octave) + 2
    last = min(max(horizon, 1), np.iinfo(np.int64).max)
    rounded = np.round(np.geomspace(1.0, float(last), count)[:-1]).astype(np.int64)
    steps = np.unique(np.append(rounded, last))  # the last as it is: a large one is no double
    steps.flags.writeable = False
    return steps


def draw_shapes(steps: Array, horizon: int, count: int, seed: int = 0) -> Array:
    """Draw ``count`` shapes at the given steps; array of [count, steps], 1 at step 1 and 0 at the horizon."""
    rng = np.random.default_rng(seed)
    last = float(max(horizon, 2))
    t = np.concatenate([[1.0, last], np.asarray(steps, dtype=np.float64)])
    each = -(-count // 4)
    half = np.exp(rng.uniform(np.log(0.3), np.log(last), (each, 1)))
    bend = np.exp(rng.normal(-0.1, 0.4, (each, 1)))
    exponent = np.exp(rng.normal(-0.5, 0.8, (each, 1)))
    offset = np.exp(rng.uniform(np.log(0.1), np.log(0.3 * last), (each, 1)))
    share = rng.uniform(0.0, 0.5, (each, 1))
    annealed = (1.0 + np.cos(np.pi * (t - 1.0) / (last - 1.0))) / 2.0
    families = [
        (t + offset) ** -exponent,
        np.exp(-((t / half) ** bend)),
        1.0 / (1.0 + (t / half) ** (1.5 * bend)),
        (1.0 - share) * np.exp(-((t / half) ** bend)) + share * annealed,
    ]
    raw = np.stack(families, axis=1).reshape(-1, t.size)[:count]
    first, end = raw[:, :1], raw[:, 1:2]
    shapes: Array = (raw[:, 2:] - end) / np.maximum(first - end, 1e-12)
    return shapes


class ShapeCovariance:
    """Covariances of the falling part and of the growing part of a random shape, as features.

    ``falling(t) @ falling(u).T`` is E[s(t) s(u)], ``growing`` the same for 1 - s. Features between milestones are
    interpolated in log step, so the cost does not depend on the horizon.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = max(horizon, 2)
        self._log_steps = np.log(milestones(self.horizon).astype(np.float64))
        shapes = draw_shapes(np.exp(self._log_steps), self.horizon, _DRAWS)
        falling = _features(shapes)
        self._rank = falling.shape[1]
        self._table = np.concatenate([falling, _features(1.0 - shapes)], axis=1)

    def features(self, steps: Array) -> tuple[Array, Array]:
        """Of the part that falls to 0 at the horizon, and of that which grows from 0 at the first step.

        Each is [steps, features].
        """
        last = self._log_steps.size - 1
        place = np.interp(np.log(np.maximum(steps, 1.0)), self._log_steps, np.arange(last + 1.0))
        low = np.minimum(place.astype(np.int64), last - 1)
        weight = (place - low)[:, None]
        both = self._table[low] * (1.0 - weight) + self._table[low + 1] * weight
        return both[:, : self._rank], both[:, self._rank :]

    def falling(self, steps: Array) -> Array:
        """Features of the falling part."""
        return self.features(steps)[0]

    def growing(self, steps: Array) -> Array:
        """Features of the growing part."""
        return self.features(steps)[1]


def _features(shapes: Array) -> Array:
    """Factor the second moment of the draws: [milestones, rank]."""
    values, vectors = np.linalg.eigh(shapes.T @ shapes / len(shapes))
    kept = values > _KEPT * values.sum()
    features: Array = vectors[:, kept] * np.sqrt(values[kept])
    return features


@functools.lru_cache(maxsize=8)
def shape_covariance(horizon: int) -> ShapeCovariance:
    """The covariance for a horizon, made once per process."""
    return ShapeCovariance(horizon)
