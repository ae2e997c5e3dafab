"""Learning rate as a function of the optimizer step, relative to the highest rate.

Steps count from 0 to ``total - 1``. The first ``round(warmup * total)`` steps rise linearly, the last of them at the
full rate; ``u`` in [0, 1) is the share of the remaining steps already done, as in the schedulers of torch.

Pure: no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hpo.search.cohort.recipe import TrainingRecipe


def constant(u: float, recipe: TrainingRecipe) -> float:
    """Stay at the full rate."""
    return 1.0


def step(u: float, recipe: TrainingRecipe) -> float:
    """Drop by ``decay`` at ``drops`` evenly spaced places."""
    return recipe.decay ** math.floor(u * (recipe.drops + 1) + 1e-9)


def exponential(u: float, recipe: TrainingRecipe) -> float:
    """Fall by the same factor every step, by ``decay`` over the run."""
    return float(recipe.decay**u)


def linear(u: float, recipe: TrainingRecipe) -> float:
    """Fall in a straight line to ``floor``."""
    return 1.0 - (1.0 - recipe.floor) * u


def cosine(u: float, recipe: TrainingRecipe) -> float:
    """Fall along half a cosine to ``floor`` (Loshchilov and Hutter 2017, eq. 5)."""
    return recipe.floor + (1.0 - recipe.floor) * 0.5 * (1.0 + math.cos(math.pi * u))


_SCHEDULES: dict[str, Callable[[float, TrainingRecipe], float]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "linear": linear,
    "cosine": cosine,
}


def rate(recipe: TrainingRecipe, at: int, total: int) -> float:
    """Learning rate of optimizer step ``at`` of ``total``.

    >>> recipe = TrainingRecipe(learning_rate=1.0, schedule="linear", warmup=0.5)
    >>> [rate(recipe, at, 4) for at in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = round(recipe.warmup * total)
    if at < rising:
        return recipe.learning_rate * (at + 1) / rising
    u = (at - rising) / max(1, total - rising)
    return recipe.learning_rate * max(recipe.floor, _SCHEDULES[recipe.schedule](u, recipe))
