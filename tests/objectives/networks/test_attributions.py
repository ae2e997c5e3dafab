"""Integrated gradients: complete, nothing for what a network does not look at, and the weights of a linear one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.models.gradients import integrated
from hpo.objectives.networks.layers import Activation, Flatten, Layer, Linear, Sequential, Stack
from hpo.objectives.trainer.predictor import Predictor
from hpo.objectives.trainer.tensors import TaskData

INPUTS = 5


def predictor(classes: int, seed: int, *layers: Layer) -> Predictor:
    """A network with random weights; ``classes`` is 0 for values with mean 3 and deviation 2."""
    network = Stack(Sequential((Flatten(), *layers, Linear())), (INPUTS,), (classes or 1,), 0)
    weights = torch.randn(network.size, generator=torch.Generator().manual_seed(seed))
    task = "classification" if classes else "regression"
    data = TaskData(task, classes, 0, torch.device("cpu"), *((0.0, 1.0) if classes else (3.0, 2.0)))
    return Predictor(network, weights, data, None, None)


def rows(seed: int, count: int = 12) -> torch.Tensor:
    return torch.randn(count, INPUTS, generator=torch.Generator().manual_seed(seed + 1))


@given(st.integers(0, 10**6), st.sampled_from([0, 2, 4]), st.sampled_from(["tanh", "gelu", "relu"]))
@settings(max_examples=20)
def test_what_inputs_are_given_adds_up_to_what_the_output_differs(seed: int, classes: int, activation: str) -> None:
    found = integrated(predictor(classes, seed, Linear(8), Activation(activation)), rows(seed), 256)
    differences = found.outputs - found.baseline
    assert found.values.shape == (12, INPUTS)
    assert found.values.sum(axis=1) == pytest.approx(differences, abs=0.02 * (1 + float(np.abs(differences).max())))


def test_a_linear_networks_inputs_are_given_weight_times_value() -> None:
    model, given_rows = predictor(0, 3), rows(3)
    weight = model.network.state_dict(model.weights)
    (matrix,) = [value for name, value in weight.items() if name.endswith("weight")]
    found = integrated(model, given_rows)
    assert found.values == pytest.approx((2.0 * given_rows * matrix).numpy(), abs=1e-4)


def test_an_input_that_a_network_does_not_look_at_is_given_nothing() -> None:
    model = predictor(2, 5, Linear(8), Activation("tanh"))
    first = model.network.views(model.weights.unsqueeze(0))[0][0]
    assert first.shape == (INPUTS, 8)
    first[2] = 0.0
    found = integrated(model, rows(5))
    assert (found.values[:, 2] == 0).all()
    assert (found.values[:, 1] != 0).any()
