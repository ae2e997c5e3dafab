"""The written-out backward pass against autograd, and rows gathered ahead against rows taken one by one."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.networks import gradients
from hpo.objectives.networks.layers import Activation, Dropout, Flatten, Layer, LayerNorm, Linear, Sequential, Stack
from hpo.objectives.trainer.feed import Feed

LANES, ROWS, INPUTS, OUTPUTS = 3, 5, 7, 4
NAMES = ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
BLOCKS = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(Activation), st.integers(1, 9).map(Linear), st.just(Dropout(0.3))
    ),
    max_size=6,
)  # fmt: skip


def bound(layers: tuple[Layer, ...], shape: tuple[int, ...]) -> tuple[Stack, list[torch.Tensor]]:
    network = Stack(Sequential(layers), shape, (OUTPUTS,))
    torch.manual_seed(0)
    return network, network.views(torch.randn(LANES, network.size))


def both(way: gradients.Pass, network: Stack, masked: bool) -> list[torch.Tensor]:
    """Outputs, then the gradient of each parameter."""
    torch.manual_seed(1)
    inputs = torch.randn(LANES, ROWS, *network.inputs)
    masks = [(torch.rand(LANES, ROWS, *site) > 0.3) / 0.7 for site in network.sites] if masked else None
    with torch.no_grad():
        outputs = way.forward(inputs, masks)
        slots = network.views(torch.full((LANES, network.size), torch.nan))
        way.backward(torch.randn(outputs.shape), slots)
    return [outputs, *slots]


@settings(deadline=None)
@given(blocks=BLOCKS, image=st.booleans(), masked=st.booleans())
def test_a_chain_has_the_bits_of_autograd(blocks: list[Layer], image: bool, masked: bool) -> None:
    layers = (Flatten(), *blocks, Linear()) if image else (*blocks, Linear())
    network, values = bound(layers, (1, INPUTS, 2) if image else (INPUTS,))
    chain = gradients.bind(network, values, bfloat16=False)
    assert isinstance(chain, gradients._Chain)
    taped = both(gradients._Taped(network, values, bfloat16=False), network, masked)
    assert all(torch.equal(one, other) for one, other in zip(both(chain, network, masked), taped, strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        (LayerNorm(), Linear()),
        (Linear(3, bias=False), Linear()),
        (Sequential((Linear(3),)), Linear()),
        (Linear(scale=2.0),),
    ],
)
def test_what_is_no_plain_chain_is_left_to_autograd(layers: tuple[Layer, ...]) -> None:
    assert isinstance(gradients.bind(*bound(layers, (INPUTS,)), bfloat16=False), gradients._Taped)


def test_half_precision_is_left_to_autograd() -> None:
    assert isinstance(gradients.bind(*bound((Linear(),), (INPUTS,)), bfloat16=True), gradients._Taped)


@settings(deadline=None)
@given(width=st.sampled_from([1, 300, 3000]), active=st.lists(st.integers(1, 4), min_size=1, max_size=40))
def test_rows_gathered_ahead_are_the_rows_asked_for(width: int, active: list[int]) -> None:
    active.sort(reverse=True)  # lanes only ever leave
    torch.manual_seed(0)
    table, index = torch.randn(11, width), torch.randint(11, (len(active), active[0], 3))
    partner, part = torch.randint(11, index.shape), torch.rand(index.shape)
    take = partial(torch.index_select, table, 0)
    plain, mixed = Feed(take, index), Feed(take, index, (partner, part))
    for tick, lanes in enumerate(active):
        own, other, share = (values[tick, :lanes] for values in (index, partner, part))
        assert torch.equal(plain.at(tick, lanes), table[own])
        blended = table[own] * share[..., None] + table[other] * (1 - share[..., None])
        assert torch.equal(mixed.at(tick, lanes), blended)
