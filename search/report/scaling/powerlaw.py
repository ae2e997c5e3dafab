"""Power laws over model sizes and token counts: fitted, checked on the largest size, predicted with intervals. Pure.

``log y = a + b log N + c log D`` by least squares weighted with each size's own error. Intervals come from the draws of
the sizes' optima, widened by the root of chi-square over its degrees of freedom where the sizes scatter about the
law by more than their errors (Birge 1932). An exponent is fitted where its variable varies at least twofold, for equal
values of the other one; where N and D grow together there is one exponent along their path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

LEAST_SPAN = 2.0
"""Factor by which sizes or token counts must differ for an exponent to be fitted."""
LEAST_FOR_LOSS = 3
_TAIL = 0.025
_OFF_PATH = 2.0
_LEAST_ERROR = 1e-6
_TRUST = 3
"""Degrees of freedom that the sizes' own errors are worth against their scatter about the law."""


@dataclass(frozen=True)
class Told:
    """A number with its 95 % interval; without one where nothing is left to tell it from."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """In words.

        >>> str(Told(-0.7134, -0.8, -0.62)), str(Told(0.0123))
        ('-0.713 (95 % interval -0.8 to -0.62)', '0.0123 (no interval)')
        """
        if self.low is None or self.high is None:
            return f"{self.value:.3g} (no interval)"
        return f"{self.value:.3g} (95 % interval {self.low:.3g} to {self.high:.3g})"


def negative(told: Told) -> Told:
    """The same with the other sign.

    >>> negative(Told(0.5, 0.4, 0.7))
    Told(value=-0.5, low=-0.7, high=-0.4)
    """
    low, high = (None if end is None else -end for end in (told.high, told.low))
    return Told(-told.value, low, high)


@dataclass(frozen=True)
class At:
    """Model size and tokens: of what is measured, or of what is to be predicted."""

    n: float
    d: float | None


@dataclass(frozen=True)
class Axes:
    """In which of N and D the measured sizes vary.

    Attributes:
        terms: ``N``, ``D``, both or neither of them.
        path: (factor, exponent) of D = factor x N ^ exponent where the two grow together.
        fixed: the one value of a variable that does not vary.
    """

    terms: tuple[str, ...]
    path: tuple[float, float] | None
    fixed: Mapping[str, float]

    def row(self, at: At) -> list[float]:
        """Regressors of a size."""
        values = {"N": math.log(at.n), "D": math.log(at.d) if at.d else 0.0}
        return [1.0, *(values[term] for term in self.terms)]

    def d_of(self, n: float) -> float | None:
        """Tokens that go with a size: those of the path, or the one count measured; None where they are unknown."""
        return self.path[0] * n ** self.path[1] if self.path is not None else self.fixed.get("D")


def axes(places: Sequence[At]) -> Axes:
    """Find out in which directions sizes vary at least twofold."""
    n = np.log([at.n for at in places])
    known = all(at.d for at in places)
    d = np.log([at.d or 1.0 for at in places])
    twofold = math.log(LEAST_SPAN) - 1e-9
    wide_n, wide_d = bool(np.ptp(n) >= twofold), bool(known and np.ptp(d) >= twofold)
    fixed = {} if wide_n else {"N": float(np.exp(n.mean()))}
    if known and not wide_d:
        fixed["D"] = float(np.exp(d.mean()))
    if not (wide_n and wide_d):
        return Axes(("N",) * wide_n + ("D",) * wide_d, None, fixed)
    slope, start = np.polyfit(n, d, 1)
    back = np.polyfit(d, n, 1)
    off = min(np.ptp(d - (start + slope * n)), np.ptp(n - np.polyval(back, d)))
    if off >= twofold:
        return Axes(("N", "D"), None, {})
    return Axes(("N",), (float(np.exp(start)), float(slope)), {})


@dataclass(frozen=True)
class Law:
    """A fitted power law; ``why`` says what is missing where there is none.

    Attributes:
        exponents: of N and D, those that are identified.
        coefficient: y at N = D = 1.
        exact: as many sizes as unknowns, so no interval.
        scatter: root of chi-square over degrees of freedom about the law; None where it is exact.
        held_out: (predicted, measured) for the largest size by a law through the others; None where they are too few.
    """

    axes: Axes
    exponents: Mapping[str, Told]
    coefficient: float | None
    exact: bool
    scatter: float | None
    held_out: tuple[float, float] | None
    why: str
    draws: Array | None = None

    def predict(self, at: At) -> Told | None:
        """y at a size, with its interval; None where there is no law."""
        if self.draws is None:
            return None
        values = self.draws @ np.array(self.axes.row(at))
        return Told(math.exp(values[0])) if self.exact else _exp(_told(values))

    def off_path(self, at: At) -> bool:
        """Whether the law does not hold for the tokens asked for, because only others were measured."""
        wanted = self.axes.d_of(at.n)
        if at.d is None or wanted is None:
            return False
        return abs(math.log(at.d / wanted)) > math.log(_OFF_PATH)


def power_law(places: Sequence[At], logs: Sequence[float], draws: Sequence[Array]) -> Law:
    """Fit a law.

    Args:
        places: the sizes at which an optimum is identified.
        logs: logarithms of the optima.
        draws: draws of each, of one length.
    """
    found = axes(places) if places else Axes((), None, {})
    if not found.terms:
        what = "one size only" if places else "no size has it"
        return Law(found, {}, None, False, None, None, what if len(places) < 2 else "sizes differ less than twofold")
    unknown = len(found.terms) + 1
    matrix = np.array([found.row(at) for at in places])
    if len(places) < unknown:
        return Law(found, {}, None, False, None, None, f"{len(places)} sizes for {unknown} unknowns")
    measured = np.vstack([logs, np.stack(draws, axis=1)])
    fitted, scatter = _weighted(matrix, measured)
    exact = len(places) == unknown
    if not exact:
        fitted[1:] = fitted[0] + _widening(scatter, len(places) - unknown) * (fitted[1:] - fitted[0])
    told = {}
    for i, term in enumerate(found.terms, 1):
        told[term] = Told(float(fitted[0, i])) if exact else _told(fitted[:, i])
    return Law(
        found, told, math.exp(fitted[0, 0]), exact, None if exact else scatter, _held_out(places, logs, draws), "",
        fitted,
    )  # fmt: skip


def _widening(scatter: float, freedom: int) -> float:
    """Factor on intervals: by the scatter about the law as far as so few sizes tell it, and for how few they are."""
    from scipy.special import stdtrit

    joint = freedom + _TRUST
    return max(1.0, math.sqrt((_TRUST + freedom * scatter**2) / joint)) * float(stdtrit(joint, 1 - _TAIL)) / 1.96


def _weighted(matrix: Array, measured: Array) -> tuple[Array, float]:
    """Weighted least squares for each row of measurements, and the scatter of the first row about its law."""
    q = np.quantile(measured[1:], (_TAIL, 1 - _TAIL), axis=0)
    error = np.maximum((q[1] - q[0]) / 3.92, _LEAST_ERROR)
    error = np.sqrt(error * math.exp(float(np.log(error).mean())))  # half of how errors differ is their own error
    whitened = matrix / error[:, None]
    fitted = np.linalg.lstsq(whitened, (measured / error).T, rcond=None)[0].T
    freedom = len(matrix) - matrix.shape[1]
    left = (measured[0] - matrix @ fitted[0]) / error
    return fitted, math.sqrt(float(left @ left) / freedom) if freedom else 0.0


def _held_out(places: Sequence[At], logs: Sequence[float], draws: Sequence[Array]) -> tuple[float, float] | None:
    """The largest size's optimum by a law through the others, and as measured."""
    largest = max(range(len(places)), key=lambda i: (places[i].n, places[i].d or 0.0))
    rest = [i for i in range(len(places)) if i != largest]
    inner = axes([places[i] for i in rest]) if len(rest) > 1 else None
    if inner is None or inner.terms != axes(places).terms or len(rest) < len(inner.terms) + 1:
        return None
    matrix = np.array([inner.row(places[i]) for i in rest])
    fitted, _ = _weighted(matrix, np.vstack([[logs[i] for i in rest], np.stack([draws[i] for i in rest], axis=1)]))
    return math.exp(float(fitted[0] @ inner.row(places[largest]))), math.exp(logs[largest])


@dataclass(frozen=True)
class LossLaw:
    """L = E + A / N^alpha (+ B / D^beta), the terms of what varies (Hoffmann et al. 2022); or why there is none.

    ``draws`` are rows of E, then A and alpha, then B and beta; intervals are theirs times ``widening``.
    """

    axes: Axes
    floor: Told | None
    exponents: Mapping[str, Told]
    why: str
    draws: Array | None = None
    widening: float = 1.0

    def predict(self, at: At) -> Told | None:
        """Loss at a size, with its interval; None where there is no law."""
        if self.draws is None:
            return None
        values = self.draws[:, 0].copy()
        for i, x in enumerate(self.axes.row(at)[1:]):
            values += self.draws[:, 1 + 2 * i] * np.exp(-self.draws[:, 2 + 2 * i] * x)
        return _told(values, self.widening)


_GRID = np.geomspace(0.02, 2.0, 48)


def loss_law(places: Sequence[At], losses: Sequence[float], draws: Sequence[Array]) -> LossLaw:
    """Fit the loss at the best rate of each size: exponents on a grid, the rest linear.

    Args:
        places: sizes.
        losses: at their best rate.
        draws: draws of each.
    """
    found = axes(places) if places else Axes((), None, {})
    terms = len(found.terms)
    needed = max(LEAST_FOR_LOSS, 1 + 2 * terms)
    if not terms or len(places) < needed:
        return LossLaw(found, None, {}, f"it takes {needed} sizes, and there are {len(places)}")
    measured = np.vstack([losses, np.stack(draws, axis=1)[:1000]])
    error = np.maximum(measured[1:].std(axis=0), _LEAST_ERROR)
    regressors = np.array([found.row(at)[1:] for at in places])
    best = np.full(len(measured), np.inf)
    fitted = np.zeros((len(measured), 1 + 2 * terms))
    ends = np.zeros(len(measured), dtype=bool)
    for powers in product(_GRID, repeat=terms):
        matrix = np.column_stack([np.ones(len(places)), np.exp(-regressors * np.array(powers))])
        scale = np.abs(matrix).max(axis=0)
        inner = np.linalg.lstsq(matrix / scale / error[:, None], (measured / error).T, rcond=None)[0].T / scale
        left = np.square((measured - inner @ matrix.T) / error).sum(axis=1)
        better = (left < best) & (inner > 0).all(axis=1)
        best[better] = left[better]
        ends[better] = any(power in (_GRID[0], _GRID[-1]) for power in powers)
        fitted[better, 0] = inner[better, 0]
        for i, power in enumerate(powers):
            fitted[better, 1 + 2 * i], fitted[better, 2 + 2 * i] = inner[better, 1 + i], power
    lost = ends | ~np.isfinite(best)
    if lost[0] or lost[1:].mean() > 2 * _TAIL:
        return LossLaw(found, None, {}, "the floor of the loss and its exponents cannot be told apart from these sizes")
    kept = np.vstack([fitted[:1], fitted[1:][~lost[1:]]])
    freedom = len(places) - 1 - 2 * terms
    factor = _widening(math.sqrt(float(best[0]) / freedom) if freedom else 0.0, freedom)
    told = {term: _told(kept[:, 2 + 2 * i], factor) for i, term in enumerate(found.terms)}
    return LossLaw(found, _told(kept[:, 0], factor), told, "", kept, factor)


def _told(values: Array, widening: float = 1.0) -> Told:
    """The first value, with the interval of the others."""
    low, high = np.quantile(values[1:], (_TAIL, 1 - _TAIL))
    point = float(values[0])
    return Told(
        point, point + widening * min(float(low) - point, 0.0), point + widening * max(float(high) - point, 0.0)
    )


def drift(logs: Sequence[float], draws: Sequence[Array]) -> Told:
    """Factor between the largest and the smallest best rate, with the interval of that pair's ratio."""
    high, low = int(np.argmax(logs)), int(np.argmin(logs))
    return _exp(_told(np.concatenate([[logs[high] - logs[low]], draws[high] - draws[low]])))


def _exp(told: Told) -> Told:
    assert told.low is not None
    assert told.high is not None
    return Told(math.exp(told.value), math.exp(told.low), math.exp(told.high))
