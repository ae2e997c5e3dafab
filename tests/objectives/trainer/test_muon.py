"""Muon beside the other optimizers: against the published algorithm, and against torch's own where there is one."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hpo.objectives.networks.layers import Activation, Linear, Sequential
from hpo.objectives.networks.network import Parameter
from hpo.objectives.trainer import muon
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.stretches import decays, steps
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.job import Task

WIDTHS = (12, 20, 9)


def build(*, widths: int = 3) -> Sequential:
    hidden = [layer for width in WIDTHS[:widths] for layer in (Linear(width), Activation("tanh"))]
    return Sequential((*hidden, Linear()))


def data() -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int) + (x[:, 2] > 0.7)
    return Splits((x[:80], y[:80]), (x[80:], y[80:]), None, "classification", 3)


PROBLEM = Problem(SimpleNamespace(__name__="toy", build=build, data=data), Task("toy"))

KNOBS: dict[str, Any] = {
    "optimizer": "muon", "learning_rate": 0.02, "adam_rate": 3e-3, "momentum": 0.95, "beta2": 0.95, "batch_size": 8,
    "accumulation_steps": 2, "weight_decay": 0.1, "schedule": "linear", "epochs": 20, "seed": 3,
}  # fmt: skip


class PublishedMuon(torch.optim.Optimizer):
    """Algorithm 2 of kellerjordan.github.io/posts/muon with the scaling of the reference code, in double precision."""

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                held = self.state[p].setdefault("momentum", torch.zeros_like(p))
                held.mul_(group["momentum"]).add_(p.grad, alpha=1 - group["momentum"])
                x = ((1 - group["momentum"]) * p.grad + group["momentum"] * held).double()
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    square = x @ x.T
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5 * x.float())


def torchs_muon(groups: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch has Muon from 2.9 on")
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)  # it iterates in bfloat16
    return torch.optim.Muon(groups, lr=1.0)


@pytest.mark.parametrize("whose", ["published", "torch"])
def test_a_lane_under_muon_among_others_trains_as_plain_pytorch_does(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(0, PROBLEM.setup(KNOBS))
    others = [
        Lane(1, PROBLEM.setup({**KNOBS, "seed": 1, "learning_rate": 0.1})),
        Lane(2, PROBLEM.setup({"batch_size": 8})),
    ]
    recipe, part = lane.setup.recipe, lane.setup.data.train
    sizes = [6, *WIDTHS, 3]
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    model = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.Tanh())][:-1])
    model.load_state_dict(lane.setup.network.state_dict(lane.rows["weights"]))
    hidden = [layer.weight for layer in layers[1:-1]]
    outer = [layers[0].weight, layers[-1].weight]
    decayed = {"params": hidden, "weight_decay": 0.1, "momentum": 0.95}
    first = torchs_muon([decayed], monkeypatch) if whose == "torch" else PublishedMuon([decayed], {"lr": 1.0})
    groups = [{"params": outer, "weight_decay": 0.1}, {"params": [layer.bias for layer in layers], "weight_decay": 0.0}]
    second = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    step = 0
    for epoch in range(recipe.epochs):
        for items in torch.from_numpy(generator(recipe.seed, "order", epoch).permutation(len(part))).split(16):
            model.zero_grad()
            F.cross_entropy(model(part.inputs[items]), part.targets[items]).backward()
            (rate,) = rates(recipe, [step], lane.plan.total)
            for optimizer, share in ((first, 1.0), (second, 3e-3 / 0.02)):
                for group in optimizer.param_groups:
                    group["lr"] = rate * share
                optimizer.step()
            step += 1
    cohort = Cohort()
    for _ in range(recipe.epochs):
        cohort.advance([others[0], lane, others[1]])
    assert lane.step == step == 100
    trained = lane.setup.network.state_dict(lane.rows["weights"])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(20, 20), (7, 30), (30, 7)])
def test_an_orthogonalized_matrix_keeps_its_directions_and_has_singular_values_near_1(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.diagonal(u.t() @ muon.orthogonalized(matrix) @ v.t())
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.25
    assert torch.equal(muon.orthogonalized(torch.zeros(shape)), torch.zeros(shape))


MUON = TrainingRecipe(optimizer="muon", learning_rate=0.02, adam_rate=3e-3)


def parameter(name: str, *shape: int, matrix: bool = True) -> Parameter:
    return Parameter(name, shape, matrix)


def test_the_first_and_the_last_matrix_embeddings_and_vectors_are_left_to_adamw() -> None:
    first, middle, last = parameter("0", 6, 12), parameter("1", 12, 12), parameter("2", 12, 3)
    vectors = [parameter("0.bias", 12, matrix=False)]
    assert muon.hidden([first, middle, last, *vectors]) == [(middle, slice(72, 216))]
    assert steps([first, middle, last, *vectors], MUON) == [(slice(0, 72), 0.15), (slice(216, 264), 0.15)]
    assert steps([first, last, *vectors], MUON) == [(slice(0, 120), 0.15)]
    table = parameter("tokens", 50, 6, matrix=False)
    assert [own.name for own, _ in muon.hidden([first, middle, last, table])] == ["0", "1"]


def test_a_network_without_hidden_matrices_is_trained_by_adamw() -> None:
    by_muon = Lane(0, PROBLEM.setup({**KNOBS, "widths": 1}))
    by_adamw = Lane(1, PROBLEM.setup({**KNOBS, "widths": 1, "optimizer": "adamw", "learning_rate": 3e-3}))
    for _ in range(5):
        Cohort().advance([by_muon, by_adamw])
    torch.testing.assert_close(by_muon.rows["weights"], by_adamw.rows["weights"], atol=1e-6, rtol=1e-5)


def test_l1_under_muon_thresholds_every_matrix_by_its_own_rate() -> None:
    plain, sparse = (Lane(0, PROBLEM.setup({**KNOBS, "epochs": 1, "batch_size": 80, "l1": l1})) for l1 in (0.0, 0.5))
    for lane in (plain, sparse):
        Cohort().advance([lane])
    assert plain.step == 1
    places = decays(plain.setup.network.parameters, plain.setup.recipe)
    assert [share for _, share in places] == pytest.approx([0.15, 1.0, 0.15])
    for place, share in places:
        before, after = plain.rows["weights"][place], sparse.rows["weights"][place]
        torch.testing.assert_close(after, F.softshrink(before, share * 0.02 * 0.5), atol=1e-7, rtol=1e-6)
