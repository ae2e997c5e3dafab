"""Low-rank adaptation (LoRA, Hu et al. 2021): matrices stay as they are, and a product of two narrow ones is learnt.

A matrix W of m inputs and n outputs is used as W + alpha / rank * A B, where A [m, rank] is drawn as torch.nn.Linear
draws and B [rank, n] starts at 0, so that training starts from the weights that are given. Every matrix but the head's
is adapted; the head, which may be new, is trained as it is, and all else keeps its bits. Kernels of convolutions are
matrices of their filters. What is saved has the products added in, and is a network like any other.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hpo.objectives.networks.network import Network, Parameter, Shape
from hpo.objectives.networks.seen import Seen
from hpo.search.terms.recipe import derive_seed


class LowRank(Network):
    """A network of which only factors and the head are trained."""

    def __init__(self, network: Network, rank: int, alpha: float, trained: Collection[str]) -> None:
        """Add the factors.

        Args:
            network: whose matrices are adapted, unless they are frozen.
            rank: of the products.
            alpha: their scale, times rank.
            trained: names of parameters that are trained as they are.
        """
        self._inner, self._scale, self._trained = network, alpha / rank, frozenset(trained)
        own: list[Parameter] = []
        for parameter in network.parameters:
            if parameter.name in self._trained:
                own.append(parameter)
                continue
            own.append(replace(parameter, rate=0.0))
            if parameter.matrix and parameter.rate:
                own += _factors(parameter, rank)
        own.sort(key=lambda parameter: not parameter.matrix)  # stable: matrices first
        at = {parameter.name: place for place, parameter in enumerate(own)}
        self.parameters = tuple(own)
        self._places = [at[parameter.name] for parameter in network.parameters]
        self._adapted = {
            number: (at[f"{parameter.name}.lora_first"], at[f"{parameter.name}.lora_second"])
            for number, parameter in enumerate(network.parameters)
            if f"{parameter.name}.lora_first" in at
        }
        self.key = (network.key, self._scale, tuple((p.name, p.shape) for p in own if p.rate))
        self.order, self.head = network.order, network.head
        self.sites, self.rates, self.alone, self.ragged = network.sites, network.rates, network.alone, network.ragged
        self.held, self.parametrization, self.started = network.held, network.parametrization, network.started

    def mode(self, training: bool) -> None:
        """See ``Network``."""
        self._inner.mode(training)

    def initial(self, seed: int) -> list[Tensor]:
        """Weights as the network begins, A drawn, B zero."""
        drawn: dict[int, Tensor] = dict(zip(self._places, self._inner.begin(seed), strict=True))
        generator = torch.Generator().manual_seed(derive_seed(seed, "low rank"))
        for number, pair in self._adapted.items():
            parameter = self._inner.parameters[number]
            bound = 1 / math.sqrt(_sides(parameter)[0 if parameter.transposed else 1])
            for place, first in zip(pair, (True, False), strict=True):
                value = torch.zeros(self.parameters[place].shape)
                if first == parameter.transposed:  # the factor at the inputs' side
                    value.uniform_(-bound, bound, generator=generator)
                drawn[place] = value
        return [drawn[place] for place in range(len(self.parameters))]

    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Add the products to their matrices, then run the network."""
        return self._inner.forward(self._merged(values), inputs, masks)

    def look(self, values: Sequence[Tensor], inputs: Tensor) -> Seen:
        """See ``Network``."""
        return self._inner.look(self._merged(values), inputs)

    def state(self) -> Mapping[str, Tensor] | None:
        """See ``Network``."""
        return self._inner.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See ``Network``."""
        self._inner.restore(state)

    def state_dict(self, row: Tensor) -> dict[str, Tensor]:
        """Weights of the network with the products added in."""
        merged = self._merged(self.views(row.unsqueeze(0)))
        return self._inner.state_dict(torch.cat([value.reshape(-1) for value in merged]))

    def _merged(self, values: Sequence[Tensor]) -> list[Tensor]:
        found = [values[place] for place in self._places]
        for number, (first, second) in self._adapted.items():
            whole = found[number]
            product = torch.baddbmm(whole.flatten(2), values[first], values[second], alpha=self._scale)
            found[number] = product.view(whole.shape)
        return found


def _factors(parameter: Parameter, rank: int) -> list[Parameter]:
    rows, columns = _sides(parameter)
    shapes: dict[str, Shape] = {"lora_first": (rows, rank), "lora_second": (rank, columns)}
    return [
        replace(parameter, name=f"{parameter.name}.{name}", shape=shape, transposed=False, hidden=False, entry_rate=1.0)
        for name, shape in shapes.items()
    ]


def _sides(parameter: Parameter) -> tuple[int, int]:
    """Rows and columns as stored."""
    return parameter.shape[0], math.prod(parameter.shape[1:])
