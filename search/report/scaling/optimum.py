"""The best learning rate and batch of one model size: the lowest point of a surface through its better trials. Pure.

The luckiest trial is not the best rate. The surface is a polynomial in the logarithms: of third degree in the rate,
since loss rises faster above the best rate than below it and a parabola through both sides is pulled off it; of second
degree in the batch where that varies, with the rate measured from the valley of rates that suit each batch. It goes
through the better half of the complete trials, at least as many as it has coefficients and four more; where these lie
on a plateau it has no lowest point that means anything (see ``plateau``). Intervals are
those of the least-squares fit: coefficients are drawn from their multivariate Student distribution, and each draw has a
lowest point of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.search.report.batch import Estimate
from hpo.search.report.scaling.plateau import plateau
from hpo.search.report.scaling.regression import coefficients

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

DRAWS = 2000
"""Draws of the coefficients, from a fixed seed: the same trials give the same interval."""
FREEDOM = 4
"""Trials beyond the number of coefficients that a fit takes at least."""
LEAST_RATES = 5
LEAST_BATCHES = 3
_TAIL = 0.025
_NEAR_END = 0.1


@dataclass(frozen=True)
class Place:
    """Where the lowest point lies along one knob; in logarithms, or ``why`` it is not identified.

    ``draws`` are of shape [DRAWS], in the range of the trials used.
    """

    estimate: Estimate | None
    draws: Array | None
    why: str = ""


@dataclass(frozen=True)
class Optimum:
    """The lowest point of the surface of one size.

    Attributes:
        trials: complete ones; ``used`` of them are fitted.
        rate: the best learning rate: at the best batch, or at ``at`` where one was asked for.
        batch: the best batch; None where it does not vary.
        cost: the surface's value there, lower is better; None where the rate is not identified.
    """

    trials: int
    used: int
    rate: Place
    batch: Place | None
    cost: Place | None


def optimum(rate: Array, batch: Array | None, cost: Array, *, at: float | None = None) -> Optimum:
    """Fit the surface and find its lowest point.

    Args:
        rate: learning rates, of shape [trials], above 0.
        batch: tokens per step, of shape [trials], above 0; None where they are unknown.
        cost: final values, lower is better, finite.
        at: batch at which the best rate is wanted; None for that of the lowest point, where it has one.
    """
    tried = np.log(rate)
    batches = None if batch is None or len(set(batch.tolist())) < 2 else np.log(batch)
    least = 4 + FREEDOM + (0 if batches is None else _extra(batches))
    order = np.argsort(cost, kind="stable")[: max(least, (len(cost) + 1) // 2)]
    if len(cost) < least:
        nothing = f"{len(cost)} of at least {least} complete trials"
        return _unknown(len(cost), 0, nothing, batches is not None)
    x, y = tried[order], cost[order]
    if len(np.unique(np.round(x, 6))) < LEAST_RATES:
        few = f"{len(np.unique(np.round(x, 6)))} of at least {LEAST_RATES} different rates among the better trials"
        return _unknown(len(cost), len(order), few, batches is not None)
    z = None if batches is None else batches[order]
    lean = _lean(x, z, y)
    if batches is not None:  # rates as they would be at the middle batch
        tried, x = tried - lean * (batches - z.mean()), x - lean * (z - z.mean())  # type: ignore[union-attr]
    surface = _Surface.fit(x, z, y)
    if surface is None:
        return _unknown(len(cost), len(order), "rate and batch vary together only: vary each", batches is not None)
    place = None if batches is None else _batch(surface, batches)
    w = surface.scaled_batch(at)
    w = None if place is not None and place.estimate is not None and at is None else w
    slopes = surface.along_rate(w)
    where, low, high = _lowest(*slopes), float(surface.u.min()), float(surface.u.max())
    shift = lean * (surface.to_batch(surface.batch_at(w)) - surface.batch[0])
    found = _place(where, slopes, low, high, tried, surface.to_rate, "rate", shift)
    if found.estimate is not None and (why := plateau(x, y - surface.of_batch())):
        found = Place(None, None, why)
    if found.estimate is None:
        return Optimum(len(cost), len(order), found, place, None)
    costs = surface.cost(_within(where, slopes, low, high)[0], w)
    q = np.quantile(costs[1:], (_TAIL, 1 - _TAIL))
    value = Estimate(float(costs[0]), float(min(q[0], costs[0])), float(max(q[1], costs[0])))
    return Optimum(len(cost), len(order), found, place, Place(value, costs[1:]))


def _extra(batches: Array) -> int:
    return 3 if len(np.unique(np.round(batches, 6))) >= LEAST_BATCHES else 2


def _unknown(trials: int, used: int, why: str, batches: bool) -> Optimum:
    return Optimum(trials, used, Place(None, None, why), Place(None, None, why) if batches else None, None)


@dataclass(frozen=True)
class _Surface:
    """b0 + b1 u + b2 u^2 + b3 u^3 (+ b4 w + b5 u w (+ b6 w^2)), u and w the standardized logarithms of rate and batch.

    ``draws`` has the fitted coefficients in its first row.
    """

    u: Array
    w: Array | None
    draws: Array
    rate: tuple[float, float]
    batch: tuple[float, float]

    @classmethod
    def fit(cls, x: Array, z: Array | None, y: Array) -> _Surface | None:
        u, rate = _standard(x)
        columns = [np.ones_like(u), u, u**2, u**3]
        w, batch = (None, (0.0, 1.0)) if z is None or np.ptp(z) < 1e-9 else _standard(z)
        if w is not None and z is not None:
            columns += [w, u * w] + ([w**2] if _extra(z) == 3 else [])
        matrix = np.stack(columns, axis=1)
        if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
            return None
        found, drawn = coefficients(matrix, y, DRAWS)
        return cls(u, w, np.vstack([found, drawn]), rate, batch)

    def along_rate(self, w: float | None) -> tuple[Array, Array, Array]:
        """Coefficients of u, u^2, u^3 at a batch; at the best one for each rate where it is None."""
        b1, b2, b3 = self.draws[:, 1], self.draws[:, 2], self.draws[:, 3]
        if self.w is None:
            return b1, b2, b3
        b4, b5 = self.draws[:, 4], self.draws[:, 5]
        if w is not None:
            return b1 + b5 * w, b2, b3
        bend = np.where(self.draws[:, 6] > 0, self.draws[:, 6], np.nan)  # no bend, no best batch
        return b1 - b4 * b5 / (2 * bend), b2 - b5**2 / (4 * bend), b3

    def best_batch(self) -> Array:
        """The best w of each draw at its best rate; infinite where the surface has no lowest point in w."""
        bend = self.draws[:, 6]
        rates = np.clip(np.nan_to_num(_lowest(*self.along_rate(None))), self.u.min(), self.u.max())
        slope = self.draws[:, 4] + self.draws[:, 5] * rates
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(bend > 0, -slope / (2 * bend), np.nan)

    def cost(self, u: Array, w: float | None) -> Array:
        """Value of each draw at its own rate, and at a batch or its best one."""
        b = self.draws
        value = b[:, 0] + b[:, 1] * u + b[:, 2] * u**2 + b[:, 3] * u**3
        if self.w is None:
            return value
        at = self.batch_at(w)
        value = value + b[:, 4] * at + b[:, 5] * u * at
        return value + b[:, 6] * at**2 if b.shape[1] > 6 else value

    def of_batch(self) -> Array:
        """What each trial owes to its batch alone."""
        if self.w is None:
            return np.zeros_like(self.u)
        b = self.draws[0]
        value: Array = b[4] * self.w + (b[6] * self.w**2 if len(b) > 6 else 0.0)
        return value

    def batch_at(self, w: float | None) -> Array:
        """A batch for each draw: its best one within those tried where none is given."""
        if w is not None or self.w is None:
            return np.full(len(self.draws), w or 0.0)
        settled: Array = np.clip(np.nan_to_num(self.best_batch()), self.w.min(), self.w.max())
        return settled

    def scaled_batch(self, at: float | None) -> float | None:
        """A batch in the surface's own units; its trials' middle where none is given."""
        if self.w is None:
            return None
        return 0.0 if at is None else (math.log(at) - self.batch[0]) / self.batch[1]

    def to_rate(self, u: Any) -> Any:
        return self.rate[0] + self.rate[1] * u

    def to_batch(self, w: Any) -> Any:
        return self.batch[0] + self.batch[1] * w


def _standard(values: Array) -> tuple[Array, tuple[float, float]]:
    middle, spread = float(values.mean()), float(values.std())
    return (values - middle) / spread, (middle, spread)


def _lean(x: Array, z: Array | None, y: Array) -> float:
    """By which power of the batch the best rate rises, on a surface of second degree; 0 where that has no valley."""
    if z is None or np.ptp(z) < 1e-9:
        return 0.0
    (u, (_, wide)), (w, (_, long)) = _standard(x), _standard(z)
    columns = [np.ones_like(u), u, u**2, w, u * w, *([w**2] if _extra(z) == 3 else [])]
    found = np.linalg.lstsq(np.stack(columns, axis=1), y, rcond=None)[0]
    return 0.0 if found[2] <= 0 else float(np.clip(-found[4] / (2 * found[2]) * wide / long, -2.0, 2.0))


def _lowest(b1: Array, b2: Array, b3: Array) -> Array:
    """Where b1 u + b2 u^2 + b3 u^3 has its minimum; NaN where it has none."""
    inside = b2**2 - 3 * b1 * b3
    root = np.sqrt(np.maximum(inside, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        # of the two stationary points the one with upward bend, written so that b3 may be 0
        plus = np.where(b2 + root > 0, -b1 / (b2 + root), np.nan)
        other = np.where(b3 != 0, (-b2 + root) / (3 * b3), np.nan)
    return np.where(inside > 0, np.where(b2 + root > 1e-12, plus, other), np.nan)


def _batch(surface: _Surface, tried: Array) -> Place:
    """The best batch."""
    if surface.w is None:
        return _one_sided(surface, tried)
    if surface.draws.shape[1] < 7:
        return Place(None, None, f"at least {LEAST_BATCHES} batch sizes are needed")
    where = surface.best_batch()
    bend, slope = surface.draws[:, 6], surface.draws[:, 4]
    low, high = float(surface.w.min()), float(surface.w.max())
    return _place(where, (slope, bend, np.zeros_like(bend)), low, high, tried, surface.to_batch, "batch")


def _one_sided(surface: _Surface, tried: Array) -> Place:
    return Place(None, None, "all of the better trials have one batch: search smaller and larger ones")


def _place(
    where: Array,
    slopes: tuple[Array, Array, Array],
    low: float,
    high: float,
    tried: Array,
    back: Any,
    word: str,
    shift: Array | float = 0.0,
) -> Place:
    """Point and interval of the lowest place, moved by a shift, from all draws; the first draw is the fit itself."""
    settled, above, below = _within(where, slopes, low, high)
    inside = ~above & ~below
    over, under = float(above[1:].mean()), float(below[1:].mean())
    if not inside[0] or over > _TAIL or under > _TAIL:
        upward = bool(above[0]) if not inside[0] else over >= under
        end, edge = (back(high), tried.max()) if upward else (back(low), tried.min())
        if abs(end - edge) <= _NEAR_END * float(np.ptp(tried)):
            side, to = ("highest", "up to") if upward else ("lowest", "down to")
            wanted = math.exp(edge) * (4.0 if upward else 0.25)
            may = "lies" if not inside[0] else "may lie"
            beyond = "above" if upward else "below"
            why = f"it {may} {beyond} {math.exp(edge):.3g}, the {side} {word} tried: search {to} {wanted:.2g}"
            return Place(None, None, why)
        between = f"{math.exp(back(low)):.2g} and {math.exp(back(high)):.2g}"
        return Place(None, None, f"the bend is not clear of the noise: more trials between {between}")
    found = np.asarray(back(settled) + shift, dtype=np.float64)
    q = np.quantile(found[1:], (_TAIL, 1 - _TAIL))
    point = float(found[0])
    ends = (min(float(q[0]), point), max(float(q[1]), point))
    return Place(Estimate(math.exp(point), math.exp(ends[0]), math.exp(ends[1])), found[1:])


def _within(where: Array, slopes: tuple[Array, Array, Array], low: float, high: float) -> tuple[Array, Mask, Mask]:
    """The lowest places, at the lower one of both ends where there is none inside; masks of those above, and below."""
    b1, b2, b3 = slopes
    falls = (b1 * (high - low) + b2 * (high**2 - low**2) + b3 * (high**3 - low**3)) < 0
    inside = np.isfinite(where) & (where >= low) & (where <= high)
    settled: Array = np.where(inside, where, np.where(falls, high, low))
    return settled, ~inside & falls, ~inside & ~falls
