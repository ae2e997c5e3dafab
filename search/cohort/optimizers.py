"""Update rules, applied to one lane's row of weights after its window; each lane has its own rule and settings.

On the CPU a row is updated by torch's fused kernels, which keep it in the cache: several times faster than one
elementwise operation after another over all lanes. They are private functions of torch, so each has a plain
counterpart that is used where they are missing and on other devices.

Weight decay is not among them: see ``penalties``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hpo.search.cohort.recipe import TrainingRecipe

Rows = Mapping[str, Tensor]
"""``weights``, ``gradient`` and the rule's own rows, each [size]; ``count`` is the number of steps done, a scalar."""


def sgd(rows: Rows, recipe: TrainingRecipe, rate: float, first: bool) -> None:
    """Descend with (Nesterov) momentum as torch.optim.SGD: the buffer starts as the first gradient."""
    if _FUSED_SGD is not None and rows["weights"].device.type == "cpu":
        buffers = [rows["mean"]] if recipe.momentum else []
        _FUSED_SGD(
            [rows["weights"]],
            [rows["gradient"]],
            buffers,
            weight_decay=0.0,
            momentum=recipe.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=recipe.nesterov,
            maximize=False,
            is_first_step=first,
        )
        return
    step = rows["gradient"]
    if recipe.momentum:
        rows["mean"].mul_(0.0 if first else recipe.momentum).add_(step)
        step = step.add(rows["mean"], alpha=recipe.momentum) if recipe.nesterov else rows["mean"]
    rows["weights"].add_(step, alpha=-rate)


def adam(rows: Rows, recipe: TrainingRecipe, rate: float, first: bool) -> None:
    """Adam with bias correction (Kingma and Ba 2015, algorithm 1)."""
    rows["count"].add_(1)
    if _FUSED_ADAM is not None and rows["weights"].device.type == "cpu":
        _FUSED_ADAM(
            [rows["weights"]],
            [rows["gradient"]],
            [rows["mean"]],
            [rows["square"]],
            [],
            [rows["count"]],
            lr=rate,
            beta1=recipe.beta1,
            beta2=recipe.beta2,
            weight_decay=0.0,
            eps=recipe.epsilon,
            amsgrad=False,
            maximize=False,
        )
        return
    count = float(rows["count"])
    rows["mean"].lerp_(rows["gradient"], 1 - recipe.beta1)
    rows["square"].mul_(recipe.beta2).addcmul_(rows["gradient"], rows["gradient"], value=1 - recipe.beta2)
    root = (rows["square"].sqrt() / math.sqrt(1 - recipe.beta2**count)).add_(recipe.epsilon)
    rows["weights"].addcdiv_(rows["mean"], root, value=-rate / (1 - recipe.beta1**count))


_FUSED_SGD: Callable[..., None] | None = getattr(torch, "_fused_sgd_", None)
_FUSED_ADAM: Callable[..., None] | None = getattr(torch, "_fused_adam_", None)

_RULES: dict[str, tuple[Callable[[Rows, TrainingRecipe, float, bool], None], tuple[str, ...]]] = {
    "sgd": (sgd, ("mean",)),
    "adam": (adam, ("mean", "square")),
    "adamw": (adam, ("mean", "square")),
}

DECOUPLED = frozenset({"adamw"})
"""Rules under which weight decay is decoupled from the gradient."""


def update(rows: Rows, recipe: TrainingRecipe, rate: float, first: bool) -> None:
    """Take one optimizer step on one lane's row."""
    _RULES[recipe.optimizer][0](rows, recipe, rate, first)


def memory(recipe: TrainingRecipe) -> tuple[str, ...]:
    """Names of the rows that a recipe's rule keeps between steps."""
    if recipe.optimizer == "sgd" and not recipe.momentum:
        return ()
    return _RULES[recipe.optimizer][1]
