"""What is minimized: the loss of each sample and its gradient at the outputs, in closed form.

The gradient enters the backward pass of the network directly, which saves the many small kernels of a loss's own
backward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
