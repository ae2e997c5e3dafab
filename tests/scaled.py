"""Made-up trials whose best rate is known, for the tests of `hpo scale`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.search.report.scaling.runs import Run, Runs

Array = NDArray[np.float64]

SIZES = (1e4, 4e4, 16e4, 64e4)


def loss_above(best: Array | float, rate: Array) -> Array:
    """What a rate costs: flat below the best one, steep above it, as training is."""
    away = np.log(rate / best)
    raised: Array = 0.4 * (np.exp(0.5 * away) - 1 - 0.5 * away)
    return raised


def tried(best: float, seed: int, *, trials: int = 24, noise: float = 0.01, floor: float = 2.0) -> tuple[Array, Array]:
    """Rates over three decades about the best one, and what they reach."""
    generator = np.random.default_rng(seed)
    rate = best * np.exp(generator.uniform(-3.5, 3.5, trials) + generator.uniform(-0.5, 0.5))
    return rate, floor + loss_above(best, rate) + noise * generator.standard_normal(trials)


def covers(low: float | None, value: float, high: float | None) -> bool:
    assert low is not None
    assert high is not None
    return low <= value <= high


def runs_of(
    law: Any, sizes: Sequence[tuple[float, float | None]], seed: int = 0, *, noise: float = 0.01, **recipe: Any
) -> list[Run]:
    """Runs of sizes whose best rate is ``law(n, d)``."""
    found = []
    for place, (n, d) in enumerate(sizes):
        floor = 1.0 + 20.0 * n**-0.3
        rates, costs = tried(law(n, d), 100 * seed + place, noise=noise, floor=floor)
        for number, (rate, cost) in enumerate(zip(rates.tolist(), costs.tolist(), strict=True)):
            known = {"learning_rate": rate, "width": round(math.sqrt(n)), "seed": number, **recipe}
            found.append(Run(f"s{place}", number, n, d, 512.0, rate, cost, known))
    return found


def held(runs: Sequence[Run], goal: str = "minimize val_loss") -> Runs:
    return Runs(goal, "learning_rate", tuple(runs), {"pruned": 3}, "tokens", "size(recipe)", ("s0", "s1"))


def surface(seed: int, *, at_rate: float = 0.01, at_batch: float = 256.0, noise: float = 0.02) -> tuple[Array, ...]:
    """Rates and batches on a ridge: larger batches want larger rates."""
    generator = np.random.default_rng(seed)
    batch = generator.choice(2.0 ** np.arange(4, 13), 40)
    rate = at_rate * np.exp(generator.uniform(-3, 3, 40))
    lean = np.log(batch / at_batch)
    cost = 2 + loss_above(at_rate, rate / np.exp(0.5 * lean)) + 0.04 * lean**2
    return rate, batch, cost + noise * generator.standard_normal(40)
