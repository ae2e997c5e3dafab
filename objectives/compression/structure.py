"""Layers of a trained network made narrower or of lower rank; what was changed is plain data, which rebuilds it.

Layers are named by their places, as their weights are: ``{"1": {"width": 40}, "4": {"rank": 8}}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor

from hpo.objectives.networks.blocks import RMSNorm, SwiGLU
from hpo.objectives.networks.images import Conv2d, GroupNorm, MaxPool2d
from hpo.objectives.networks.layers import Activation, Chain, Dropout, Flatten, Layer, LayerNorm, Linear, Stack
from hpo.objectives.networks.network import Network, Shape
from hpo.search.terms.errors import UserError

Structure: TypeAlias = Mapping[str, Mapping[str, int]]
State: TypeAlias = dict[str, Tensor]

_CARRIERS = (Activation, Dropout, Flatten, GroupNorm, LayerNorm, MaxPool2d)
"""Layers after which each feature is still that of the same neuron, or channel."""
_ALONG = (Activation, Dropout, LayerNorm, RMSNorm, SwiGLU)
"""The same where features are the last dimension of several."""


def rebuilt(network: Network, structure: Structure) -> Network:
    """The network with its layers changed; the same one where nothing is.

    Raises:
        UserError: it is no chain of the suite's layers, or has no such layer.
    """
    if not structure:
        return network
    stack = _stack(network)
    model = _changed(_chain(stack), structure, "")
    return Stack(model, stack.inputs, stack.outputs, stack.symbols, documents=stack.documents)


def narrowed(network: Network, state: State, share: float) -> tuple[dict[str, dict[str, int]], State]:
    """Remove a share of each hidden layer's neurons, or channels, with all that leads to them and from them.

    Those go whose weights have the smallest product of norms, incoming times outgoing: it does not change when a
    neuron's input is scaled up and its output down. Only layers whose outputs go to one further layer, with nothing
    between that mixes them, are made narrower.

    Args:
        network: of the suite's layers.
        state: its weights, named and shaped as torch.nn has them.
        share: of the neurons of each layer, 0 to 1; one at least stays, and as many in each group that is normalized.

    Returns:
        What was changed, and the weights that are left.

    Raises:
        UserError: the network is a module of the user's, or nothing in it can be made narrower.
    """
    stack, found, state = _stack(network), dict[str, dict[str, int]](), dict(state)
    for pair in _pairs(_chain(stack), stack.sample_shape, ""):
        width = len(state[f"{pair.first}.weight"])
        into, out = state[f"{pair.first}.weight"].flatten(1), state[f"{pair.second}.weight"]
        if pair.gated:  # the halves of a neuron stand apart
            width //= 2
            into = torch.cat(into.chunk(2), dim=1)
        at = torch.arange(width)
        out = out.reshape(len(out), width, -1).transpose(0, 1).flatten(1)
        score = torch.linalg.vector_norm(into, dim=1) * torch.linalg.vector_norm(out, dim=1)
        each = max(1, round((1 - share) * width / pair.groups))
        chosen = score.view(pair.groups, -1).topk(each, dim=1).indices.sort(dim=1).values
        kept = at.view(pair.groups, -1).gather(1, chosen).flatten()
        if len(kept) == width:
            continue
        both = torch.cat([kept, kept + width]) if pair.gated else kept
        for name in (f"{pair.first}.weight", f"{pair.first}.bias"):
            if name in state:
                state[name] = state[name][both].clone()
        for name in pair.between:
            state[name] = state[name][_spread(kept, len(state[name]) // width)].clone()
        following = state[f"{pair.second}.weight"]
        state[f"{pair.second}.weight"] = following[:, _spread(kept, following.shape[1] // width)].clone()
        found[pair.first] = {"width": len(both)}
    if not found and share:
        raise UserError(
            "prune_by: rows finds no hidden layer that can be made narrower in this network: use prune_by: global"
        )
    return found, state


def factored(network: Network, state: State, rank: int) -> tuple[dict[str, dict[str, int]], State]:
    """Replace linear layers by two of lower rank, where these have fewer weights: the best such product (Eckart and
    Young 1936), by singular value decomposition, each factor with the root of the singular values.

    Args:
        network: of the suite's layers.
        state: its weights, named and shaped as torch.nn has them.
        rank: inner width, from 1 on.

    Raises:
        UserError: the network is a module of the user's.
    """
    stack, found, state = _stack(network), dict[str, dict[str, int]](), dict(state)
    for name, layer, _ in _every(_chain(stack), stack.sample_shape, ""):
        weight = state.get(f"{name}.weight")
        if not isinstance(layer, Linear) or weight is None or rank * sum(weight.shape) >= prod(weight.shape):
            continue
        left, values, right = torch.linalg.svd(weight.double(), full_matrices=False)
        root = values[:rank].sqrt()
        del state[f"{name}.weight"]
        state[f"{name}.0.weight"] = (root[:, None] * right[:rank]).float().contiguous()
        state[f"{name}.1.weight"] = (left[:, :rank] * root).float().contiguous()
        if (bias := state.pop(f"{name}.bias", None)) is not None:
            state[f"{name}.1.bias"] = bias
        found[name] = {"rank": rank}
    return found, state


@dataclass(frozen=True)
class _Pair:
    """A layer whose outputs another one alone reads.

    Attributes:
        first, second: their names.
        between: names of parameters per feature of the layers between.
        groups: in which features are normalized together.
        gated: whether each feature is made of one in each half of the first layer's outputs.
    """

    first: str
    second: str
    between: tuple[str, ...]
    groups: int
    gated: bool


def _pairs(chain: Chain, shape: Shape, prefix: str) -> Iterator[_Pair]:
    """Layers of a chain, and of those inside it, that can be made narrower, from the input on."""
    first, along, pair = "", False, _Pair("", "", (), 1, False)
    for at, layer in enumerate(chain.layers):
        name = f"{prefix}{at}"
        if isinstance(layer, Chain):
            yield from _pairs(layer, shape, f"{name}.")
            first = ""
        elif isinstance(layer, (Linear, Conv2d)):
            mixes = isinstance(layer, Linear) and len(shape) > 1  # the last dimension only
            if first and along == mixes:
                yield replace(pair, first=first, second=name)
            first, along, pair = name, mixes, _Pair("", "", (), 1, False)
        elif first and isinstance(layer, _ALONG if along else _CARRIERS):
            own = tuple(f"{name}.{parameter.name}" for parameter in layer.parameters(shape))
            pair = replace(
                pair,
                between=(*pair.between, *own),
                groups=layer.groups if isinstance(layer, GroupNorm) else pair.groups,
                gated=pair.gated or isinstance(layer, SwiGLU),
            )
            if isinstance(layer, LayerNorm) and len(shape) > 1 and not along:
                first = ""
        else:
            first = ""
        shape = layer.shape(shape)


def _every(chain: Chain, shape: Shape, prefix: str) -> Iterator[tuple[str, Layer, Shape]]:
    """All layers with their names and the shapes of their inputs."""
    for at, layer in enumerate(chain.layers):
        if isinstance(layer, Chain):
            yield from _every(layer, shape, f"{prefix}{at}.")
        else:
            yield f"{prefix}{at}", layer, shape
        shape = layer.shape(shape)


def _changed(chain: Any, structure: Structure, prefix: str) -> Any:
    layers = []
    for at, layer in enumerate(chain.layers):
        name = f"{prefix}{at}"
        if isinstance(layer, Chain):
            layer = _changed(layer, structure, f"{name}.")
        change = structure.get(name, {})
        if "width" in change:
            layer = replace(layer, **{"channels" if isinstance(layer, Conv2d) else "width": change["width"]})
        if "rank" in change:
            layer = Chain((Linear(change["rank"], bias=False, scale=layer.scale), replace(layer, scale=1.0)))
        layers.append(layer)
    return replace(chain, layers=tuple(layers))


def _spread(kept: Tensor, times: int) -> Tensor:
    """Places of features that each stand for several values in a row, such as the pixels of a channel."""
    return (kept[:, None] * times + torch.arange(times)).flatten()


def _stack(network: Network) -> Stack:
    if not isinstance(network, Stack):
        raise UserError(
            "rank and prune_by: rows change layers of this suite, and the network is a module of your own: use "
            "prune_by: global or layer, int8, or a student"
        )
    return network


def _chain(stack: Stack) -> Chain:
    assert isinstance(stack.model, Chain)
    return stack.model
