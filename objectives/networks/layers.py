"""Layers described by plain values and run for all lanes at a time; an objective's ``build`` returns a ``Sequential``.

Input sizes are not written down: they follow from the data, layer by layer. ``Linear()`` without a width gives as
many outputs as the data has classes or targets. Layers for images are in ``images``, for sequences in ``sequence``.
"""

from __future__ import annotations

import abc
import copy
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpo.objectives.networks.initialization import Init, initialize
from hpo.objectives.networks.network import Network, Parameter, Shape
from hpo.objectives.networks.seen import Seen
from hpo.search.terms.errors import UserError

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "relu2": lambda x: F.relu(x).square(),  # So et al. 2021 (Primer), section 4.1
}


class Flow:
    """What goes through the layers beside the values, in one forward pass.

    Attributes:
        masks: one for each place where activations are dropped, in order of use; None where nothing is dropped.
        documents: int64 [K, B, T], which document each position belongs to, -1 for padding; a document's positions lie
            next to one another. None where all positions of a sample belong together.
        seen: takes what each layer gives, where the pass is looked at.
        kept: what layers hand to later ones, by name, such as a table that the last layer reads too.
    """

    def __init__(
        self, masks: Iterator[Tensor] | None = None, documents: Tensor | None = None, seen: Seen | None = None
    ) -> None:
        self.masks, self.documents, self.seen = masks, documents, seen
        self.kept: dict[Hashable, Tensor] = {}

    def part(self, masks: Iterable[Tensor] | None) -> Flow:
        """The same pass with some of its masks, for layers that may be run again."""
        found = Flow(None if masks is None else iter(masks), self.documents, self.seen)
        found.kept = self.kept
        return found

    def once(self, name: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What was made under this name in this forward pass; made now where it was not."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]


class Layer(abc.ABC):
    """One step of a forward pass; by default it has no parameters, drops nothing and keeps the shape."""

    def sized(self, outputs: int, symbols: int) -> Layer:
        """The same layer with open sizes set by the data: its outputs, and its symbols (0 where it has none)."""
        return self

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Parameters for samples of this shape."""
        return ()

    def shape(self, shape: Shape) -> Shape:
        """Shape of a sample after this layer."""
        return shape

    def dropouts(self, shape: Shape) -> tuple[tuple[Shape, float], ...]:
        """Shape per sample and rate of each place where activations are dropped."""
        return ()

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Fresh weights of one lane."""
        return []

    @abc.abstractmethod
    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Map [K, B, ...] to [K, B, ...].

        Args:
            values: the layer takes its own parameters from here.
            x: what the layer before it gave.
            flow: its own masks, and what else goes with this forward pass.
        """


@dataclass(frozen=True)
class Linear(Layer):
    """Affine map of the last dimension; weights are kept [in, out] for one batched multiplication.

    Attributes:
        width: number of outputs; None takes as many as the data needs.
        bias: whether there is one.
        init: distribution of the first weights.
        gain: multiplies the first weights.
        bias_gain: multiplies the first bias.
        scale: multiplies the input, as the readout of muP does (see ``transformer``).
    """

    width: int | None = None
    bias: bool = True
    init: Init = "torch"
    gain: float = 1.0
    bias_gain: float = 1.0
    scale: float = 1.0

    def sized(self, outputs: int, symbols: int) -> Layer:
        """Take the number of outputs as width where none is given."""
        return self if self.width is not None else replace(self, width=outputs)

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
        if self.bias_gain != 1:
            bias.mul_(self.bias_gain)
        return [weight.t().contiguous(), bias] if self.bias else [weight.t().contiguous()]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Multiply lane by lane in one batched kernel."""
        weight = next(values)
        if self.scale != 1:
            x = x * self.scale
        flat = x.flatten(1, -2) if x.dim() > 3 else x
        y = torch.baddbmm(next(values).unsqueeze(1), flat, weight) if self.bias else torch.bmm(flat, weight)
        return y.view(*x.shape[:-1], y.shape[-1]) if x.dim() > 3 else y

    @property
    def _width(self) -> int:
        assert self.width is not None
        return self.width


@dataclass(frozen=True)
class Activation(Layer):
    """Elementwise nonlinearity by name."""

    name: str = "relu"

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Apply it."""
        return _ACTIVATIONS[self.name](x)


@dataclass(frozen=True)
class Dropout(Layer):
    """Place where activations are dropped, each lane at its own rate; the masks come from outside."""

    rate: float = field(default=0.0, compare=False)

    def dropouts(self, shape: Shape) -> tuple[tuple[Shape, float], ...]:
        """All that comes in."""
        return ((shape, self.rate),)

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Multiply by the mask, which already holds the factor 1/(1 - rate)."""
        return x if flow.masks is None else x * next(flow.masks)


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalize each sample over its last dimension, with gain and, unless told otherwise, bias (Ba et al. 2016).

    Attributes:
        epsilon: added to the variance.
        bias: whether there is one.
        fused: whether gain and bias are applied in the kernel that normalizes, which takes one lane at a time: better
            where a lane has much to do, as in transformers.
    """

    epsilon: float = 1e-5
    bias: bool = True
    fused: bool = False

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Gain and bias per feature."""
        gain = Parameter("weight", shape[-1:], matrix=False)
        return (gain, Parameter("bias", shape[-1:], matrix=False)) if self.bias else (gain,)

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Gain 1, bias 0."""
        return [torch.ones(shape[-1]), torch.zeros(shape[-1])] if self.bias else [torch.ones(shape[-1])]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Normalize in one kernel, then scale lane by lane; or both in one for each lane."""
        if self.fused:
            own = (next(values), next(values)) if self.bias else (next(values),)
            return lane_by_lane(self._kernel, x, *own)
        normed = F.layer_norm(x, x.shape[-1:], eps=self.epsilon)
        gain = along(next(values), x)
        return torch.addcmul(along(next(values), x), normed, gain) if self.bias else normed * gain

    def _kernel(self, x: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], gain, bias, self.epsilon)


def along(value: Tensor, x: Tensor) -> Tensor:
    """A vector of each lane, [K, features], such that it meets the last dimension of [K, B, ..., features]."""
    return value.view(value.shape[0], *(1,) * (x.dim() - 2), value.shape[1])


def lane_by_lane(kernel: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """Run a kernel that knows no lanes on each lane's values: the bits do not depend on how many lanes there are."""
    if len(values[0]) == 1:
        return kernel(*(value.squeeze(0) for value in values)).unsqueeze(0)
    return torch.stack([kernel(*own) for own in zip(*(value.unbind() for value in values), strict=True)])


@dataclass(frozen=True)
class Flatten(Layer):
    """Make each sample a vector."""

    def shape(self, shape: Shape) -> Shape:
        """One dimension."""
        return (math.prod(shape),)

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Keep lanes and samples apart."""
        return x.flatten(2)


@dataclass(frozen=True)
class Chain(Layer):
    """Layers one after another; parameters are named by the layer's place, as in ``torch.nn.Sequential``."""

    layers: tuple[Layer, ...]

    def sized(self, outputs: int, symbols: int) -> Layer:
        """Size each."""
        return replace(self, layers=tuple(layer.sized(outputs, symbols) for layer in self.layers))

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Those of all layers, in order."""
        return tuple(
            replace(parameter, name=f"{at}.{parameter.name}")
            for at, (layer, own) in enumerate(self._along(shape))
            for parameter in layer.parameters(own)
        )

    def shape(self, shape: Shape) -> Shape:
        """Shape after the last."""
        for layer in self.layers:
            shape = layer.shape(shape)
        return shape

    def dropouts(self, shape: Shape) -> tuple[tuple[Shape, float], ...]:
        """Those of all layers, in order."""
        return tuple(place for layer, own in self._along(shape) for place in layer.dropouts(own))

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw layer by layer from one generator, so that equal layers of equal seeds start equal."""
        return [value for layer, own in self._along(shape) for value in layer.initial(own, generator)]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Run the layers."""
        seen = flow.seen
        for at, layer in enumerate(self.layers):
            if seen is None:
                x = layer.forward(values, x, flow)
            else:
                x = seen.run(at, type(layer).__name__, partial(layer.forward, values, x, flow))
        return x

    def _along(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """Each layer with the shape of its input."""
        for layer in self.layers:
            yield layer, shape
            shape = layer.shape(shape)


@dataclass(frozen=True)
class Sequential(Chain):
    """Layers one after another, as ``torch.nn.Sequential``; what ``build`` returns, or a part of another.

    Attributes:
        parametrization: ``mup`` where rates and first weights follow muP with Adam's rules (see ``transformer``).
    """

    parametrization: str = "standard"


@dataclass(frozen=True)
class Residual(Chain):
    """Layers around which their input is added to their output (He et al. 2016).

    A pre-LN transformer block is two of them (Xiong et al. 2020): ``Residual((LayerNorm(), Attention()))`` and
    ``Residual((LayerNorm(), Linear(4 * width), Activation("gelu"), Linear(width)))``, each with a ``Dropout`` at its
    end where the recipe has one.

    Attributes:
        scale: multiplies the layers' output.
    """

    scale: float = 1.0

    def shape(self, shape: Shape) -> Shape:
        """Keep the shape.

        Raises:
            UserError: the layers change it.
        """
        if (after := super().shape(shape)) != shape:
            raise UserError(f"Residual cannot add its input to its output: {list(shape)} became {list(after)}")
        return shape

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Run the layers and add."""
        branch = super().forward(values, x, flow)
        return x + branch if self.scale == 1 else torch.add(x, branch, alpha=self.scale)


class Stack(Network):
    """A ``Sequential`` bound to the data.

    Attributes:
        model: with all of its sizes.
        inputs, outputs, symbols, documents: of the data.
        sample_shape: shape of what the first layer is given per sample.
    """

    def __init__(
        self, model: Sequential, inputs: Shape, outputs: Shape, symbols: int = 0, *, documents: bool = False
    ) -> None:
        """Find the sizes.

        Args:
            model: as ``build`` returned it.
            inputs: shape of a sample.
            outputs: shape that the data needs per sample.
            symbols: how many different ones the inputs hold; 0 where they are real numbers.
            documents: whether a sample is int64 [2, T], symbols and the numbers of their documents (-1 for padding);
                the layers are given the symbols, of shape [T], and find the numbers in ``Flow.documents``.

        Raises:
            UserError: layers do not fit the data or one another.
        """
        if documents and (len(inputs) != 2 or inputs[0] != 2):
            raise UserError(f"a sample must be [2, T], symbols and the numbers of their documents, got {list(inputs)}")
        self.model = model.sized(outputs[-1], symbols)
        self.inputs, self.outputs, self.symbols, self.documents = inputs, outputs, symbols, documents
        self.sample_shape = shape = inputs[1:] if documents else inputs
        if (given := self.model.shape(shape)) != outputs:
            raise UserError(f"the last layer gives {list(given)} per sample, the data needs {list(outputs)}")
        named = self.model.parameters(shape)
        # rows hold matrices first; `places` has, for each parameter in the layers' order, where it stands in a row
        self._ranked = sorted(range(len(named)), key=lambda i: not named[i].matrix)
        self.places = [self._ranked.index(i) for i in range(len(named))]
        self.key = (self.model, inputs, documents)
        self.parametrization = model.parametrization
        self.parameters = tuple(named[i] for i in self._ranked)
        self.order = tuple(parameter.name for parameter in named)
        self.head = tuple(name for name in self.order if name.startswith(f"{self._last(shape)}."))
        dropouts = self.model.dropouts(shape)
        self.sites = tuple(shape for shape, _ in dropouts)
        self.rates = tuple(rate for _, rate in dropouts)

    def _last(self, shape: Shape) -> int:
        """Place of the layer that gives the outputs: the last that has weights or changes the shape."""
        assert isinstance(self.model, Chain)
        before = [(at, layer, own) for at, (layer, own) in enumerate(self.model._along(shape))]
        return next((at for at, layer, own in reversed(before) if layer.parameters(own) or layer.shape(own) != own), 0)

    def initial(self, seed: int) -> list[Tensor]:
        """Draw from one generator."""
        drawn = self.model.initial(self.sample_shape, torch.Generator().manual_seed(seed))
        return [drawn[i] for i in self._ranked]

    def forward(self, values: Sequence[Tensor], inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Run the layers."""
        return self._run(values, inputs, None if masks is None else iter(masks), None)

    def look(self, values: Sequence[Tensor], inputs: Tensor) -> Seen:
        """See ``Network``."""
        seen = Seen()
        self._run(values, inputs, None, seen)
        return seen

    def _run(
        self, values: Sequence[Tensor], inputs: Tensor, masks: Iterator[Tensor] | None, seen: Seen | None
    ) -> Tensor:
        ordered = (values[place] for place in self.places)
        numbers = None
        if self.documents:
            inputs, numbers = inputs.unbind(2)
        return self.model.forward(ordered, inputs, Flow(masks, numbers, seen))

    def as_module(self, row: Tensor) -> nn.Module:
        """See ``Network``; each row of symbols is taken as one document, so that their numbers are no input."""
        alone = copy.copy(self)
        alone.documents = False
        return Network.as_module(alone, row)
