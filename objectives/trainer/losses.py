"""What is minimized: the loss of each sample and its gradient at the outputs.

The gradient enters the backward pass of the network directly; in closed form it saves the many small kernels of a
loss's own backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import vmap

from hpo.objectives.trainer.training_recipe import TrainingRecipe

Task: TypeAlias = Literal["classification", "regression"]


class Loss:
    """The suite's losses, lane by lane with their own smoothing, focus and threshold."""

    def __init__(self, recipes: Sequence[TrainingRecipe], task: Task, device: torch.device) -> None:
        """Read the recipes of the lanes, which agree on ``loss``."""
        self._task = task
        self._kind = recipes[0].loss
        self._smoothing = _column([recipe.label_smoothing for recipe in recipes], device)
        self._gamma = _column([recipe.focal_gamma for recipe in recipes], device)
        self._delta = torch.tensor([recipe.huber_delta for recipe in recipes], device=device)[:, None, None]

    def __call__(self, outputs: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each sample [K, B], not reduced, and its gradient at the outputs.

        Args:
            outputs: [K, B, classes], or [K, B, 1] for regression.
            wanted: the wanted distribution over the classes, or the standardized value, of the same shape.
        """
        if self._task == "classification":
            return self._entropy(outputs, wanted)
        off = outputs - wanted
        if self._kind == "mae":
            return off.abs().squeeze(2), off.sign()
        if self._kind == "huber":  # torch.nn.HuberLoss
            delta = self._delta[: len(off)]
            near = off.clamp(-delta, delta)
            return (near * (off - 0.5 * near)).squeeze(2), near
        return off.square().squeeze(2), off.mul_(2)

    def of_tokens(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The same for classes by number, without a table of what is wanted, which would be as large as the outputs.

        Args:
            outputs: [K, B, classes].
            targets: class numbers [K, B]; those below 0 give numbers without meaning.
        """
        lanes, classes = len(outputs), outputs.shape[2]
        logs = torch.log_softmax(outputs, dim=2)
        own = targets.clamp(min=0).unsqueeze(2)
        each = -logs.gather(2, own).squeeze(2)
        if self._smoothing is None:
            gradient = logs.exp_().scatter_add_(2, own, logs.new_tensor(-1.0).expand_as(own))
        else:
            smoothing = self._smoothing[:lanes].to(logs.dtype)
            each = each * (1 - smoothing[..., 0]) - smoothing[..., 0] * logs.mean(dim=2)
            gradient = logs.exp_().sub_(smoothing / classes).scatter_add_(2, own, (smoothing - 1).expand_as(own))
        if self._gamma is None:
            return each, gradient
        factor, slope = self._focus(each, self._gamma[:lanes, :, 0])
        return factor * each, gradient.mul_(slope.unsqueeze(2))

    def _focus(self, each: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
        """(1 - p)^gamma with p = exp(-entropy), the class's probability, and the factor on the entropy's gradient."""
        rest = -torch.expm1(-each)
        focus = rest.pow(gamma)
        return focus, focus + gamma * rest.clamp(min=1e-12).pow(gamma - 1) * (1 - rest) * each

    def _entropy(self, outputs: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        lanes = len(outputs)
        if self._smoothing is not None:
            smoothing = self._smoothing[:lanes]
            wanted = wanted * (1 - smoothing) + smoothing / outputs.shape[2]
        logs = torch.log_softmax(outputs, dim=2)
        each = -(logs * wanted).sum(dim=2)
        gradient = logs.exp_().sub_(wanted)
        if self._gamma is None:
            return each, gradient
        focus, slope = self._focus(each, self._gamma[:lanes, :, 0])
        return focus * each, gradient.mul_(slope.unsqueeze(2))


def users(outputs: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The same for an objective's own loss: it is called with batches of one sample, so a mean over samples is exact.

    Args:
        outputs: [K, B, outputs].
        targets: class numbers or values, [K, B].
        loss: maps ([n, outputs], [n]) to a mean or to [n].
    """

    def one(output: Tensor, target: Tensor) -> Tensor:
        return loss(output.unsqueeze(0), target.unsqueeze(0)).reshape(())

    leaf = outputs.detach().requires_grad_()
    with torch.enable_grad():
        each = vmap(vmap(one))(leaf, targets)
        (gradient,) = torch.autograd.grad(each.sum(), leaf)
    return each.detach(), gradient


def entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of each lane, whatever is being minimized.

    Args:
        outputs: [K, n, classes].
        targets: class numbers [n].
    """
    lanes = len(outputs)
    every = targets.expand(lanes, -1).flatten()
    return F.cross_entropy(outputs.flatten(0, 1), every, reduction="none").view(lanes, -1).mean(dim=1)


def _column(values: Sequence[float], device: torch.device) -> Tensor | None:
    """[lanes, 1, 1], or None when all are 0."""
    return torch.tensor(values, device=device)[:, None, None] if any(values) else None
