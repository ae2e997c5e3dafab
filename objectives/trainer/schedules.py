"""Learning rate as a function of the optimizer step, relative to the highest rate.

Steps count from 0 to ``total - 1``; they may be fractions where their number follows from the run (see ``plan``), so
that a schedule goes by the share of samples seen. The first ``round(warmup * total)`` steps rise linearly, the last of
them at the full rate; ``u`` in [0, 1) is the share of the remaining steps already done, as in the schedulers of torch.

Pure: no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from hpo.objectives.trainer.training_recipe import TrainingRecipe


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


def polynomial(u: float, recipe: TrainingRecipe) -> float:
    """Fall to ``floor`` along a power of the remaining share."""
    return recipe.floor + (1.0 - recipe.floor) * float((1.0 - u) ** recipe.power)


def wsd(u: float, recipe: TrainingRecipe) -> float:
    """Stay at the full rate, then fall in a straight line to ``floor`` (warm-up, stable, decay)."""
    return linear(max(0.0, (u - 1 + recipe.cooldown) / recipe.cooldown) if recipe.cooldown else 0.0, recipe)


_SCHEDULES: dict[str, Callable[[float, TrainingRecipe], float]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "linear": linear,
    "cosine": cosine,
    "polynomial": polynomial,
    "wsd": wsd,
}


def one_cycle(recipe: TrainingRecipe, at: float, total: int) -> float:
    """Rise from 1/25 and fall to 1/250000 along cosines (Smith and Topin 2018), as torch's OneCycleLR does.

    The rise takes ``warmup`` of all steps, 0.3 where there is none.
    """
    top = max((recipe.warmup or 0.3) * total - 1, 1e-9)
    if at <= top:
        return 1 - (1 - 1 / 25) * 0.5 * (1 + math.cos(math.pi * at / top))
    share = (at - top) / max(total - 1 - top, 1e-9)
    return max(recipe.floor, 1 / 250000 + (1 - 1 / 250000) * 0.5 * (1 + math.cos(math.pi * share)))


def factor(recipe: TrainingRecipe, at: float, total: int) -> float:
    """Learning rate of optimizer step ``at`` of ``total``, relative to the highest.

    >>> recipe = TrainingRecipe(schedule="linear", warmup=0.5)
    >>> [factor(recipe, at, 4) for at in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if recipe.schedule == "one-cycle":
        return one_cycle(recipe, at, total)
    rising = round(recipe.warmup * total)
    if at < rising:
        return min(1.0, (at + 1) / rising)
    u = (at - rising) / max(1, total - rising)
    return max(recipe.floor, _SCHEDULES[recipe.schedule](u, recipe))


def rates(recipe: TrainingRecipe, steps: Iterable[float], total: int) -> list[float]:
    """Learning rates of optimizer steps of ``total``."""
    peak = recipe.peak_rate
    return [peak * factor(recipe, at, total) for at in steps]
