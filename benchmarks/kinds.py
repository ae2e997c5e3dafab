"""Made curves on which early points mislead in known ways, as tables that a search can be replayed on.

A kind says what is wrong with early points; an instance of it, made from a number, has its own recipes, constants and
noise. Of every kind the even instances are for choosing constants and the odd ones for reporting.

``crossing``    fast rates fall at once and end high, slow ones cross them late
``late``        what is gained in the last fifth, as a rate decays, is most for those that looked worst
``noisy``       validation scatters by as much as the better recipes differ
``upward``      what falls fast turns upward before it has got far
``steady``      the good ones fall slowly and without a bend, the others drop and stall
``plateau``     nearly all stay where they began; the few that learn begin slightly above and fall late
``flat``        curves say at their first point what they come to
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from tables import Table

from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space

Array = NDArray[np.float64]

HORIZON = 30
_RECIPES = 600
_SPACE = Space(
    (
        Parameter("rate", Float(1e-4, 1e-1, log=True)),
        Parameter("decay", Float(1e-5, 1e-1, log=True)),
        Parameter("dropout", Float(0.0, 0.7)),
        Parameter("idle", Float(0.0, 1.0)),
    )
)


def table(kind: str, instance: int) -> Table:
    """One instance of a kind."""
    rng = np.random.default_rng([instance, sorted(KINDS).index(kind)])
    units = rng.random((_RECIPES, len(_SPACE)))
    truth = KINDS[kind](rng, units, np.arange(1.0, HORIZON + 1.0))
    scatter = _SCATTER.get(kind, 0.003)
    curves = truth + scatter * rng.standard_normal(truth.shape)
    return Table(f"{kind} {instance}", _SPACE, units, curves, truth)


_SCATTER = {"noisy": 0.06, "plateau": 0.0005}
"""Standard deviation of what validation adds."""


def _bowl(rng: np.random.Generator, units: Array, columns: int) -> Array:
    """How far recipes are from the best place of these many knobs, about 0 to 1, and what no knob explains."""
    centre = rng.uniform(0.2, 0.8, columns)
    off: Array = ((units[:, 1 : 1 + columns] - centre) ** 2).sum(axis=1) + 0.02 * rng.standard_normal(len(units))
    return np.maximum(off, 0.0)


def _falling(t: Array, time: Array) -> Array:
    """Exponential falls from 1 at step 0, [recipes, steps]."""
    fall: Array = np.exp(-t[None] / time[:, None])
    return fall


def _crossing(rng: np.random.Generator, units: Array, t: Array) -> Array:
    rate, off = units[:, 0], _bowl(rng, units, 2)
    best = rng.uniform(0.25, 0.4)
    end = 0.1 + 0.5 * np.maximum(rate - best, 0.0) + 0.6 * np.maximum(best - rate, 0.0) + 0.4 * off
    time = HORIZON * 0.35 * 10.0 ** (-1.4 * (rate - best))
    return end[:, None] + 1.2 * _falling(t, time)


def _late(rng: np.random.Generator, units: Array, t: Array) -> Array:
    rate, off = units[:, 0], _bowl(rng, units, 2)
    best = rng.uniform(0.6, 0.8)
    early = 0.3 + 0.5 * rate + 0.3 * off  # the floor that its noise sets
    end = 0.1 + 0.7 * (rate - best) ** 2 + 0.4 * off
    annealed = 1.0 / (1.0 + np.exp(-(t / HORIZON - 0.87) / 0.03))
    return early[:, None] + (end - early)[:, None] * annealed + 0.5 * _falling(t, 1.0 + 3.0 * (1.0 - rate))


def _noisy(rng: np.random.Generator, units: Array, t: Array) -> Array:
    rate, off = units[:, 0], _bowl(rng, units, 2)
    end = 0.2 + 0.3 * (rate - rng.uniform(0.3, 0.7)) ** 2 + 0.25 * off
    return end[:, None] + 0.15 * _falling(t, HORIZON * rng.uniform(0.1, 0.5, len(units)))


def _upward(rng: np.random.Generator, units: Array, t: Array) -> Array:
    rate, off = units[:, 0], _bowl(rng, units, 2)
    time = HORIZON * 0.4 * 10.0 ** (-1.5 * rate)
    turned = np.maximum(t[None] - 2.5 * time[:, None], 0.0) / HORIZON
    return (0.15 + 0.5 * rate + 0.4 * off)[:, None] + _falling(t, time) + 0.8 * turned


def _steady(rng: np.random.Generator, units: Array, t: Array) -> Array:
    off = _bowl(rng, units, 2)
    steady = units[:, 0] < rng.uniform(0.25, 0.4)
    stalled = (0.45 + 0.4 * off)[:, None] + 0.6 * _falling(t, 1.0 + 2.0 * rng.random(len(units)))
    straight = 1.1 - (1.0 - 0.6 * off)[:, None] * t[None] / HORIZON
    return np.where(steady[:, None], straight, stalled)


def _plateau(rng: np.random.Generator, units: Array, t: Array) -> Array:
    off = _bowl(rng, units, 2)
    score = np.abs(units[:, 0] - rng.uniform(0.3, 0.7)) + 0.6 * off
    learns = score < np.quantile(score, 0.12)
    leaves = HORIZON * rng.uniform(0.1, 0.4, len(units))
    depth = np.maximum(0.6 - score, 0.2)
    fall = depth[:, None] * (1.0 - np.exp(-np.maximum(t[None] - leaves[:, None], 0.0) / 6.0))
    flat = np.repeat(0.693 + 0.01 * rng.random((len(units), 1)), t.size, axis=1)
    return np.where(learns[:, None], flat + 0.01 - fall, flat)


def _flat(rng: np.random.Generator, units: Array, t: Array) -> Array:
    end = 0.2 + (units[:, 0] - rng.uniform(0.3, 0.7)) ** 2 + _bowl(rng, units, 2)
    return end[:, None] + 0.01 * _falling(t, np.full(len(units), 3.0))


KINDS: Mapping[str, Callable[[np.random.Generator, Array, Array], Array]] = {
    "crossing": _crossing,
    "late": _late,
    "noisy": _noisy,
    "upward": _upward,
    "steady": _steady,
    "plateau": _plateau,
    "flat": _flat,
}
