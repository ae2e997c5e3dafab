"""Cohorts against plain PyTorch: torch.nn modules, torch.optim, one lane at a time, batches as the user wrote them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hpo.objectives.networks.layers import Activation, Dropout, LayerNorm, Linear, Sequential
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.noise import Masks
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.job import Task

WIDTH, INPUTS, CLASSES = 12, 6, 3


def build(*, dropout: float = 0.0, normalization: str = "none") -> Sequential:
    norm = (LayerNorm(),) if normalization == "layer" else ()
    return Sequential(
        (Linear(WIDTH), *norm, Activation("relu"), Dropout(dropout), Linear(WIDTH), Activation("gelu"), Linear())
    )


def data(*, rows: int = 75, targets: str = "classes") -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows + 30, INPUTS)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int) + (x[:, 2] > 0.7)
    if targets == "values":
        y = 3 * x[:, 0] - x[:, 1] ** 2 + 5
    task = "classification" if targets == "classes" else "regression"
    return Splits((x[:rows], y[:rows]), (x[rows:], y[rows:]), None, task, CLASSES if targets == "classes" else 0)


OBJECTIVE = SimpleNamespace(__name__="toy", build=build, data=data)
PROBLEM = Problem(OBJECTIVE, Task("toy"))


class Dropped(torch.nn.Module):
    """Dropout with the mask it is told."""

    mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.mask is None else x * self.mask


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al. 2023, line by line."""

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                mean, (beta1, beta2) = self.state[p].setdefault("mean", torch.zeros_like(p)), group["betas"]
                update = torch.sign(beta1 * mean + (1 - beta1) * p.grad)
                p.sub_(group["lr"] * (update + group["weight_decay"] * p))
                self.state[p]["mean"] = beta2 * mean + (1 - beta2) * p.grad


def reference(lane: Lane) -> tuple[torch.nn.Module, list[float]]:
    """Train as a user would: torch.nn, torch.optim, a loop over batches; returns the model and each epoch's loss."""
    recipe, knobs, data_ = lane.setup.recipe, lane.setup.knobs, lane.setup.data
    norm = [torch.nn.LayerNorm(WIDTH)] if knobs.get("normalization") == "layer" else []
    dropped = Dropped()
    hidden = [
        torch.nn.Linear(INPUTS, WIDTH),
        *norm,
        torch.nn.ReLU(),
        dropped,
        torch.nn.Linear(WIDTH, WIDTH),
        torch.nn.GELU(),
    ]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(WIDTH, data_.outputs))
    model.load_state_dict(lane.setup.network.state_dict(lane.rows["weights"]))
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = {
        "sgd": lambda: torch.optim.SGD(groups, lr=1.0, momentum=recipe.momentum, nesterov=recipe.nesterov),
        "adam": lambda: torch.optim.Adam(groups, lr=1.0, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon),
        "adamw": lambda: torch.optim.AdamW(groups, lr=1.0, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon),
        "rmsprop": lambda: torch.optim.RMSprop(groups, lr=1.0, alpha=recipe.beta2, eps=recipe.epsilon),
        "lion": lambda: Lion(groups, {"lr": 1.0, "betas": (recipe.beta1, recipe.beta2)}),
    }[recipe.optimizer]()
    x, y = data_.train.inputs, data_.train.targets
    window = recipe.batch_size * recipe.accumulation_steps
    total, step, curve = recipe.epochs * math.ceil(len(x) / window), 0, []
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(generator(recipe.seed, "order", epoch).permutation(len(x)))
        masks = drawn_masks(lane, epoch)
        summed = 0.0
        for start in range(0, len(x), window):
            items = order[start : start + window]
            optimizer.zero_grad()
            for first in range(0, len(items), recipe.batch_size):
                batch = items[first : first + recipe.batch_size]
                dropped.mask = None if masks is None else masks[start + first : start + first + len(batch)]
                outputs = model(x[batch])
                if data_.task == "classification":
                    loss = torch.nn.functional.cross_entropy(outputs, y[batch], reduction="sum")
                else:
                    loss = torch.nn.functional.mse_loss(outputs.squeeze(1), y[batch], reduction="sum")
                (loss / len(items)).backward()
                summed += loss.item()
            if recipe.clip_norm:
                torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            for group in optimizer.param_groups:
                group["lr"] = rates(recipe, [step], total)[0]
            optimizer.step()
            if recipe.l1:
                with torch.no_grad():
                    for p in matrices:
                        p.copy_(p.sign() * (p.abs() - rates(recipe, [step], total)[0] * recipe.l1).clamp(min=0))
            step += 1
        curve.append(summed / len(x))
    dropped.mask = None
    return model, curve


def drawn_masks(lane: Lane, epoch: int) -> torch.Tensor | None:
    """The masks of an epoch's samples, in order, [samples, width]."""
    if not any(lane.setup.network.rates):
        return None
    cut = lane.layout()
    seeds = [(lane.setup.recipe.seed, epoch)]
    masks = Masks(seeds, [lane.setup.network.rates], lane.setup.network.sites, lane.micro, torch.device("cpu"))
    kept = [masks.at(tick, 1)[0][0][torch.from_numpy(cut.real[tick] > 0)] for tick in range(cut.ticks)]
    return torch.cat(kept)


RECIPES = [
    {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "schedule": "constant"},
    {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.01, "schedule": "step"},
    {"optimizer": "sgd", "learning_rate": 0.05, "nesterov": True, "schedule": "exponential"},
    {"optimizer": "adam", "learning_rate": 0.005, "weight_decay": 0.01, "schedule": "linear", "warmup": 0.2},
    {"optimizer": "adamw", "learning_rate": 0.005, "weight_decay": 0.1, "schedule": "cosine", "warmup": 0.1},
    {"optimizer": "adamw", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "floor": 0.1},
    {"accumulation_steps": 3, "optimizer": "sgd", "learning_rate": 0.1},
    {"batch_size": 20, "accumulation_steps": 2, "clip_norm": 0.2},
    {"batch_size": 7, "clip_norm": 0.05, "optimizer": "sgd", "learning_rate": 0.1},
    {"batch_size": 75, "dropout": 0.3},
    {"dropout": 0.5, "accumulation_steps": 2, "normalization": "layer"},
    {"l1": 0.02, "optimizer": "sgd", "learning_rate": 0.05},
    {"l1": 0.1, "dropout": 0.1},
    {"targets": "values", "optimizer": "adam", "clip_norm": 1.0},
    # gradients of almost 0 are rounding, which differs between processors; a smaller epsilon makes whole steps of it
    {"normalization": "layer", "optimizer": "adam", "epsilon": 1e-5},
    {"optimizer": "rmsprop", "weight_decay": 0.01, "beta2": 0.95},
    {"optimizer": "lion", "weight_decay": 0.1, "beta2": 0.99, "learning_rate": 1e-3},
]


@pytest.mark.parametrize("chosen", RECIPES, ids=lambda chosen: ",".join(f"{k}={v}" for k, v in chosen.items()))
def test_a_lane_among_others_trains_as_plain_pytorch_does(chosen: dict[str, object]) -> None:
    knobs = {"batch_size": 8, "seed": 3, **chosen}
    steps = -(-75 // (knobs["batch_size"] * knobs.get("accumulation_steps", 1)))
    knobs["epochs"] = -(-100 // steps)
    shape = {name: knobs[name] for name in ("normalization", "targets", "batch_size") if name in knobs}
    lane = Lane(0, PROBLEM.setup(knobs))
    others = [Lane(n, PROBLEM.setup({**shape, "epochs": 200, "seed": n, "learning_rate": 0.01 * n})) for n in (1, 2)]
    others = [other for other in others if other.key == lane.key]
    model, curve = reference(lane)
    cohort = Cohort()
    for epoch in range(lane.setup.recipe.epochs):
        cohort.advance([others[0], lane, *others[1:]] if others else [lane])
        assert lane.metrics["train_loss"] == pytest.approx(curve[epoch], abs=1e-5)
    assert lane.step >= 100
    trained = lane.setup.network.state_dict(lane.rows["weights"])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, atol=1e-5, rtol=1e-5)


def test_l1_makes_weights_exactly_zero() -> None:
    lane = Lane(0, PROBLEM.setup({"l1": 0.02, "optimizer": "sgd", "learning_rate": 0.1, "epochs": 20, "batch_size": 8}))
    for _ in range(20):
        Cohort().advance([lane])
    matrices = lane.rows["weights"][: lane.setup.network.decayed]
    assert (matrices == 0).float().mean() > 0.3
    assert (lane.rows["weights"][lane.setup.network.decayed :] != 0).all()


@pytest.mark.parametrize("rule", ["sgd", "adam", "adamw"])
def test_the_plain_rules_equal_the_fused_ones(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpo.objectives.trainer import optimizers

    def train() -> torch.Tensor:
        lane = Lane(0, PROBLEM.setup({"optimizer": rule, "nesterov": rule == "sgd", "epochs": 10, "batch_size": 8}))
        for _ in range(10):
            Cohort().advance([lane])
        return lane.rows["weights"]

    fused = train()
    monkeypatch.setattr(optimizers, "_FUSED_SGD", None)
    monkeypatch.setattr(optimizers, "_FUSED_ADAM", None)
    torch.testing.assert_close(train(), fused, atol=1e-5, rtol=1e-5)


def test_accumulated_gradients_equal_the_full_batch_in_double_precision() -> None:
    recipes = [
        {"batch_size": 75},
        {"batch_size": 20, "accumulation_steps": 4},
        {"batch_size": 7, "accumulation_steps": 11},
    ]
    ends = []
    for chosen in recipes:
        problem = Problem(OBJECTIVE, Task("toy"))
        lane = Lane(
            0, problem.setup({**chosen, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "epochs": 1})
        )
        lane.rows["weights"] = lane.rows["weights"].double()
        for part in (lane.setup.data.train, lane.setup.data.validation):
            part.inputs.data = part.inputs.double()
        Cohort().advance([lane])
        ends.append(lane.rows["weights"])
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], atol=1e-12, rtol=0)


def test_neutral_values_are_the_defaults_of_recipes_that_do_without() -> None:
    recipe = TrainingRecipe()
    assert (recipe.clip_norm, recipe.l1, recipe.warmup, recipe.accumulation_steps) == (0, 0, 0, 1)
