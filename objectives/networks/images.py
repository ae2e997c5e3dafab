"""Layers for images, [K, B, channels, height, width].

Lanes become groups of one grouped convolution. Between such layers a tensor lies in memory as [B, K, ...], so that
going from lanes to groups and back copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.objectives.networks.initialization import Init, initialize
from hpo.objectives.networks.layers import Flow, Layer
from hpo.objectives.networks.network import Parameter, Shape
from hpo.search.terms.errors import UserError


@dataclass(frozen=True)
class Conv2d(Layer):
    """Convolution with an odd kernel, padded to keep height and width."""

    channels: int
    kernel: int = 3
    init: Init = "torch"
    gain: float = 1.0

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Weight [out, in, kernel, kernel] and bias [out]."""
        weight = Parameter("weight", (self.channels, shape[0], self.kernel, self.kernel), matrix=True)
        return (weight, Parameter("bias", (self.channels,), matrix=False))

    def shape(self, shape: Shape) -> Shape:
        """Replace the channels."""
        return (self.channels, *shape[1:])

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw as torch.nn.Conv2d does."""
        weight = (self.channels, shape[0], self.kernel, self.kernel)
        return list(initialize(weight, prod(weight[1:]), self.init, self.gain, generator))

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Convolve all lanes in one kernel."""
        weight, bias = next(values), next(values)
        y = F.conv2d(_grouped(x), weight.flatten(0, 1), bias.flatten(), padding=self.kernel // 2, groups=len(x))
        return _lanes(y, len(x))


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """Halve height and width by maxima, where there is something to halve."""

    def shape(self, shape: Shape) -> Shape:
        """Half the height and width, at least 1."""
        return (shape[0], *(max(1, side // 2) for side in shape[1:]))

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Pool all lanes in one kernel."""
        window = [min(2, side) for side in x.shape[-2:]]
        return _lanes(F.max_pool2d(_grouped(x), window), len(x))


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Normalize each sample over groups of channels, with gain and bias per channel (Wu and He 2018)."""

    groups: int = 8
    epsilon: float = 1e-5

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Gain and bias per channel."""
        if shape[0] % self.groups:
            raise UserError(f"{shape[0]} channels cannot be cut into {self.groups} groups")
        return (Parameter("weight", shape[:1], matrix=False), Parameter("bias", shape[:1], matrix=False))

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Gain 1, bias 0."""
        return [torch.ones(shape[0]), torch.zeros(shape[0])]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Normalize all lanes in one kernel."""
        gain, bias = next(values).flatten(), next(values).flatten()
        return _lanes(F.group_norm(_grouped(x), self.groups * len(x), gain, bias, self.epsilon), len(x))


def _grouped(x: Tensor) -> Tensor:
    """[K, B, channels, ...] as [B, K * channels, ...]."""
    return x.transpose(0, 1).flatten(1, 2)


def _lanes(x: Tensor, lanes: int) -> Tensor:
    """[B, K * channels, ...] as [K, B, channels, ...]."""
    return x.view(len(x), lanes, -1, *x.shape[2:]).transpose(0, 1)
