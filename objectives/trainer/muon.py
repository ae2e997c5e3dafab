"""Muon: momentum whose matrices are orthogonalized before each step (Jordan et al. 2024).

As its reference implementation advises, it trains the matrices of hidden layers; the first and the last matrix (the
input and the output layer; the last one only where embeddings come first), embeddings, biases and gains are AdamW's. A
kernel of a convolution is a matrix of its filters. The reference iterates in bfloat16 for speed; here it is float32,
which on a CPU is no slower. See https://kellerjordan.github.io/posts/muon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from hpo.objectives.networks.network import Parameter
from hpo.objectives.trainer.training_recipe import TrainingRecipe

_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_LEAST_NORM = 1e-7


def hidden(parameters: Sequence[Parameter]) -> list[tuple[Parameter, slice]]:
    """The parameters that Muon trains, with their places in a row; these lie next to one another."""
    matrices = [parameter for parameter in parameters if parameter.matrix]
    looked_up = any(len(parameter.shape) > 1 for parameter in parameters if not parameter.matrix)
    found, start = [], 0
    for at, parameter in enumerate(matrices):
        if (at > 0 or looked_up) and at < len(matrices) - 1:
            found.append((parameter, slice(start, start + parameter.size)))
        start += parameter.size
    return found


def spans(parameters: Sequence[Parameter]) -> tuple[slice, list[slice]]:
    """Places in a row of what Muon trains, as one stretch, and of what it leaves to AdamW, before and after."""
    own, size = hidden(parameters), sum(parameter.size for parameter in parameters)
    start, stop = (own[0][1].start, own[-1][1].stop) if own else (0, 0)
    return slice(start, stop), [slice(a, b) for a, b in ((0, start), (stop, size)) if a < b]


def orthogonalized(matrix: Tensor) -> Tensor:
    """Move the singular values of a matrix [m, n] towards 1, by five quintic Newton-Schulz iterations."""
    x = matrix.t() if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=_LEAST_NORM)
    for _ in range(_ITERATIONS):
        gram = x @ x.t()
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x.t() if matrix.shape[0] > matrix.shape[1] else x


def bind(
    rows: Mapping[str, Tensor], recipe: TrainingRecipe, parameters: Sequence[Parameter]
) -> Callable[[float], None]:
    """Muon's step on its part of one lane's row, as a function of the learning rate."""
    own = hidden(parameters)

    def step(rate: float) -> None:
        for parameter, place in own:
            weights, gradient, mean = rows["weights"][place], rows["gradient"][place], rows["mean"][place]
            mean.lerp_(gradient, 1 - recipe.momentum)
            wanted = gradient.lerp(mean, recipe.momentum).view(parameter.shape).flatten(1)
            outputs, inputs = wanted.shape[::-1] if parameter.transposed else wanted.shape
            length = math.sqrt(max(1, outputs / inputs))
            weights.add_(orthogonalized(wanted).reshape(-1), alpha=-rate * length)

    return step
