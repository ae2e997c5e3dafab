"""Statistics of training: a lane's own in any company, what they say they are, and nothing of them in the curve."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hpo.objectives.networks.layers import Activation, Dropout, Flatten, Linear, Sequential
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.statistics import of_networks
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms.job import Task
from hpo.search.terms.statistics import apart

ROWS, INPUTS = 96, 5


def build(*, dropout: float = 0.2) -> Sequential:
    return Sequential((Flatten(), Linear(8), Activation("relu"), Dropout(dropout), Linear()))


def module() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def data() -> tuple[Any, ...]:
    x = np.random.default_rng(0).normal(size=(ROWS + 32, INPUTS)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    return x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:]


def problem(record: str, build: Any = build) -> Problem:
    return Problem(
        SimpleNamespace(__name__="toy", build=build, data=data), Task("toy", record=(record,) if record else ())
    )


def lanes(record: str, recipes: list[dict[str, Any]], build: Any = build) -> list[Lane]:
    made = problem(record, build)
    return [Lane(number, made.setup(recipe)) for number, recipe in enumerate(recipes)]


def trained(lanes: list[Lane], epochs: int = 3) -> list[list[dict[str, float]]]:
    cohort = Cohort()
    found: list[list[dict[str, float]]] = [[] for _ in lanes]
    for _ in range(epochs):
        cohort.advance(lanes)
        for own, lane in zip(found, lanes, strict=True):
            own.append(dict(lane.metrics))
    return found


RECIPES: list[dict[str, Any]] = [
    {"seed": 1, "batch_size": 16, "learning_rate": 0.01, "clip_norm": 0.5},
    {"seed": 2, "batch_size": 16, "learning_rate": 0.1, "dropout": 0.0, "optimizer": "sgd"},
    {"seed": 3, "batch_size": 16, "accumulation_steps": 2, "clip_norm": 1e-3, "weight_decay": 0.1, "average": "ema"},
    {"seed": 4, "batch_size": 16, "optimizer": "muon", "clip_norm": 1e6},
]


@pytest.mark.parametrize("made", [build, module])
def test_curves_are_the_same_with_and_without(made: Any) -> None:
    recipes = [{key: value for key, value in recipe.items() if key != "dropout"} for recipe in RECIPES]
    for recipe in recipes if made is module else [recipes]:
        group = [recipe] if isinstance(recipe, dict) else recipe
        plain, recorded = trained(lanes("", group, made)), trained(lanes("statistics", group, made))
        assert [[apart(point)[0] for point in curve] for curve in recorded] == plain
        assert all(apart(point)[1] for curve in recorded for point in curve)
        assert not any(apart(point)[1] for curve in plain for point in curve)


def test_a_lanes_statistics_are_those_that_it_has_alone() -> None:
    together = trained(lanes("statistics", RECIPES))
    assert together == [trained([lane])[0] for lane in lanes("statistics", RECIPES)]
    named = {name for name in together[0][0] if apart({name: 0.0})[1]}
    layers = ("1", "4")
    kinds = ("weight_norm", "gradient_norm", "activation_rms")
    assert named == {f"{kind}/{at}" for kind in kinds for at in layers} | {"dead_units/2", "clipped_steps"}
    assert "clipped_steps" not in together[1][0]
    assert [curve[-1].get("clipped_steps") for curve in together[2:]] == [1.0, 0.0]


def test_a_gradients_norm_is_that_of_the_steps_mean_gradient_before_it_is_clipped() -> None:
    """With one step of plain SGD at rate 1 an epoch the weights move by the gradient itself."""
    recipe = {
        "seed": 1, "batch_size": ROWS, "learning_rate": 1.0, "optimizer": "sgd", "momentum": 0.0, "dropout": 0.0,
        "schedule": "constant", "weight_decay": 0.0,
    }  # fmt: skip
    (lane,) = lanes("statistics", [recipe])
    before = lane.setup.network.state_dict(lane.rows["weights"])
    ((point,),) = trained([lane], 1)
    after = lane.setup.network.state_dict(lane.rows["weights"])
    for layer in ("1", "4"):
        names = (f"{layer}.weight", f"{layer}.bias")
        moved = float(sum((after[name] - before[name]).square().sum() for name in names)) ** 0.5
        size = float(sum(after[name].square().sum() for name in names)) ** 0.5
        assert point[f"gradient_norm/{layer}"] == pytest.approx(moved, rel=1e-4)
        assert point[f"weight_norm/{layer}"] == pytest.approx(size, rel=1e-4)
    (clipped,) = lanes("statistics", [{**recipe, "clip_norm": 1e-3}])
    ((same,),) = trained([clipped], 1)
    assert same["gradient_norm/1"] == point["gradient_norm/1"]
    assert same["clipped_steps"] == 1.0


@pytest.mark.parametrize("made", [build, module])
def test_units_that_never_answer_are_counted_as_dead_in_their_lane_alone(made: Any) -> None:
    network = lanes("statistics", [{"seed": 0}], made)[0].setup.network
    network.mode(training=False)
    weights = torch.stack([torch.cat([value.reshape(-1) for value in network.begin(0)])] * (2 if made is build else 1))
    plain = of_networks(network, weights, torch.randn(64, INPUTS))
    at = "dead_units/2"
    assert all(own[at] < 0.5 for own in plain)
    bias = "1.bias"  # of the layer, or of the normalization, before the nonlinearity
    for parameter, view in zip(network.parameters, network.views(weights), strict=True):
        if parameter.name == bias:
            view[-1, :6] = -1e3
    found = of_networks(network, weights, torch.randn(64, INPUTS))
    assert found[-1][at] >= 0.75
    assert all(own[at] < 0.5 for own in found[:-1])
