"""Update rules, applied to one lane's row of weights after its window; each lane has its own rule and settings.

Muon (see ``muon``) is the only one that needs to know which parameters a row holds; the others take it as a vector.

On the CPU a row is updated by torch's fused kernels, which keep it in the cache: several times faster than one
elementwise operation after another over all lanes. They are private functions of torch, so each has a plain
counterpart that is used where they are missing and on other devices.

A parameter's own multiple of the learning rate is honoured; all that lies next to one another at the same multiple is
one call. Weight decay is not among them: see ``penalties``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from hpo.objectives.networks.network import Parameter
from hpo.objectives.trainer import muon
from hpo.objectives.trainer.stretches import steps
from hpo.objectives.trainer.training_recipe import TrainingRecipe

Rows = Mapping[str, Tensor]
"""``weights``, ``gradient`` and the rule's memory, each [size]; ``count``, a scalar, is the number of this step."""


def sgd(rows: Rows, recipe: TrainingRecipe, rate: float) -> None:
    """Descend with (Nesterov) momentum as torch.optim.SGD: the buffer starts as the first gradient."""
    step = rows["gradient"]
    if recipe.momentum:
        rows["mean"].mul_(recipe.momentum).add_(step)
        step = step.add(rows["mean"], alpha=recipe.momentum) if recipe.nesterov else rows["mean"]
    rows["weights"].add_(step, alpha=-rate)


def adam(rows: Rows, recipe: TrainingRecipe, rate: float) -> None:
    """Adam with bias correction (Kingma and Ba 2015, algorithm 1)."""
    count = float(rows["count"])
    rows["mean"].lerp_(rows["gradient"], 1 - recipe.beta1)
    rows["square"].mul_(recipe.beta2).addcmul_(rows["gradient"], rows["gradient"], value=1 - recipe.beta2)
    root = (rows["square"].sqrt() / math.sqrt(1 - recipe.beta2**count)).add_(recipe.epsilon)
    rows["weights"].addcdiv_(rows["mean"], root, value=-rate / (1 - recipe.beta1**count))


def rmsprop(rows: Rows, recipe: TrainingRecipe, rate: float) -> None:
    """Divide by the root of the mean square, as torch.optim.RMSprop without momentum; ``beta2`` is its alpha."""
    rows["square"].mul_(recipe.beta2).addcmul_(rows["gradient"], rows["gradient"], value=1 - recipe.beta2)
    rows["weights"].addcdiv_(rows["gradient"], rows["square"].sqrt().add_(recipe.epsilon), value=-rate)


def lion(rows: Rows, recipe: TrainingRecipe, rate: float) -> None:
    """Step by the sign of an interpolated mean (Chen et al. 2023, algorithm 2)."""
    rows["weights"].add_(rows["mean"].lerp(rows["gradient"], 1 - recipe.beta1).sign_(), alpha=-rate)
    rows["mean"].lerp_(rows["gradient"], 1 - recipe.beta2)


_Rule = Callable[[Rows, TrainingRecipe, float], None]

_RULES: dict[str, tuple[_Rule, tuple[str, ...]]] = {
    "sgd": (sgd, ("mean",)),
    "adam": (adam, ("mean", "square")),
    "adamw": (adam, ("mean", "square")),
    "rmsprop": (rmsprop, ("square",)),
    "lion": (lion, ("mean",)),
    "muon": (adam, ("mean", "square")),  # of what it leaves to AdamW
}


def memory(recipe: TrainingRecipe) -> tuple[str, ...]:
    """Names of the rows that a recipe's rule keeps between steps; all start at 0."""
    if recipe.optimizer == "sgd" and not recipe.momentum:
        return ()
    return _RULES[recipe.optimizer][1]


def bind(rows: Rows, recipe: TrainingRecipe, parameters: Sequence[Parameter]) -> Callable[[float], None]:
    """The update of one lane's row, which holds these parameters, as a function of the learning rate."""
    found = steps(parameters, recipe)
    if found == [(slice(0, len(rows["weights"])), 1.0)]:
        return _bind(rows, recipe)
    first = [muon.bind(rows, recipe, parameters)] if recipe.optimizer == "muon" else []
    parts = [
        (_bind({name: row if name == "count" else row[place] for name, row in rows.items()}, recipe), share)
        for place, share in found
    ]

    def step(rate: float) -> None:
        for update in first:
            update(rate)
        for update, share in parts:
            update(rate * share)

    return step


def _bind(rows: Rows, recipe: TrainingRecipe) -> Callable[[float], None]:
    if rows["weights"].device.type == "cpu":
        fused = _fused(rows, recipe)
        if fused is not None:
            return fused
    return partial(_RULES[recipe.optimizer][0], rows, recipe)


def _fused(rows: Rows, recipe: TrainingRecipe) -> Callable[[float], None] | None:
    common: dict[str, Any] = {"weight_decay": 0.0, "maximize": False}
    weights, gradient = [rows["weights"]], [rows["gradient"]]
    if recipe.optimizer == "sgd" and _FUSED_SGD is not None:
        common |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov, "dampening": 0.0, "is_first_step": False}
        kernel = partial(_FUSED_SGD, weights, gradient, [rows["mean"]] if recipe.momentum else [], **common)
    elif recipe.optimizer in ("adam", "adamw", "muon") and _FUSED_ADAM is not None:
        common |= {"beta1": recipe.beta1, "beta2": recipe.beta2, "eps": recipe.epsilon, "amsgrad": False}
        state: tuple[list[Tensor], ...] = ([rows["mean"]], [rows["square"]], [], [rows["count"]])
        kernel = partial(_FUSED_ADAM, weights, gradient, *state, **common)
    else:
        return None
    return lambda rate: kernel(lr=rate)


_FUSED_SGD: Callable[..., None] | None = getattr(torch, "_fused_sgd_", None)
_FUSED_ADAM: Callable[..., None] | None = getattr(torch, "_fused_adam_", None)
