"""A student learns from a teacher's outputs beside the targets (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo.objectives.trainer.losses import Loss
from hpo.objectives.trainer.tensors import Part


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a trained network gives for the training part.

    Attributes:
        outputs: [n, classes] before the softmax, or [n, 1] standardized values.
        weight: of the teacher in the loss, 0 to 1; the rest is the targets' (alpha).
        temperature: by which both networks' outputs are divided; of values it means nothing.
    """

    outputs: Tensor
    weight: float
    temperature: float

    def wanted(self, part: Part) -> Callable[[Tensor], Tensor]:
        """What is wanted of samples [m]: [m, 2 x outputs], first by the targets, then by the teacher."""
        soft = self.outputs
        if part.classes:
            soft = (soft / self.temperature).softmax(dim=1)

        def rows(index: Tensor) -> Tensor:
            return torch.cat([part.wanted(index), soft.index_select(0, index)], dim=1)

        return rows

    def loss(self, plain: Loss, *, classes: bool) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """(1 - weight) x the loss on the targets + weight x T^2 x the divergence from the teacher; of values the
        squared distance from what it gives.

        Args:
            plain: the loss on the targets.
            classes: whether outputs are of classes.

        Returns:
            As ``Loss``: of outputs [K, B, C] and wanted [K, B, 2C] the loss of each sample, and its gradient.
        """
        weight, t = self.weight, self.temperature

        def mixed(outputs: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
            hard, soft = wanted.chunk(2, dim=2)
            each, gradient = plain(outputs, hard)
            if classes:
                taught, pull = _divergence(outputs, soft, t)
            else:
                off = outputs - soft
                taught, pull = off.square().squeeze(2), 2 * off
            return torch.lerp(each, taught, weight), torch.lerp(gradient, pull, weight)

        return mixed


@dataclass(frozen=True, eq=False)
class TokenTeacher:
    """What a trained network gives for the tokens of a sample, found out as they are trained on: a table of it would be
    as large as the text times its symbols.

    Attributes:
        forward: inputs [1, B, ..., positions] to outputs [1, B, positions, classes] before the softmax.
        weight, temperature: see ``Teacher``.
    """

    forward: Callable[[Tensor], Tensor]
    weight: float
    temperature: float

    def taught(self, outputs: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """T^2 x the divergence from the teacher, of each token [K, B * positions], and its gradient.

        Args:
            outputs: [K, B * positions, classes].
            inputs: [K, B, ..., positions].
        """
        given = self.forward(inputs.flatten(0, 1).unsqueeze(0)).float().view(outputs.shape)
        return _divergence(outputs, (given / self.temperature).softmax(dim=2), self.temperature)


def _divergence(outputs: Tensor, soft: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """T^2 x the divergence of outputs [K, B, C] / T from what is wanted, of that shape; [K, B], and its gradient."""
    logs = torch.log_softmax(outputs / t, dim=2)
    return t**2 * (torch.xlogy(soft, soft) - soft * logs).sum(dim=2), t * (logs.exp() - soft)
