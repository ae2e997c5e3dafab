"""Outputs of some lanes and, from the gradient there, the gradients of their weights.

For most networks autograd does it. For plain chains of layers the backward pass is written out: the kernels are those
that autograd runs, in its order, so every bit is the same, but its bookkeeping, which costs more than the kernels of a
small model, is saved, and so is a copy of each gradient.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from hpo.objectives.networks.layers import Activation, Dropout, Flatten, Flow, Layer, Linear, Sequential, Stack
from hpo.objectives.networks.network import Network


class Pass(Protocol):
    """A network bound to the weights of some lanes."""

    def forward(self, inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        """Outputs [K, B, ...], cut off from any graph."""
        ...

    def backward(self, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        """Fill ``slots``, one per parameter, from the gradient at the last outputs, which is used up."""
        ...


def bind(network: Network, values: Sequence[Tensor], *, bfloat16: bool) -> Pass:
    """The fastest way there is for this network; ``values`` are followed when they change in place."""
    if not bfloat16 and isinstance(network, Stack) and (layers := _plain(network)):
        return _Chain(layers, network.places, values)
    return _Taped(network, values, bfloat16)


class _Taped:
    """Autograd."""

    def __init__(self, network: Network, values: Sequence[Tensor], bfloat16: bool) -> None:
        self._network = network
        trained = [parameter.rate != 0 for parameter in network.parameters]
        self._values = [value.detach().requires_grad_(own) for value, own in zip(values, trained, strict=True)]
        self._bfloat16 = bfloat16

    def forward(self, inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        narrow = torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bfloat16)
        with torch.enable_grad(), narrow:
            self._outputs = self._network.forward(self._values, inputs, masks)
        return self._outputs.detach()

    def backward(self, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        with torch.enable_grad():
            wanted = gradient.to(self._outputs.dtype).view(self._outputs.shape)
            total = _Pulled.apply(self._outputs, wanted)  # type: ignore[no-untyped-call]
        del self._outputs  # with the graph
        trained = [value for value in self._values if value.requires_grad]
        if trained:
            own = [slot for slot, value in zip(slots, self._values, strict=True) if value.requires_grad]
            torch._foreach_copy_(own, torch.autograd.grad(total, trained))
        for slot, value in zip(slots, self._values, strict=True):
            if not value.requires_grad:
                slot.zero_()


class _Pulled(torch.autograd.Function):
    """A number whose gradient at the outputs is the one that is given.

    ``torch.autograd.grad(outputs, values, gradient)`` does the same, but loads hundreds of modules to check what is
    given to it; the sum of the product takes three passes over the outputs.
    """

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return outputs.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None


class _Link(abc.ABC):
    """A layer of a chain; keeps what its backward pass needs."""

    @abc.abstractmethod
    def forward(self, x: Tensor, masks: Iterator[Tensor] | None) -> Tensor:
        """The layer's output."""

    @abc.abstractmethod
    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient at its input, from that at its output."""


class _Linear(_Link):
    def __init__(self, values: Sequence[Tensor], weight: int, bias: int) -> None:
        self._weight, self._bias = values[weight], values[bias].unsqueeze(1)
        self._turned = self._weight.transpose(1, 2)
        self._places = weight, bias

    def forward(self, x: Tensor, masks: Iterator[Tensor] | None) -> Tensor:
        self._x = x
        return torch.baddbmm(self._bias, x, self._weight)

    def backward(self, gradient: Tensor) -> Tensor:
        return torch.bmm(gradient, self._turned)

    def fill(self, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        """Write the gradients of its own weights."""
        weight, bias = self._places
        torch.bmm(self._x.transpose(1, 2), gradient, out=slots[weight])
        torch.sum(gradient, 1, out=slots[bias])


class _Activation(_Link):
    def __init__(self, layer: Activation) -> None:
        self._layer, self._derive = layer, _DERIVATIVES[layer.name]

    def forward(self, x: Tensor, masks: Iterator[Tensor] | None) -> Tensor:
        self._x = x
        self._y = self._layer.forward(_NOTHING, x, _ALONE)
        return self._y

    def backward(self, gradient: Tensor) -> Tensor:
        return self._derive(gradient, self._x, self._y)


_NOTHING: Iterator[Tensor] = iter(())
_ALONE = Flow()

_aten = torch.ops.aten

_DERIVATIVES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "relu": lambda gradient, x, y: _aten.threshold_backward(gradient, y, 0),
    "leaky_relu": lambda gradient, x, y: _aten.leaky_relu_backward(gradient, x, 0.01, False),
    "elu": lambda gradient, x, y: _aten.elu_backward(gradient, 1, 1, 1, False, x),
    "gelu": lambda gradient, x, y: _aten.gelu_backward(gradient, x),
    "silu": lambda gradient, x, y: _aten.silu_backward(gradient, x),
    "tanh": lambda gradient, x, y: _aten.tanh_backward(gradient, y),
}
"""The gradient at an activation's input, from that at its output, its input and its output."""


class _Dropout(_Link):
    def forward(self, x: Tensor, masks: Iterator[Tensor] | None) -> Tensor:
        self._mask = None if masks is None else next(masks)
        return x if self._mask is None else x * self._mask

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient if self._mask is None else gradient.mul_(self._mask)


def _plain(network: Stack) -> Sequence[Layer]:
    """The layers, where they are such a chain over samples that are vectors, and none is frozen; else nothing."""
    if network.documents or not isinstance(network.model, Sequential):
        return ()
    if not all(parameter.rate for parameter in network.parameters):
        return ()
    first, *rest = layers = network.model.layers
    known = all(
        isinstance(layer, Dropout)
        or (isinstance(layer, Linear) and layer.bias and layer.scale == 1)
        or (isinstance(layer, Activation) and layer.name in _DERIVATIVES)
        for layer in (rest if isinstance(first, Flatten) else layers)
    )
    return layers if known and (len(network.inputs) == 1 or isinstance(first, Flatten)) else ()


class _Chain:
    """Linear layers with activations and dropout between them."""

    def __init__(self, layers: Sequence[Layer], places: Sequence[int], values: Sequence[Tensor]) -> None:
        order = iter(places)
        self._links: list[_Link] = []
        for layer in layers:
            if isinstance(layer, Linear):
                self._links.append(_Linear(values, next(order), next(order)))
            elif isinstance(layer, Activation):
                self._links.append(_Activation(layer))
            elif isinstance(layer, Dropout):
                self._links.append(_Dropout())
        self._first = next(link for link in self._links if isinstance(link, _Linear))

    def forward(self, inputs: Tensor, masks: Sequence[Tensor] | None) -> Tensor:
        x, left = inputs.flatten(2), None if masks is None else iter(masks)
        for link in self._links:
            x = link.forward(x, left)
        return x

    def backward(self, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        for link in reversed(self._links):
            if isinstance(link, _Linear):
                link.fill(gradient, slots)
            if link is self._first:
                return
            gradient = link.backward(gradient)
