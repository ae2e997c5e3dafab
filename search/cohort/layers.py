"""Layers described by plain values and run for all lanes at a time; an objective's ``build`` returns a ``Sequential``.

Input sizes are not written down: they follow from the data, layer by layer. ``Linear()`` without a width gives as
many outputs as the data has classes or targets.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.search.cohort.initialization import Init, initialize
from hpo.search.cohort.network import Network, Parameter, Shape

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


class Layer(abc.ABC):
    """One step of a forward pass; by default it has no parameters and keeps the shape."""

    def sized(self, outputs: int) -> Layer:
        """The same layer with sizes left open set to the number of outputs."""
        return self

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Parameters for samples of this shape."""
        return ()

    def shape(self, shape: Shape) -> Shape:
        """Shape of a sample after this layer."""
        return shape

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Fresh weights of one lane."""
        return []

    @abc.abstractmethod
    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Map [K, B, ...] to [K, B, ...]."""


@dataclass(frozen=True)
class Linear(Layer):
    """Affine map of the last dimension; weights are kept [in, out] for one batched multiplication."""

    width: int | None = None
    bias: bool = True
    init: Init = "torch"
    gain: float = 1.0

    def sized(self, outputs: int) -> Layer:
        """Take the number of outputs as width where none is given."""
        return self if self.width is not None else Linear(outputs, self.bias, self.init, self.gain)

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Weight [in, out] and bias [out]."""
        width = self._width
        weight = Parameter("weight", (shape[-1], width), matrix=True, transposed=True)
        return (weight, Parameter("bias", (width,), matrix=False)) if self.bias else (weight,)

    def shape(self, shape: Shape) -> Shape:
        """Replace the last dimension."""
        return (*shape[:-1], self._width)

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw [out, in] as torch.nn.Linear does and transpose."""
        weight, bias = initialize((self._width, shape[-1]), shape[-1], self.init, self.gain, generator)
        return [weight.t().contiguous(), bias] if self.bias else [weight.t().contiguous()]

    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Multiply lane by lane in one batched kernel."""
        flat = x.flatten(1, -2) if x.dim() > 3 else x
        y = torch.baddbmm(values[1].unsqueeze(1), flat, values[0]) if self.bias else torch.bmm(flat, values[0])
        return y.view(*x.shape[:-1], y.shape[-1]) if x.dim() > 3 else y

    @property
    def _width(self) -> int:
        assert self.width is not None
        return self.width


@dataclass(frozen=True)
class Activation(Layer):
    """Elementwise nonlinearity by name."""

    name: str = "relu"

    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Apply it."""
        return _ACTIVATIONS[self.name](x)


@dataclass(frozen=True)
class Dropout(Layer):
    """Place where activations are dropped, each lane at its own rate; the masks come from outside."""

    rate: float = field(default=0.0, compare=False)

    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Multiply by the mask, which already holds the factor 1/(1 - rate)."""
        return x * values[0] if values else x


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalize each sample over its last dimension, with gain and bias (Ba et al. 2016)."""

    epsilon: float = 1e-5

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Gain and bias per feature."""
        return (Parameter("weight", shape[-1:], matrix=False), Parameter("bias", shape[-1:], matrix=False))

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Gain 1, bias 0."""
        return [torch.ones(shape[-1]), torch.zeros(shape[-1])]

    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Normalize in one kernel, then scale lane by lane."""
        between = (1,) * (x.dim() - 2)
        gain, bias = (value.view(value.shape[0], *between, value.shape[1]) for value in values)
        return torch.addcmul(bias, F.layer_norm(x, x.shape[-1:], eps=self.epsilon), gain)


@dataclass(frozen=True)
class Flatten(Layer):
    """Make each sample a vector."""

    def shape(self, shape: Shape) -> Shape:
        """One dimension."""
        return (math.prod(shape),)

    def forward(self, values: Sequence[Tensor], x: Tensor) -> Tensor:
        """Keep lanes and samples apart."""
        return x.flatten(2)


@dataclass(frozen=True)
class Sequential:
    """Layers one after another, as ``torch.nn.Sequential``, not yet bound to the shape of the data."""

    layers: tuple[Layer, ...]


class Stack(Network):
    """A ``Sequential`` bound to the shape of the data."""

    def __init__(self, model: Sequential, inputs: Shape, outputs: int) -> None:
        self._layers = tuple(layer.sized(outputs) for layer in model.layers)
        self._shapes = [inputs]
        for layer in self._layers:
            self._shapes.append(layer.shape(self._shapes[-1]))
        if self._shapes[-1] != (outputs,):
            raise ValueError(f"the last layer gives {self._shapes[-1]} per sample, the data needs {(outputs,)}")
        named = [
            Parameter(f"{at}.{p.name}", p.shape, p.matrix, p.transposed)
            for at, layer in enumerate(self._layers)
            for p in layer.parameters(self._shapes[at])
        ]
        # rows hold matrices first; `_places` has, for each layer, where its parameters stand in a row
        ranked = sorted(range(len(named)), key=lambda i: not named[i].matrix)
        order = iter([ranked.index(i) for i in range(len(named))])
        counts = [len(layer.parameters(shape)) for layer, shape in zip(self._layers, self._shapes, strict=False)]
        self._places = [[next(order) for _ in range(count)] for count in counts]
        self._ranked = ranked
        self.key = (self._layers, inputs)
        self.parameters = tuple(named[i] for i in ranked)
        dropouts = [(self._shapes[at], layer) for at, layer in enumerate(self._layers) if isinstance(layer, Dropout)]
        self.sites = tuple(shape for shape, _ in dropouts)
        self.rates = tuple(layer.rate for _, layer in dropouts)

    def initial(self, seed: int) -> list[Tensor]:
        """Draw layer by layer from one generator, so that equal layers of equal seeds start equal."""
        generator = torch.Generator().manual_seed(seed)
        used = [v for at, layer in enumerate(self._layers) for v in layer.initial(self._shapes[at], generator)]
        return [used[i] for i in self._ranked]

    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Run the layers."""
        mask = iter(masks or ())
        x = inputs
        for layer, places in zip(self._layers, self._places, strict=True):
            if isinstance(layer, Dropout):
                x = layer.forward([next(mask)], x) if masks is not None else x
            else:
                x = layer.forward([values[place] for place in places], x)
        return x
