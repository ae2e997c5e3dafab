"""The recorded curves of a study as flat arrays, in the surrogate's units, thinned to what inference can afford."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

_DEPTH = 0.2  # of what is worse than the median first point
_LOST = -1.0  # what diverges or crashes
_FAR = 1e149
_BEND = 0.6745 * 6.0**0.5  # median size of a second difference of standard normal noise
_BENDS = 5  # fewer second differences tell nothing of the noise


@dataclass(frozen=True)
class Units:
    """A scale on which the best value is 1, the median first point 0, and differences near the best stand out.

    Distances from the best are compressed by asinh in units of how far the better trials are from it. What is worse
    than the median first point lies between 0 and -0.2: how bad a bad recipe is says nothing of where the good ones
    are, and a process that had to explain it would see less of what tells them apart. What is lost lies at -1.

    Attributes:
        best: best value, smaller is better.
        near: the distance from the best up to which the scale is linear.
        top: compressed distance of the median first point.
    """

    best: float
    near: float
    top: float

    @staticmethod
    def of(firsts: Array, bests: Array, share: float = 0.1) -> Units:
        """Units for trials with these first and best values, smaller is better; ``share`` of them count as near."""
        begun, found = (np.sort(values[np.isfinite(values)]).tolist() for values in (firsts, bests))
        return Units.ranked(begun, found, firsts.size, share)

    @staticmethod
    def ranked(firsts: Sequence[float], bests: Sequence[float], trials: int, share: float) -> Units:
        """The same, of the finite values in ascending order, and the number of all trials."""
        if not bests:
            return Units(0.0, 1.0, 1.0)
        best, worst = bests[0], bests[-1]
        place, lost = bisect.bisect_left(firsts, worst), trials - len(firsts)  # what is lost began no better than that

        def first_at(i: int) -> float:
            return firsts[i] if i < place else worst if i < place + lost else firsts[i - lost]

        def best_at(i: int) -> float:
            return bests[min(i, len(bests) - 1)]

        first = first_at((trials - 1) // 2) / 2.0 + first_at(trials // 2) / 2.0  # the median, without overflow
        whole, rest = divmod(share * (trials - 1), 1.0)
        below, above = best_at(int(whole)) / 2.0, best_at(int(whole) + 1) / 2.0
        near = 2.0 * (below + rest * (above - below) - best / 2.0)
        near = min(max(near, 1e-3 * (first - best), 1e-9 * abs(best), 1e-150), 1e150)
        return Units(best, near, max(float(np.arcsinh((first - best) / near)), 1.0))

    def scaled(self, values: Array) -> Array:
        """Values on the scale, larger is better; NaN and infinity are at -1, well below everything else."""
        finite = np.isfinite(values)
        halves = np.where(finite, values, self.best) / 2.0 - self.best / 2.0  # no overflow
        distance = np.clip(halves, 0.0, self.near * _FAR) / (self.near / 2.0)
        z = 1.0 - np.arcsinh(distance) / self.top
        scaled: Array = np.where(finite, np.where(z >= 0, z, _DEPTH * np.tanh(z / _DEPTH)), _LOST)
        return scaled


@dataclass(frozen=True)
class History:
    """All points of a study's trials, trial after trial.

    Attributes:
        trial: place of the point's trial among those given, [points].
        steps: [points].
        values: [points], smaller is better.
        starts: where each trial's points begin, [trials].
    """

    trial: Index
    steps: Array
    values: Array
    starts: Index

    @staticmethod
    def of(curves: Sequence[Array]) -> History:
        """Join curves, each an array of [points, 2] with at least one point."""
        sizes = np.array([len(curve) for curve in curves], dtype=np.int64)
        points = np.concatenate(curves) if curves else np.empty((0, 2))
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if curves else sizes
        return History(np.repeat(np.arange(sizes.size), sizes), points[:, 0], points[:, 1], starts)

    @property
    def firsts(self) -> Array:
        """First value of each trial."""
        return self.values[self.starts]

    @property
    def bests(self) -> Array:
        """Best value of each trial; infinite where it has none that is finite."""
        finite = np.where(np.isfinite(self.values), self.values, np.inf)
        bests: Array = np.minimum.reduceat(finite, self.starts)
        return bests

    def thinned(self, limit: int, whole: int, grid: Index) -> Index:
        """Indices of at most ``limit`` points.

        Of the ``whole`` best trials the points at the steps in ``grid`` and the last, of the others the first and the
        last; then, from the worst trial up, all but the last, then that too.
        """
        ends = np.append(self.starts[1:], self.values.size) - 1
        rank = np.empty(self.starts.size, dtype=np.int64)
        rank[np.argsort(self.bests, kind="stable")] = np.arange(self.starts.size)
        last = np.zeros(self.values.size, dtype=bool)
        last[ends] = True
        kept = last.copy()
        kept[self.starts] = True
        kept |= (rank[self.trial] < whole) & np.isin(self.steps, grid)
        kept = _dropped(kept, kept & ~last, rank[self.trial], limit)
        kept = _dropped(kept, kept, rank[self.trial], limit)
        return np.flatnonzero(kept)


def bends(values: Array) -> Array:
    """Sizes of the finite second differences of one curve's values."""
    with np.errstate(invalid="ignore", over="ignore"):
        sizes = np.abs(values[2:] - 2.0 * values[1:-1] + values[:-2])
    finite: Array = sizes[np.isfinite(sizes)]
    return finite


def noise_of(ordered: Sequence[float]) -> float:
    """Standard deviation of the noise within curves, from all their ``bends`` in ascending order; 0 if unknown."""
    count = len(ordered)
    if count < _BENDS:
        return 0.0
    return (ordered[(count - 1) // 2] / 2.0 + ordered[count // 2] / 2.0) / _BEND


def _dropped(kept: Mask, candidates: Mask, rank: Index, limit: int) -> Mask:
    """Drop candidates of whole trials, worst rank first, until at most ``limit`` points are kept."""
    excess = int(kept.sum()) - limit
    if excess <= 0:
        return kept
    counts = np.bincount(rank[candidates], minlength=int(rank.max()) + 1)
    from_worst = np.cumsum(counts[::-1])
    first_kept = len(counts) - 1 - int(np.searchsorted(from_worst, excess))
    return kept & ~(candidates & (rank >= first_kept))
