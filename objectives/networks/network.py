"""What the trainer needs of a model: named parameters, and a forward pass for all lanes at a time.

Shapes in this package: K lanes, B samples of a micro-batch, then the sample's own shape. A parameter of shape S is a
tensor [K, *S]; inputs are [K, B, *input shape]; outputs are [K, B, number of outputs], or [K, B, positions, number of
outputs] where each position has a target.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from hpo.objectives.networks.seen import Seen
from hpo.search.terms.errors import UserError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Parameter:
    """One trainable tensor of a single lane.

    Attributes:
        name: as in ``torch.nn.Module.state_dict``.
        shape: shape as stored here.
        matrix: whether weight decay and L1 apply: true for weights, false for biases, normalization gains and tables of
            embeddings.
        transposed: whether ``state_dict`` has it with its two dimensions exchanged.
        hidden: whether it is a matrix between others, which Muon trains; None leaves that to the order of the matrices,
            where no parameter of the network says.
        rate: multiplies the learning rate; 0 freezes it.
        entry_rate: multiplies it too where each value is stepped by its own gradients: everywhere but under Muon, whose
            steps have a given spectral norm instead.
        steady_decay: whether weight decay and L1 go by the recipe's learning rate instead of its own.
    """

    name: str
    shape: Shape
    matrix: bool
    transposed: bool = False
    hidden: bool | None = None
    rate: float = 1.0
    entry_rate: float = 1.0
    steady_decay: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)


class Network(abc.ABC):
    """A model without weights; the same object serves every lane whose ``key`` is equal.

    Attributes:
        key: networks with equal keys can be trained as one; the rates of dropout are no part of it.
        parameters: matrices first, because weight decay applies to that part of a row.
        sites: shape per sample of each place where dropout is applied, in order of use.
        rates: this lane's dropout rate at each site.
        alone: why lanes of this network cannot share kernels; empty when they can.
        ragged: whether a micro-batch must hold real samples only, because samples influence one another.
        held: bytes that this object itself keeps in memory.
        order: names of the parameters from the input to the output.
        head: those of the layer that gives the outputs; none where it has no weights of its own.
        started: what of given weights it began with, in words; empty where all is as given, or nothing was.
        parametrization: ``mup`` where its rates are meant for optimizers that step by normalized gradients.
    """

    key: Hashable
    parameters: tuple[Parameter, ...]
    sites: tuple[Shape, ...]
    rates: tuple[float, ...]
    alone: str = ""
    ragged: bool = False
    held: int = 0
    order: tuple[str, ...]
    head: tuple[str, ...] = ()
    started: str = ""
    _given: Mapping[str, Tensor] = MappingProxyType({})
    parametrization: str = "standard"

    def mode(self, training: bool) -> None:  # noqa: B027  most networks are told by the masks alone
        """Announce training or evaluation to layers that behave differently."""

    @abc.abstractmethod
    def initial(self, seed: int) -> list[Tensor]:
        """Fresh weights of one lane, in the order of ``parameters``."""

    def begin(self, seed: int) -> list[Tensor]:
        """Weights that training begins with: those taken over, and fresh ones for the rest."""
        drawn = zip(self.parameters, self.initial(seed), strict=True)
        return [self._given.get(parameter.name, value) for parameter, value in drawn]

    def take(self, state: Mapping[str, Tensor]) -> dict[str, list[int]]:
        """Begin with the weights of a ``state_dict`` that have a name and shape of this network's.

        Returns:
            Names and shapes, as torch.nn has them, of the parameters for which it holds none.
        """
        given, fresh = {}, {}
        for parameter in self.parameters:
            shape = parameter.shape[::-1] if parameter.transposed else parameter.shape
            value = state.get(parameter.name)
            if value is None or tuple(value.shape) != shape:
                fresh[parameter.name] = list(shape)
            else:
                given[parameter.name] = (value.t() if parameter.transposed else value).float().contiguous()
        self._given = given
        return fresh

    def names(self) -> frozenset[str]:
        """Names of all tensors of a ``state_dict``."""
        return frozenset(parameter.name for parameter in self.parameters)

    @abc.abstractmethod
    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Outputs [K, B, ..., outputs]; ``masks`` is None in evaluation and where no lane has dropout."""

    @abc.abstractmethod
    def look(self, values: Sequence[Tensor], inputs: Tensor) -> Seen:
        """What each layer gives in a forward pass in evaluation."""

    def state(self) -> Mapping[str, Tensor] | None:
        """What training changes in this object itself, such as running statistics; None where that cannot be told."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027  most networks have no state
        """Go on from the state of another object that was made for the same recipe."""

    @property
    def size(self) -> int:
        """Number of values in all parameters."""
        return sum(parameter.size for parameter in self.parameters)

    @property
    def decayed(self) -> int:
        """Number of values in the matrices, which come first in a row."""
        return sum(parameter.size for parameter in self.parameters if parameter.matrix)

    def views(self, rows: Tensor) -> list[Tensor]:
        """Split rows [K, size] into one view [K, *shape] per parameter."""
        parts = torch.split_with_sizes(rows, [parameter.size for parameter in self.parameters], dim=1)
        return [part.view(len(rows), *p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def state_dict(self, row: Tensor) -> dict[str, Tensor]:
        """Weights of one lane, named and shaped as torch.nn would have them."""
        named = {}
        for parameter, value in zip(self.parameters, self.views(row.unsqueeze(0)), strict=True):
            value = value[0]
            named[parameter.name] = (value.t() if parameter.transposed else value).detach().contiguous().clone()
        return named

    def row(self, state: Mapping[str, Tensor]) -> Tensor:
        """Weights [size] of one lane out of a ``state_dict``; what else is in it, such as buffers, is put in its place.

        Raises:
            UserError: a tensor is missing, or has another shape.
        """
        parts = []
        for parameter in self.parameters:
            value = state.get(parameter.name)
            if value is None:
                raise UserError(f"the weights have no {parameter.name}, which the model needs")
            value = value.t() if parameter.transposed and value.dim() == 2 else value
            if tuple(value.shape) != parameter.shape:
                raise UserError(
                    f"{parameter.name} is {list(value.shape)} in the weights and {list(parameter.shape)} in the model"
                )
            parts.append(value.reshape(-1).float())
        return torch.cat(parts) if parts else torch.zeros(0)

    def described(self) -> Mapping[str, Any]:
        """What a model's folder must say, as plain data, for the network to be made anew, beside its recipe."""
        return {}

    def as_module(self, row: Tensor) -> nn.Module:
        """One lane in evaluation as a module: inputs [B, ...] to outputs [B, ..., outputs], without lanes."""
        return _OneLane(self, row)


class _OneLane(nn.Module):
    def __init__(self, network: Network, row: Tensor) -> None:
        super().__init__()
        self._network = network
        self.values = nn.ParameterList([nn.Parameter(value, False) for value in network.views(row.unsqueeze(0))])
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        return self._network.forward(list(self.values), inputs.unsqueeze(0), None).squeeze(0)
