"""Muon: momentum whose matrices are orthogonalized before each step (Jordan et al. 2024).

As its reference implementation advises, it trains the matrices of hidden layers: those that the network says are hidden
or, where it says nothing, all but the first and the last matrix (the input and the output layer; all but the last where
embeddings come first). Embeddings, biases and gains are AdamW's. A kernel of a convolution is a matrix of its filters.
The reference iterates in bfloat16 for speed; here it is float32, which on a CPU is no slower. See
https://kellerjordan.github.io/posts/muon.
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
    """The parameters that Muon trains, with their places in a row; frozen ones are among them."""
    matrices = [parameter for parameter in parameters if parameter.matrix]
    looked_up = any(len(parameter.shape) > 1 for parameter in parameters if not parameter.matrix)
    said = any(parameter.hidden is not None for parameter in parameters)
    found, start = [], 0
    for at, parameter in enumerate(matrices):
        if parameter.hidden if said else (at > 0 or looked_up) and at < len(matrices) - 1:
            found.append((parameter, slice(start, start + parameter.size)))
        start += parameter.size
    return found


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
    own = [(parameter, place) for parameter, place in hidden(parameters) if parameter.rate]

    def step(rate: float) -> None:
        for parameter, place in own:
            weights, gradient, mean = rows["weights"][place], rows["gradient"][place], rows["mean"][place]
            mean.lerp_(gradient, 1 - recipe.momentum)
            wanted = gradient.lerp(mean, recipe.momentum).view(parameter.shape).flatten(1)
            outputs, inputs = wanted.shape[::-1] if parameter.transposed else wanted.shape
            length = math.sqrt(max(1, outputs / inputs)) * parameter.rate
            weights.add_(orthogonalized(wanted).reshape(-1), alpha=-rate * length)

    return step
