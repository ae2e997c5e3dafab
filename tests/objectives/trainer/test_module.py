"""A user's own torch.nn.Module in a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hpo.objectives.trainer import train_alone
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.executors.cohort import make
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Failed, Job, Point, Task

TASK = Task("own")


def data(recipe: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    x = random.normal(size=(70, 5)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return {"train": (x[:50], y[:50]), "validation": (x[50:], y[50:])}


def perceptron(recipe: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(recipe.dropout), nn.LayerNorm(16), nn.Linear(16, 2))


def objective(build: Any, **more: Any) -> Any:
    return SimpleNamespace(__name__="own", build=build, data=data, **more)


def lanes_of(problem: Problem, count: int, **knobs: Any) -> list[Lane]:
    base = {"batch_size": 8, "epochs": 8, "dropout": 0.2}
    return [
        Lane(n, problem.setup({**base, "seed": n, "learning_rate": 0.002 * (n + 1), **knobs})) for n in range(count)
    ]


def test_lanes_of_a_module_share_kernels_and_train_as_if_alone() -> None:
    problem = Problem(objective(perceptron), TASK)
    together, alone = lanes_of(problem, 3, dropout=0.3), lanes_of(problem, 3, dropout=0.3)
    assert len({lane.key for lane in together}) == 1
    assert not together[0].setup.notes
    cohort = Cohort()
    for _ in range(8):
        cohort.advance(together)
        for lane in alone:
            Cohort().advance([lane])
    for one, other in zip(together, alone, strict=True):
        assert one.metrics == pytest.approx(dict(other.metrics), abs=1e-5)


def test_a_module_learns_as_with_torch_alone() -> None:
    problem = Problem(objective(perceptron), TASK)
    (lane,) = lanes_of(problem, 1, dropout=0.0, batch_size=50, optimizer="sgd", momentum=0.0, schedule="constant")
    torch.manual_seed(0)
    model = perceptron(SimpleNamespace(dropout=0.0))
    model.load_state_dict(lane.setup.network.state_dict(lane.rows["weights"]))
    descent = torch.optim.SGD(
        [{"params": [p], "weight_decay": 0.01 * (p.dim() > 1)} for p in model.parameters()], lr=0.002
    )
    x, y = lane.setup.data.train.inputs, lane.setup.data.train.targets
    for _ in range(8):
        Cohort().advance([lane])
        descent.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        descent.step()
    for name, value in lane.setup.network.state_dict(lane.rows["weights"]).items():
        torch.testing.assert_close(value, model.state_dict()[name], atol=1e-5, rtol=1e-5)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        return y if y.mean() > 0 else -y


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read, self.out = nn.GRU(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.read(x.unsqueeze(2))[0][:, -1])


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda recipe: Branching(), "control flow"),
        (lambda recipe: Recurrent(), "GRU has no batched kernel"),
        (lambda recipe: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)), "running statistics"),
    ],
)
def test_a_module_that_cannot_share_kernels_is_trained_alone_and_says_why_once(build: Any, reason: str) -> None:
    problem = Problem(objective(build), TASK)
    together = lanes_of(problem, 2, epochs=2)
    assert len({lane.key for lane in together}) == 2
    (note,) = {note for lane in together for note in lane.setup.notes}
    assert reason in note
    Cohort().advance([together[0]])
    assert together[0].metrics["val_loss"] > 0


def test_accumulation_with_batch_normalization_is_warned_about() -> None:
    problem = Problem(
        objective(lambda recipe: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))), TASK
    )
    (lane,) = lanes_of(problem, 1, accumulation_steps=2)
    assert any("accumulation is not equivalent" in note for note in lane.setup.notes)


def test_a_ragged_batch_of_a_module_with_batch_statistics_holds_no_padding() -> None:
    seen = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.out = nn.BatchNorm1d(5), nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(len(x))
            return self.out(self.norm(x))

    (lane,) = lanes_of(Problem(objective(lambda recipe: Watching()), TASK), 1, batch_size=12)
    seen.clear()
    Cohort().advance([lane])
    assert seen == [12, 12, 12, 12, 2]


def test_patience_keeps_the_running_statistics_of_the_best_epoch() -> None:
    own = objective(lambda recipe: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)))
    knobs = {"batch_size": 10, "epochs": 60, "patience": 4, "learning_rate": 0.3, "dropout": 0.0, "seed": 2}
    training, curve = train_alone(own, TASK, knobs), []
    with pytest.warns(UserWarning, match="running statistics"):
        curve.append(next(training)["val_loss"])
    while True:
        try:
            curve.append(next(training)["val_loss"])
        except StopIteration as end:
            fitted = end.value
            break
    assert len(curve) < 60
    validation = fitted.setup.data.splits.validation
    assert fitted.evaluate(validation)["loss"] == pytest.approx(min(curve), abs=1e-6)
    assert fitted.at(2).evaluate(validation)["loss"] == pytest.approx(curve[1], abs=1e-6)


def test_averages_with_batch_normalization_are_warned_about() -> None:
    own = objective(lambda recipe: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)))
    (lane,) = lanes_of(Problem(own, TASK), 1, average="ema")
    assert any("averaged weights" in note for note in lane.setup.notes)


class Sentence(nn.Module):
    """A transformer of torch's own parts on token ids; pooled, or with outputs for each token."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled
        self.table, self.places = nn.Embedding(5, 8), nn.Parameter(torch.randn(6, 8))
        self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 2 if pooled else 5)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.table(x) + self.places
        y = self.norm(x)
        x = self.block(x + self.attention(y, y, y, need_weights=False)[0])
        return self.out(x.mean(dim=1) if self.pooled else x)


def sentences(recipe: Any) -> dict[str, Any]:
    x = np.random.default_rng(0).integers(0, 5, (60, 6))
    y = (x == 4).any(axis=1).astype(int) if recipe.pooled else x[:, ::-1].copy()
    return {"train": (x[:40], y[:40]), "validation": (x[40:], y[40:])}


@pytest.mark.parametrize("pooled", [True, False])
def test_attention_on_token_ids_shares_kernels_without_a_word_from_torch(pooled: bool) -> None:
    own = SimpleNamespace(__name__="own", build=lambda recipe: Sentence(recipe.pooled), data=sentences)
    problem = Problem(own, TASK)
    together, alone = (lanes_of(problem, 3, pooled=pooled, learning_rate=0.01) for _ in range(2))
    assert len({lane.key for lane in together}) == 1
    assert not together[0].setup.notes
    cohort = Cohort()
    for _ in range(4):
        cohort.advance(together)
        for lane in alone:
            Cohort().advance([lane])
    for one, other in zip(together, alone, strict=True):
        assert one.metrics == pytest.approx(dict(other.metrics), abs=1e-5)
    assert torch.backends.mha.get_fastpath_enabled()
    spared = {p.name for p in together[0].setup.network.parameters if not p.matrix and len(p.shape) > 1}
    assert spared == {"table.weight"}


def test_tied_weights_are_trained_as_one_and_saved_under_both_names() -> None:
    def build(recipe: Any) -> nn.Module:
        model = nn.Sequential(nn.Embedding(5, 8), nn.Tanh(), nn.Linear(8, 5, bias=False))
        model[2].weight = model[0].weight
        return model

    own = SimpleNamespace(__name__="own", build=build, data=sentences)
    together = lanes_of(Problem(own, TASK), 2, pooled=False, learning_rate=0.01)
    before = together[0].rows["weights"].clone()
    Cohort().advance(together)
    assert len(together[0].setup.network.parameters) == 1
    state = together[0].setup.network.state_dict(together[0].rows["weights"])
    assert torch.equal(state["0.weight"], state["2.weight"])
    assert not torch.equal(state["2.weight"].flatten(), before)


def test_a_module_whose_outputs_do_not_fit_the_data_is_refused() -> None:
    own = SimpleNamespace(__name__="own", build=lambda recipe: Sentence(True), data=sentences)
    with pytest.raises(UserError, match=r"gives \[2\] per sample, the data needs \[6, 5\]"):
        Problem(own, TASK).setup({"pooled": False})


def test_modules_that_differ_in_more_than_dropout_do_not_share() -> None:
    def build(recipe: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(5, 4), nn.LeakyReLU(recipe.slope), nn.Linear(4, 2))

    problem = Problem(objective(build), TASK)
    keys = {Lane(0, problem.setup({"slope": slope, "seed": seed})).key for slope in (0.1, 0.2) for seed in (0, 1)}
    assert len(keys) == 2


def test_the_users_own_loss_is_minimized_but_scores_stay_what_they_are() -> None:
    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets, label_smoothing=0.5)

    plain = lanes_of(Problem(objective(perceptron), TASK), 1, dropout=0.0)[0]
    smooth = lanes_of(Problem(objective(perceptron, loss=loss), TASK), 1, dropout=0.0)[0]
    Cohort().advance([plain])
    Cohort().advance([smooth])
    assert smooth.metrics["train_loss"] != pytest.approx(plain.metrics["train_loss"], abs=1e-3)
    own = Problem(objective(perceptron, loss=nn.functional.cross_entropy), TASK)
    (same,) = lanes_of(own, 1, dropout=0.0)
    Cohort().advance([same])
    assert same.metrics == pytest.approx(dict(plain.metrics), abs=1e-6)


def test_lanes_share_data_exactly_when_they_agree_on_every_knob_that_it_reads() -> None:
    def by_recipe(recipe: Any) -> dict[str, Any]:
        recipe.get("rows", 3)
        return data(recipe)

    def by_keyword(*, rows: int = 3) -> dict[str, Any]:
        return data(None)

    for read in (by_recipe, by_keyword):
        problem = Problem(SimpleNamespace(__name__="own", build=perceptron, data=read), TASK)
        same, other, more = (problem.setup({"dropout": 0.1, **knobs}).data for knobs in ({}, {"seed": 3}, {"rows": 4}))
        assert same is other
        assert more is not same
        assert problem.setup({"dropout": 0.1}).data is same


def test_build_takes_a_dataclass_or_keywords() -> None:
    @dataclass
    class Shape:
        width: int = 4

    Shape.__module__ = __name__
    globals()["Shape"] = Shape

    def by_class(recipe: Shape) -> nn.Module:
        return (
            nn.Linear(5, 2)
            if recipe.width == 1
            else nn.Sequential(nn.Linear(5, recipe.width), nn.Linear(recipe.width, 2))
        )

    by_class.__annotations__["recipe"] = Shape
    for build in (by_class, lambda *, width=4: by_class(Shape(width))):
        trial = Problem(objective(build), TASK).setup({"width": 7})
        assert trial.network.parameters[0].shape == (7, 5)


def test_a_file_with_build_and_data_runs_through_the_executor_and_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch\n"
        "def build(*, width: int = 8):\n"
        "    return torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))\n"
        "def data(*, rows: int = 60):\n"
        "    x = torch.linspace(-1, 1, 3 * rows).reshape(rows, 3)\n"
        "    y = 10 + 5 * x.sum(dim=1)\n"
        "    return x[::2], y[::2], x[1::2], y[1::2]\n"
    )
    executor = make(Task(str(file)), lanes=3)
    for number, width in enumerate((8, 8, 4)):
        executor.admit(Job(number, {"width": width, "epochs": 30, "seed": number, "learning_rate": 0.03}))
    for _ in range(30):
        news = [event for event in executor.advance() if isinstance(event, Point)]
    assert not [event for event in news if isinstance(event, Failed)]
    assert all(event.metrics["val_r2"] > 0.9 for event in news)
    from hpo.search.describe.objective import describe, import_module

    module = import_module(describe(str(file), tmp_path))
    curve = list(train_alone(module, Task(str(file)), {"width": 8, "epochs": 30, "seed": 0, "learning_rate": 0.03}))
    assert curve[-1] == pytest.approx(dict(news[0].metrics), abs=1e-5)
