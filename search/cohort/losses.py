"""What is minimized: the loss of each sample and its gradient at the outputs, in closed form.

The gradient enters the backward pass of the network directly, which saves the many small kernels of a loss's own
backward pass.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import vmap

from hpo.search.cohort.data import Task


def loss_and_gradient(outputs: Tensor, targets: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    """Loss of each sample [K, B], not reduced, and its gradient at the outputs.

    Args:
        outputs: [K, B, classes], or [K, B, 1] for regression.
        targets: the wanted distribution over the classes, or the standardized value, of the same shape.
        task: what the targets are.
    """
    if task == "classification":
        logs = torch.log_softmax(outputs, dim=2)
        return -(logs * targets).sum(dim=2), logs.exp_().sub_(targets)
    off = outputs - targets
    return off.square().squeeze(2), off.mul_(2)


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
