"""Convolutional lanes: as torch.nn computes them, and the same in any company."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hpo.objectives import cnn
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms.errors import DataError
from hpo.search.terms.job import Task


def images(*, rows: int = 40) -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows + 20, 1, 6, 6)).astype("float32")
    y = (x[:, 0, 1, 1] + x[:, 0, 2, 2] > 0).astype(int)
    return Splits((x[:rows], y[:rows]), (x[rows:], y[rows:]), None, "classification", 2)


PROBLEM = Problem(SimpleNamespace(__name__="toy", build=cnn.build, data=images), Task("toy"))


def lane(number: int, **knobs: Any) -> Lane:
    base = {"channels": 4, "batch_size": 8, "epochs": 20, "seed": number, "dropout": 0.0, "normalization": "group"}
    return Lane(number, PROBLEM.setup({**base, **knobs}))


def module(channels: int = 4) -> torch.nn.Module:
    nn, layers = torch.nn, []
    for before, after in ((1, channels), (channels, channels), (channels, 2 * channels), (2 * channels, 2 * channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if before == after else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.0), nn.Linear(2 * channels, 2))


def test_outputs_and_gradients_are_those_of_torch_modules() -> None:
    lanes = [lane(number) for number in range(3)]
    network = lanes[0].setup.network
    values = [v.requires_grad_() for v in network.views(torch.stack([own.rows["weights"] for own in lanes]))]
    inputs = torch.randn(3, 5, 1, 6, 6)
    outputs = network.forward(values, inputs, None)
    gradients = torch.autograd.grad(outputs.square().sum(), values)
    for at, own in enumerate(lanes):
        plain = module()
        plain.load_state_dict(network.state_dict(own.rows["weights"]))
        expected = plain(inputs[at])
        torch.testing.assert_close(outputs[at], expected, atol=1e-5, rtol=1e-5)
        expected.square().sum().backward()
        named = dict(plain.named_parameters())
        for parameter, gradient in zip(network.parameters, gradients, strict=True):
            own_gradient = gradient[at].t() if parameter.transposed else gradient[at]
            torch.testing.assert_close(own_gradient, named[parameter.name].grad, atol=1e-5, rtol=1e-4)


def test_a_network_of_convolutions_trains_as_with_torch_alone() -> None:
    # with groups of one channel the biases before them would have no gradient but rounding, which Adam makes large
    own = lane(1, channels=8, batch_size=4, accumulation_steps=2, clip_norm=0.5, weight_decay=0.1, epochs=20)
    recipe, data = own.setup.recipe, own.setup.data
    model = module(channels=8)
    model.load_state_dict(own.setup.network.state_dict(own.rows["weights"]))
    groups = [
        {"params": [p for p in model.parameters() if (p.dim() > 1) is matrix], "weight_decay": 0.1 * matrix}
        for matrix in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    x, y, step, cohort = data.train.inputs, data.train.targets, 0, Cohort()
    for epoch in range(20):
        order = torch.from_numpy(generator(recipe.seed, "order", epoch).permutation(len(x)))
        summed = 0.0
        for items in order.split(8):
            optimizer.zero_grad()
            for batch in items.split(4):
                loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch], reduction="sum")
                (loss / len(items)).backward()
                summed += loss.item()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            for group in optimizer.param_groups:
                group["lr"] = rates(recipe, [step], 100)[0]
            optimizer.step()
            step += 1
        cohort.advance([own])
        assert own.metrics["train_loss"] == pytest.approx(summed / len(x), abs=1e-5)
    assert own.step == step == 100
    trained = own.setup.network.state_dict(own.rows["weights"])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "group"])
def test_a_curve_in_company_is_the_curve_alone(normalization: str) -> None:
    knobs: dict[str, Any] = {"normalization": normalization, "learning_rate": 0.01, "dropout": 0.2}
    alone, first = lane(5, **knobs), Cohort()
    together, second = [lane(number, **knobs) for number in range(7)], Cohort()
    for _ in range(6):
        first.advance([alone])
        second.advance(together)
        # kernels of grouped convolutions may sum in another order for another number of groups
        assert together[5].metrics == pytest.approx(dict(alone.metrics), abs=1e-4)


def test_a_table_is_no_image() -> None:
    with pytest.raises(DataError, match="no images"):
        Problem(cnn, Task("cnn", data="iris")).setup({})
