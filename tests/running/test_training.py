"""Training runs: one iterator over points, whatever the objective is."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpo.search.describe.live import live
from hpo.search.running.training import Trainer, as_metrics, kept
from hpo.search.terms.errors import OutputError, UserError
from hpo.search.terms.job import Failed, Finished, Job, Point, Task
from hpo.search.terms.study import Goal


def trainer(function: Callable[..., Any]) -> Trainer:
    return Trainer(Task(live(function)))


def events(function: Callable[..., Any], done: int = 0, **recipe: Any) -> list[Any]:
    """Everything one run says, to its end."""
    made, job, found = trainer(function), Job(0, recipe, done), list[Any]()
    run = made.start(job)
    while not found or isinstance(found[-1], Point):
        found.append(made.advance(run, job))
    return found


def steps(found: list[Any]) -> list[int]:
    return [event.step for event in found if isinstance(event, Point)]


def test_nothing_is_trained_before_the_first_point_is_asked_for() -> None:
    called = []

    def function(*, x: float = 0.0) -> float:
        called.append(x)
        return x

    run = trainer(function).start(Job(0, {"x": 2.0}))
    assert called == []
    assert next(run) == {"value": 2.0}
    assert called == [2.0]


def test_a_plain_function_is_a_curve_of_one_point() -> None:
    def function(*, x: float = 0.0) -> dict[str, float]:
        return {"loss": x}

    found = events(function, x=3.0)
    assert found[0].metrics == {"loss": 3.0}
    assert found[1] == Finished(0)


def test_what_a_generator_returns_is_what_was_fitted() -> None:
    def function() -> Any:
        yield 1.0
        return "the model"

    run = trainer(function).start(Job(0, {}))
    assert list(run) == [{"value": 1.0}]
    assert run.fitted == "the model"


class Reversible:
    """A model that can go back."""

    def __init__(self, step: int = 4) -> None:
        self.step = step

    def at(self, step: int) -> Reversible:
        return Reversible(step)


@pytest.mark.parametrize(
    ("goals", "step"),
    [
        ((Goal("loss", "minimize"),), 2),
        ((Goal("loss", "minimize", "best"),), 2),
        ((Goal("accuracy", "maximize"),), 3),
        ((Goal("error", "minimize"),), 4),
        ((Goal("loss", "minimize", "last"),), 4),
        ((Goal("loss", "minimize", "mean"),), 4),
        ((Goal("loss", "minimize"), Goal("accuracy", "maximize")), 4),
    ],
)
def test_the_model_kept_is_the_one_whose_score_is_the_value(goals: tuple[Goal, ...], step: int) -> None:
    points = [
        (1, {"loss": math.nan, "accuracy": 0.1, "error": 3.0}),
        (2, {"loss": 0.2, "accuracy": 0.2, "error": 2.0}),
        (3, {"loss": 0.4, "accuracy": 0.9, "error": 2.0}),
        (4, {"loss": 0.3, "accuracy": 0.8, "error": 1.0}),
    ]
    model, metrics = kept(Reversible(), goals, points)
    assert model.step == step
    assert metrics is points[step - 1][1]
    assert kept("cannot go back", goals, points) == ("cannot go back", points[-1][1])
    folds = [(number, {**point, "fold": number}) for number, point in points]
    assert kept(Reversible(), goals, folds)[0].step == 4


def test_a_dataclass_takes_its_own_fields() -> None:
    @dataclass
    class Recipe:
        x: float = 0.0

    def function(recipe: Any) -> float:
        return float(recipe.x)

    function.__annotations__["recipe"] = Recipe
    assert events(function, x=2.0)[0].metrics == {"value": 2.0}


@pytest.mark.parametrize(
    ("point", "metrics"),
    [
        (3, {"value": 3.0}),
        (True, {"value": 1.0}),
        (np.float32(0.5), {"value": 0.5}),
        (np.array([0.5]), {"value": 0.5}),
        (torch.tensor(0.5, requires_grad=True), {"value": 0.5}),
        ({"a": np.int64(2), "b": torch.tensor([1.5]), "note": "text", "shape": np.zeros(3)}, {"a": 2.0, "b": 1.5}),
        ({1: 2}, {"1": 2.0}),
        (10**400, {"value": math.inf}),
        ({f"m{i}": i for i in range(5000)}, {f"m{i}": float(i) for i in range(5000)}),
    ],
)
def test_numbers_of_every_kind_are_metrics(point: Any, metrics: dict[str, float]) -> None:
    assert as_metrics(point) == metrics


@pytest.mark.parametrize("point", [None, "0.5", [1.0], {}, {"note": "text"}, 1j, np.zeros(2)])
def test_anything_else_is_refused_in_words(point: Any) -> None:
    with pytest.raises(UserError, match="must yield a number or a dict of numbers"):
        as_metrics(point)


def test_recorded_points_are_trained_through_without_being_reported() -> None:
    def function() -> Iterator[float]:
        yield from (0.1, 0.2, 0.3)

    found = events(function, done=2)
    assert steps(found) == [3]


def test_an_objective_that_counts_its_own_steps_is_believed() -> None:
    def function() -> Iterator[dict[str, float]]:
        for step in (5, 10, 15):
            yield {"loss": 1.0, "step": step}

    found = events(function, done=5)
    assert steps(found) == [10, 15]
    assert found[0].metrics == {"loss": 1.0}


@pytest.mark.parametrize("said", [(0,), (2, 2), (3, 2), (1.5,), (math.nan,)])
def test_steps_that_do_not_grow_fail_the_trial(said: tuple[float, ...]) -> None:
    def function() -> Iterator[dict[str, float]]:
        for step in said:
            yield {"loss": 1.0, "step": step}

    end = events(function)[-1]
    assert isinstance(end, Failed)
    assert "steps are whole numbers that grow, from 1 on" in end.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("two\nlines"), "ValueError: two lines"),
        (MemoryError(), "ran out of memory"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyError(), "KeyError"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_whatever_an_objective_raises_is_the_end_of_its_trial_alone(error: BaseException, reason: str) -> None:
    def function() -> Iterator[float]:
        yield 1.0
        raise error

    end = events(function)[-1]
    assert isinstance(end, Failed)
    assert end.reason == reason
    assert "raise error" in end.detail


def test_ctrl_c_is_no_failure_of_the_trial() -> None:
    def function() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        events(function)


def stubborn() -> Iterator[float]:
    try:
        yield 1.0
    except GeneratorExit:
        yield 2.0


def untidy() -> Iterator[float]:
    try:
        yield 1.0
    finally:
        raise ZeroDivisionError("in cleaning up")


@pytest.mark.parametrize("function", [stubborn, untidy])
def test_an_objective_that_cannot_be_stopped_quietly_is_warned_about(function: Callable[..., Any]) -> None:
    run = trainer(function).start(Job(0, {}))
    next(run)
    with pytest.warns(RuntimeWarning, match="stopping a trial early"):
        run.close()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_package\ndef train(): return 1", "bad.py cannot be imported: No module named"),
        ("\n1 / 0\ndef train(): return 1", "bad.py cannot be imported: ZeroDivisionError: division by zero in line 2"),
        ("import sys\nsys.exit(1)\ndef train(): return 1", "bad.py cannot be imported: SystemExit: 1 in line 2"),
    ],
)
def test_a_file_that_cannot_be_imported_is_the_users_mistake(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(source)
    with pytest.raises(UserError) as caught:
        Trainer(Task(str(tmp_path / "bad.py"), folder=str(tmp_path)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/dev/shm/psm_1"), "--shm-size"),
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_7>: No space left on device (28)"),
         "--shm-size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
                      "workers are out of shared memory."), "--shm-size"),
        (OSError(errno.ENOSPC, "No space left on device", "weights.pt"), "make room there"),
    ],
    ids=["named", "torch", "bus error", "disk"],
)  # fmt: skip
def test_full_shared_memory_is_told_from_a_full_disk_and_both_end_the_search(error: Exception, advice: str) -> None:
    def train(*, x: float = 0.0) -> Iterator[float]:
        raise error
        yield x

    (failed,) = events(train)
    assert failed.fatal is OutputError
    assert advice in failed.reason
    assert ("--shm-size" in failed.reason) == (advice == "--shm-size")
