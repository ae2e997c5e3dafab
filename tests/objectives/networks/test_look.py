"""Looking into a forward pass: layers give what the network gives, and attention is what the kernel weighs by."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hpo.objectives.networks.images import Conv2d, MaxPool2d
from hpo.objectives.networks.layers import Activation, Flatten, Linear, Sequential, Stack
from hpo.objectives.networks.low_rank import LowRank
from hpo.objectives.networks.module import ModuleNetwork
from hpo.objectives.networks.network import Network
from hpo.objectives.networks.sequence import Attention
from hpo.objectives.networks.transformer import transformer

LANES = 3


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images() -> Stack:
    layers = (Conv2d(4), Activation("relu"), MaxPool2d(), Flatten(), Linear(6), Activation("tanh"), Linear())
    return Stack(Sequential(layers), (1, 6, 6), (2,))


def networks() -> dict[str, tuple[Network, torch.Tensor]]:
    own = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    words = transformer(width=8, depth=2, heads=2, positions="rotary")
    pixels, symbols = random(LANES, 5, 1, 6, 6), torch.arange(LANES * 5 * 7).view(LANES, 5, 7) % 9
    return {
        "images": (images(), pixels),
        "low rank": (LowRank(images(), 2, 1.0, ()), pixels),
        "module": (ModuleNetwork(own, pixels[0, :2], (2,), {}), pixels[:1]),
        "transformer": (Stack(words, (7,), (7, 9), 9), symbols),
        "documents": (
            Stack(words, (2, 7), (7, 9), 9, documents=True),
            torch.stack([symbols, (torch.arange(7) > 3).long().expand_as(symbols)], dim=2),
        ),
    }


@pytest.mark.parametrize("name", networks())
def test_the_last_layer_gives_what_the_network_gives(name: str) -> None:
    network, inputs = networks()[name]
    network.mode(training=False)
    values = network.views(random(len(inputs), network.size, seed=1))
    with torch.no_grad():
        outputs, seen = network.forward(values, inputs, None), network.look(values, inputs)
    assert torch.equal(seen.steps[-1].output.reshape(outputs.shape), outputs)
    assert [step.kind for step in seen.steps].count("Conv2d") == (name not in ("transformer", "documents"))
    assert len({step.place for step in seen.ends}) == len(seen.ends) > 2
    assert len(seen.attention) == (2 if name in ("transformer", "documents") else 0)


@pytest.mark.parametrize(("causal", "rotary", "scale"), [(True, False, None), (False, True, None), (True, True, 0.7)])
def test_attention_that_is_seen_is_what_values_are_weighed_by(causal: bool, rotary: bool, scale: float | None) -> None:
    width, heads = 8, 2
    layer = Attention(heads, causal, bias=False, rotary=rotary, scale=scale)
    network = Stack(Sequential((layer, Linear(1))), (6, width), (6, 1))
    values = network.views(random(LANES, network.size))
    for place, parameter in zip(values, network.parameters, strict=True):
        if parameter.name == "0.in_proj_weight":  # values are the inputs themselves
            place[:, :, 2 * width :] = torch.eye(width)
        if parameter.name == "0.out_proj.weight":
            place[:] = torch.eye(width)
    inputs = random(LANES, 4, 6, width, seed=2)
    seen = network.look(values, inputs)
    weights = seen.attention["0"]
    assert weights.shape == (LANES, 4, heads, 6, 6)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(LANES, 4, heads, 6), atol=1e-6)
    assert causal == bool((weights.triu(1) == 0).all())
    parts = inputs.view(LANES, 4, 6, heads, -1).transpose(2, 3)
    weighed = (weights @ parts).transpose(2, 3).reshape(inputs.shape)
    assert torch.allclose(weighed, seen.steps[0].output, atol=1e-5)


def test_a_position_sees_nothing_of_another_document() -> None:
    network, inputs = networks()["documents"]
    seen = network.look(network.views(random(LANES, network.size)), inputs)
    for weights in seen.attention.values():
        assert (weights[..., 4:, :4] == 0).all()
        assert (weights[..., 4:, 4:].sum(dim=-1) > 0.999).all()
