"""Ranks train what one process trains: each its rows of every kernel call, gradients added up before the step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.networks.layers import Activation, Dropout, Linear, Sequential
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.ranks import Ranks
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms.job import Task


def build(*, dropout: float = 0.0) -> Sequential:
    return Sequential((Linear(12), Activation("relu"), Dropout(dropout), Linear(12), Activation("gelu"), Linear()))


def drawn(model: torch.nn.Module) -> torch.nn.Module:
    """The model with weights from a generator of its own: ranks that are threads race for the one of the process."""
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.data = 0.3 * torch.randn(weight.shape, generator=generator)
    return model


def normalized() -> torch.nn.Module:
    layers = torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    return drawn(torch.nn.Sequential(*layers))


def unseeded() -> torch.nn.Module:
    """A model whose first weights follow from no seed, as where somebody's code draws them by itself."""
    model = torch.nn.Linear(6, 3)
    fresh = np.random.default_rng().normal(size=(3, 6)).astype("float32")
    model.weight.data = torch.from_numpy(fresh)
    return model


def data(*, rows: int = 75) -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows + 30, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int) + (x[:, 2] > 0.7)
    return Splits((x[:rows], y[:rows]), (x[rows:], y[rows:]), None, "classification", 3)


def words() -> Splits:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 9, (40, 5)), random.integers(-1, 3, (40, 5))
    return Splits((x[:30], y[:30]), (x[30:], y[30:]), None, "classification", 3, symbols=9)


def read(*, width: int = 8) -> torch.nn.Module:
    return drawn(torch.nn.Sequential(torch.nn.Embedding(9, width), torch.nn.Linear(width, 3)))


class Threads(Ranks):
    """Ranks in threads of one process, which add up by taking turns."""

    def __init__(self, rank: int, size: int, table: list[Any], meeting: threading.Barrier) -> None:
        super().__init__(rank, size)
        self._table, self._meeting = table, meeting

    def add(self, tensor: torch.Tensor) -> None:
        total = sum(other.clone() for other in self.each(tensor))
        self._meeting.wait()
        tensor.copy_(total)

    def lead(self, tensor: torch.Tensor) -> None:
        leading = self.each(tensor)[0].clone()
        self._meeting.wait()
        tensor.copy_(leading)

    def same(self, value: Any) -> Any:
        return self.each(value)[0]

    def each(self, value: Any) -> list[Any]:
        self._table[self.rank] = value
        self._meeting.wait()
        found = list(self._table)
        self._meeting.wait()
        return found


def trained(
    ranks: Ranks, recipe: Mapping[str, Any], *, make: Callable[..., Any] = build, of: Callable[..., Any] = data,
    double: bool = False, seeds: int = 1,
) -> tuple[list[dict[str, float]], list[torch.Tensor]]:  # fmt: skip
    """Train to the end; gives the last points and the weights of each lane."""
    problem = Problem(SimpleNamespace(__name__="toy", build=make, data=of), Task("toy"))
    problem.ranks = ranks
    lanes = [Lane(seed, problem.setup({"seed": seed, **recipe})) for seed in range(seeds)]
    if double:
        for lane in lanes:
            lane.rows = {name: row.double() for name, row in lane.rows.items()}
        for part in (lanes[0].setup.data.train, lanes[0].setup.data.validation):
            part.inputs.data = part.inputs.double()
    while going := [lane for lane in lanes if not lane.done]:
        for key in dict.fromkeys(lane.key for lane in going):
            Cohort().advance([lane for lane in going if lane.key == key])
    return [dict(lane.metrics) for lane in lanes], [lane.rows["weights"] for lane in lanes]


def together(size: int, recipe: Mapping[str, Any], **how: Any) -> list[Any]:
    """The same by several ranks; gives what each of them has found."""
    table, meeting, found = [None] * size, threading.Barrier(size, timeout=60), [None] * size

    def run(rank: int) -> None:
        try:
            found[rank] = trained(Threads(rank, size, table, meeting), recipe, **how)
        except BaseException:
            meeting.abort()
            raise

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in found
    return found


RECIPES = [
    {"batch_size": 8, "optimizer": "sgd", "learning_rate": 0.1},
    {"batch_size": 1, "max_steps": 20},
    {"batch_size": 20, "accumulation_steps": 2, "clip_norm": 0.2},
    {"batch_size": 75, "dropout": 0.3, "average": "ema"},
    {"batch_size": 16, "class_weight": "balanced", "label_smoothing": 0.1, "mixup": 0.4},
    {"batch_size": 8, "input_noise": 0.2, "feature_masking": 0.1, "gradient_noise": 0.01, "l1": 0.01},
    {"batch_size": 8, "optimizer": "muon", "patience": 2},
    {"batch_size": 16, "batch_schedule": "noise", "batch_growth": 4},
    {"batch_size": "auto", "effective_batch": 32, "max_steps": 4},
]


@pytest.mark.parametrize("chosen", RECIPES, ids=lambda chosen: ",".join(f"{k}={v}" for k, v in chosen.items()))
def test_two_and_three_ranks_train_what_one_process_trains(chosen: dict[str, Any]) -> None:
    recipe = {"epochs": 3, **chosen}
    alone, weights = trained(Ranks(), recipe, seeds=2)
    for size in (2, 3):
        for points, own in together(size, recipe, seeds=2):
            for one, other in zip(points, alone, strict=True):
                assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
            for one, other in zip(own, weights, strict=True):
                torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_ranks_hold_the_same_weights_to_the_bit() -> None:
    first, second = together(2, {"epochs": 3, "batch_size": 8, "dropout": 0.2})
    assert torch.equal(first[1][0], second[1][0])
    assert first[0] == second[0]


@settings(max_examples=5, deadline=None)
@given(st.integers(2, 4), st.integers(1, 20), st.integers(1, 4))
def test_in_double_precision_they_differ_by_rounding_alone(size: int, batch: int, several: int) -> None:
    recipe = {
        "epochs": 1, "batch_size": batch, "accumulation_steps": several, "optimizer": "sgd", "momentum": 0.0,
        "learning_rate": 0.5, "clip_norm": 1.0,
    }  # fmt: skip
    _, (alone,) = trained(Ranks(), recipe, double=True)
    for _, (own,) in together(size, recipe, double=True):
        torch.testing.assert_close(own, alone, atol=1e-12, rtol=0)


def test_where_each_token_has_a_target_ranks_weigh_it_as_one_process_does() -> None:
    recipe = {"epochs": 2, "batch_size": 7, "accumulation_steps": 2, "learning_rate": 0.01}
    alone, (weights,) = trained(Ranks(), recipe, make=read, of=words)
    for points, (own,) in together(2, recipe, make=read, of=words):
        assert points[0] == pytest.approx(alone[0], rel=1e-4, abs=1e-6)
        torch.testing.assert_close(own, weights, atol=1e-5, rtol=0)


def test_statistics_of_a_share_are_averaged_and_warned_about() -> None:
    recipe = {"epochs": 2, "batch_size": 16}
    (first, one), (second, other) = together(2, recipe, make=normalized)
    assert first == second
    assert torch.equal(one[0], other[0])
    problem = Problem(SimpleNamespace(__name__="toy", build=normalized, data=data), Task("toy"))
    problem.ranks = Ranks(0, 2)
    assert any("not equivalent to one with BatchNorm" in note for note in problem.setup(recipe).notes)


def test_a_model_that_is_drawn_without_a_seed_is_the_same_in_every_rank() -> None:
    (first, one), (second, other) = together(2, {"epochs": 1, "batch_size": 16}, make=unseeded)
    assert first == second
    assert torch.equal(one[0], other[0])


@given(st.integers(1, 9), st.integers(0, 200), st.integers(1, 3))
def test_parts_are_all_rows_once_and_never_too_small(size: int, rows: int, least: int) -> None:
    parts = [Ranks(rank, size).part(rows, least) for rank in range(size)]
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    lengths = [part.stop - part.start for part in parts if part.stop > part.start]
    assert len(lengths) <= 1 or (min(lengths) >= least and max(lengths) <= min(lengths) + 1)
