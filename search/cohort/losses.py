"""What is minimized: a loss per sample and lane, whose weighted sum is the training loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from hpo.search.cohort.data import Task


def per_sample(outputs: Tensor, targets: Tensor, task: Task) -> Tensor:
    """Loss of each sample of each lane.

    Args:
        outputs: [K, B, classes], or [K, B, 1] for regression.
        targets: class numbers or standardized values, [K, B].
        task: what the targets are.

    Returns:
        [K, B], not reduced: the caller weighs each sample by its share of the window.
    """
    if task == "classification":
        flat = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view(targets.shape)
    return (outputs.squeeze(2) - targets).square()
