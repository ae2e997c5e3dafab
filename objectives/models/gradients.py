"""Integrated gradients (Sundararajan et al. 2017): how much each input of a network adds to what it says of a row.

The gradient of the output is averaged on the straight way from a row that says nothing, the mean of the training rows
with no category, to the row itself, times the difference. What the inputs are given adds up to the difference of the
two outputs (completeness), but for the error of the quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hpo.objectives.trainer.predictor import Predictor
from hpo.objectives.trainer.tensors import TaskData

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 64
"""Places on the way at which the gradient is taken, those of Gauss and Legendre."""


class Attribution(NamedTuple):
    """Of rows.

    Attributes:
        values: [n, ...], what each prepared input adds, in the units of ``outputs``.
        outputs: [n], log odds of the class that the model predicts, or the value in the target's own units.
        baseline: [n], the same of the row that says nothing.
    """

    values: NDArray[Any]
    outputs: NDArray[Any]
    baseline: NDArray[Any]


def saying(predictor: Predictor, inputs: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """What the network says of rows: of changed ones too, the log odds of the class it predicts for the given ones.

    Args:
        predictor: the network.
        inputs: [n, ...], prepared real numbers.

    Returns:
        A function of inputs [n, ...] to ``Attribution.outputs`` [n], with gradients.
    """
    data = predictor.data
    assert isinstance(data, TaskData)
    forward = predictor.forward(differentiable=True)
    with torch.no_grad():
        chosen = forward(inputs.unsqueeze(0))[0].argmax(dim=1) if data.task == "classification" else None

    def said(rows: torch.Tensor) -> torch.Tensor:
        outputs = forward(rows.unsqueeze(0))[0]
        if chosen is None:
            return outputs[:, 0] * data.deviation + data.mean
        own = outputs.gather(1, chosen[:, None])[:, 0]
        others = outputs.scatter(1, chosen[:, None], -torch.inf)
        return own - others.logsumexp(dim=1)

    return said


def integrated(predictor: Predictor, inputs: torch.Tensor, steps: int = STEPS) -> Attribution:
    """Attributions of a network's inputs [n, ...], prepared real numbers."""
    said = saying(predictor, inputs)
    places, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(inputs)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        at = (float(place) * inputs).requires_grad_()
        total += float(weight) * torch.autograd.grad(said(at).sum(), at)[0]
    with torch.no_grad():
        outputs, baseline = said(inputs).detach(), said(torch.zeros_like(inputs)).detach()
    return Attribution((total * inputs).numpy(), outputs.numpy(), baseline.numpy())
