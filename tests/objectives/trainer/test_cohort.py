"""The cohort executor: a trial's curve never depends on the company it keeps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives import data, mlp
from hpo.objectives.trainer import train_alone
from hpo.objectives.trainer.lanes import CohortExecutor
from hpo.search.executors.cohort import make
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Failed, Finished, Job, Point, Task

TASK = Task("mlp", data="iris")

RECIPES: list[dict[str, Any]] = [
    {"batch_size": 16, "dropout": 0.3},
    {"batch_size": 16, "accumulation_steps": 3, "optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 0.5},
    {"batch_size": 12, "weight_decay": 0.1, "dropout": 0.5},
    {"batch_size": 9, "optimizer": "adam", "l1": 0.01},
    {"batch_size": 32, "schedule": "step", "accumulation_steps": 2},
    {"batch_size": 32, "width": 16, "depth": 1, "optimizer": "sgd", "nesterov": True},
    {"batch_size": 200, "warmup": 0.3, "epochs": 4},
    {"batch_size": 32, "normalization": "layer", "activation": "tanh"},
]


def recipe(number: int) -> dict[str, Any]:
    return {"width": 24, "epochs": 3, "seed": number, **RECIPES[number]}


@cache
def alone(number: int) -> list[dict[str, float]]:
    return list(train_alone(mlp, TASK, recipe(number)))


def finish(executor: CohortExecutor, curves: dict[int, list[Any]], waiting: list[Job], running: set[int]) -> None:
    while running or waiting:
        while waiting and len(running) < executor.lanes:
            job = waiting.pop(0)
            executor.admit(job)
            running.add(job.number)
        for event in executor.advance():
            if isinstance(event, Point):
                curves[event.number].append(dict(event.metrics))
                assert event.step == len(curves[event.number])
                assert event.seconds > 0
            else:
                assert isinstance(event, Finished)
                running.discard(event.number)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_curve_is_the_same_in_any_company_whenever_admitted_however_often_set_aside(draw: st.DataObject) -> None:
    lanes = draw.draw(st.integers(1, 6), label="lanes")
    executor = make(TASK, lanes=lanes)
    waiting = [Job(number, recipe(number)) for number in draw.draw(st.permutations(range(len(RECIPES))), label="order")]
    curves: dict[int, list[Any]] = {number: [] for number in range(len(RECIPES))}
    running: set[int] = set()
    for _ in range(draw.draw(st.integers(0, 6), label="rounds")):
        while waiting and len(running) < lanes:
            job = waiting.pop(0)
            executor.admit(job)
            running.add(job.number)
        if not running:
            break
        for event in executor.advance():
            if isinstance(event, Point):
                curves[event.number].append(dict(event.metrics))
            else:
                running.discard(event.number)
        if running:
            number = draw.draw(st.sampled_from(sorted(running)), label="set aside")
            keep = draw.draw(st.booleans(), label="keep")
            executor.evict(number, keep=keep)
            running.discard(number)
            waiting.append(Job(number, recipe(number), done=len(curves[number])))
    finish(executor, curves, waiting, running)
    assert curves == {number: alone(number) for number in range(len(RECIPES))}


def test_a_diverging_lane_fails_with_its_step_and_harms_no_other() -> None:
    executor = make(TASK, lanes=3)
    wild = {"width": 24, "epochs": 3, "seed": 9, "batch_size": 16, "optimizer": "sgd", "learning_rate": 1e18}
    executor.admit(Job(0, recipe(0)))
    executor.admit(Job(1, wild))
    curves: dict[int, list[Any]] = {0: [], 1: []}
    failures = []
    for _ in range(3):
        for event in executor.advance():
            if isinstance(event, Point):
                curves[event.number].append(dict(event.metrics))
            elif isinstance(event, Failed):
                failures.append(event)
    assert [failed.number for failed in failures] == [1]
    assert failures[0].reason.startswith("diverged: the ")
    assert curves[0] == alone(0)


def test_a_recipe_that_cannot_be_trained_fails_alone() -> None:
    executor = make(TASK, lanes=2)
    executor.admit(Job(0, {"learning_rate": -1.0}))
    executor.admit(Job(1, recipe(0)))
    first, second = executor.advance()
    assert isinstance(first, Failed)
    assert "learning_rate" in first.reason
    assert isinstance(second, Point)


def test_training_leaves_the_processes_arithmetic_as_it_was() -> None:
    import torch

    next(train_alone(mlp, TASK, recipe(0)))
    assert float(torch.tensor([1e-30]) * torch.tensor([1e-10])) > 0


def test_an_evicted_trial_makes_no_more_news() -> None:
    executor = make(TASK, lanes=2)
    executor.admit(Job(0, recipe(0)))
    executor.admit(Job(1, recipe(1)))
    executor.advance()
    executor.evict(0)
    assert {event.number for event in executor.advance()} == {1}
    executor.close()
    executor.close()


def test_an_objective_that_trains_by_itself_is_refused(tmp_path: Any) -> None:
    file = tmp_path / "own.py"
    file.write_text("def train(*, x: float = 0.0):\n    yield {'loss': x}\n")
    with pytest.raises(UserError, match="trains by itself"):
        make(Task(str(file)))


def trained(knobs: dict[str, Any]) -> tuple[list[dict[str, float]], Any]:
    """A whole curve and the model at its end."""
    training, points = train_alone(mlp, TASK, knobs), []
    while True:
        try:
            points.append(next(training))
        except StopIteration as end:
            return points, end.value


@pytest.mark.parametrize("patience", [0, 2])
def test_a_fitted_model_goes_back_to_any_epoch(patience: int) -> None:
    knobs = {"width": 8, "depth": 1, "epochs": 6, "seed": 1, "learning_rate": 0.3, "patience": patience}
    points, fitted = trained(knobs)
    losses = [point["val_loss"] for point in points]
    assert fitted.epoch == (1 + losses.index(min(losses)) if patience else len(points))
    rows = data.load("iris").validation
    for step, loss in enumerate(losses, 1):
        assert fitted.at(step).evaluate(rows)["loss"] == pytest.approx(loss)
    assert fitted.at(fitted.epoch) is fitted


def test_a_fitted_model_is_saved_scored_and_read_back_by_torch(tmp_path: Any) -> None:
    import torch
    from safetensors.torch import load_file

    _, fitted = trained({"width": 8, "depth": 1, "epochs": 2, "seed": 1})
    weights, described = fitted.save(tmp_path)
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 3)
    )
    module.load_state_dict(load_file(weights))
    inputs = torch.randn(5, 4)
    torch.testing.assert_close(module.eval()(inputs).softmax(dim=1), fitted.predict(inputs))
    assert described.is_file()
    assert 0 <= fitted.test()["accuracy"] <= 1
