"""muP: sizes of activations and of what they change by do not depend on width and depth, and at the base all is equal.

The coordinate check is that of Yang et al. 2022, appendix D.1.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.objectives.networks import gradients
from hpo.objectives.networks.layers import Chain, Flow, Layer, Residual, Stack
from hpo.objectives.networks.transformer import transformer
from hpo.objectives.trainer import optimizers, stretches
from hpo.objectives.trainer.training_recipe import TrainingRecipe

SYMBOLS, CONTEXT, BASE = 17, 16, 32
TIED = {"init": "gpt2", "tied": True, "activation": "swiglu", "normalization": "rms", "positions": "rotary"}


def stack(kind: str, width: int, depth: int, **form: Any) -> Stack:
    shape = {"depth": depth, "heads": 4, "width": width, "base_width": BASE, "base_depth": 2}
    return Stack(transformer(**shape, parametrization=kind, **form), (CONTEXT,), (CONTEXT, SYMBOLS), SYMBOLS)


def outputs(network: Stack, values: list[Tensor], x: Tensor) -> list[Tensor]:
    """What each layer gives, in order, sums of residual branches included; the logits are the last."""
    left, flow, found = iter([values[place] for place in network.places]), Flow(), []

    def run(layer: Layer, x: Tensor) -> Tensor:
        if not isinstance(layer, Chain):
            y = layer.forward(left, x, flow)
        else:
            y = x
            for inner in layer.layers:
                y = run(inner, y)
            if isinstance(layer, Residual):
                y = x + layer.scale * y
        found.append(y)
        return y

    run(network.model, x)
    return found


def trained(network: Stack, recipe: TrainingRecipe, seed: int, steps: int = 4) -> Tensor:
    """[layers, 2]: mean sizes of each layer's output after some steps, and of what it changed by."""
    row = torch.cat([value.flatten() for value in network.initial(seed)])
    weights, gradient = row.unsqueeze(0), torch.zeros(1, len(row))
    rows = {name: torch.zeros(len(row)) for name in optimizers.memory(recipe)}
    rows |= {"weights": weights[0], "gradient": gradient[0], "count": torch.zeros(())}
    step = optimizers.bind(rows, recipe, network.parameters)
    way, slots = gradients.bind(network, network.views(weights), bfloat16=False), network.views(gradient)
    x = torch.randint(0, SYMBOLS, (1, 8, CONTEXT), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        first = outputs(network, network.views(weights), x)
        for _ in range(steps):
            logits = way.forward(x, None)
            slope = (logits.softmax(dim=-1) - F.one_hot((3 * x + 1) % SYMBOLS, SYMBOLS)) / x.numel()
            way.backward(slope, slots)
            rows["count"].add_(1)
            step(recipe.learning_rate)
        last = outputs(network, network.views(weights), x)
    return torch.tensor([[b.abs().mean(), (b - a).abs().mean()] for a, b in zip(first, last, strict=True)])


def grown(kind: str, recipe: TrainingRecipe, form: dict[str, Any], widths: tuple[int, ...]) -> Tensor:
    """[layers, 2]: the largest mean size over the smallest, over the widths; two seeds each."""
    sizes = [
        torch.stack([trained(stack(kind, width, 2, **form), recipe, seed) for seed in range(2)]).mean(dim=0)
        for width in widths
    ]
    return torch.stack(sizes).amax(dim=0) / torch.stack(sizes).amin(dim=0)


ADAMW = TrainingRecipe(optimizer="adamw", learning_rate=0.01)
MUON = TrainingRecipe(optimizer="muon", learning_rate=0.02, adam_rate=0.01)


@pytest.mark.parametrize(("recipe", "form"), [(ADAMW, {}), (ADAMW, TIED), (MUON, TIED)], ids=["adamw", "tied", "muon"])
def test_activations_and_their_changes_keep_their_sizes_from_width_to_width(
    recipe: TrainingRecipe, form: dict[str, Any]
) -> None:
    widths = (32, 128) if recipe is MUON else (32, 256)
    mup, standard = (grown(kind, recipe, form, widths) for kind in ("mup", "standard"))
    assert mup.max() < 1.6
    assert standard[-1, 1] > 1.8, "the logits' change grows"
    assert standard.max() > 3


def test_changes_keep_their_sizes_from_depth_to_depth() -> None:
    sizes = {
        kind: [trained(stack(kind, BASE, depth), ADAMW, 0)[[-4, -1]] for depth in (2, 16)]
        for kind in ("mup", "standard")
    }
    mup, standard = ((deep / shallow)[:, 1] for shallow, deep in sizes.values())
    assert (mup > 1 / 1.6).all()
    assert (mup < 1.6).all()
    assert standard[0] > 4


def test_rates_and_first_deviations_follow_the_table() -> None:
    base, wide, deep = stack("mup", BASE, 2, **TIED), stack("mup", 4 * BASE, 2, **TIED), stack("mup", BASE, 8, **TIED)
    assert {(parameter.rate, parameter.entry_rate) for parameter in base.parameters} == {(1, 1)}
    for one, other, first, second in zip(
        base.parameters, wide.parameters, base.initial(0), wide.initial(0), strict=True
    ):
        assert (other.rate, other.entry_rate) == (1, 0.25 if one.matrix else 1)
        if len(one.shape) == 2:
            assert (second.std() / first.std()).item() == pytest.approx(0.5 if one.matrix else 1, rel=0.15)
    assert [parameter.rate for parameter in deep.parameters if parameter.hidden is None] == [1, 1]
    assert {parameter.rate for parameter in deep.parameters if parameter.hidden is not None} == {0.5}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_time_in_which_decay_forgets_is_that_of_the_base(optimizer: str) -> None:
    recipe = TrainingRecipe(optimizer=optimizer, learning_rate=0.01, adam_rate=0.01)
    parameters = stack("mup", 4 * BASE, 8).parameters
    decayed = sum(parameter.size for parameter in parameters if parameter.matrix)
    assert stretches.decays(parameters, recipe) == [(slice(0, decayed), 1.0)]
