"""The contract of objectives: every file of the folder keeps it, but for what the file says it does not promise."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from promises import literal, promises

from hpo.search.describe.horizon import horizon_of
from hpo.search.describe.objective import FILLED, describe
from hpo.search.running.training import Run, Trainer
from hpo.search.studyfile.reader import read
from hpo.search.terms import registry
from hpo.search.terms.errors import DataError
from hpo.search.terms.job import Finished, Job, Point, Task
from hpo.search.terms.space import Space

NAMES = registry.names("objective")
UNLISTED = {"step", "fold"}
"""What the suite itself takes out of a point."""


def recipes(name: str) -> list[dict[str, Any]]:
    """What the file is tried with, or its defaults."""
    return [dict(recipe) for recipe in literal("objective", name, "TRIED")] or [{}]


def small(name: str) -> dict[str, Any]:
    """The smallest values that sizes of a training have in these recipes."""
    sizes: dict[str, Any] = {}
    for recipe in recipes(name):
        for knob, value in recipe.items():
            if isinstance(value, int) and not isinstance(value, bool):
                sizes[knob] = min(value, sizes.get(knob, value))
    return sizes


def shipped() -> dict[str, tuple[str, dict[str, Any]]]:
    """Of every shipped study of a built-in objective: the objective, and a recipe in the middle of its space."""
    found = {}
    for study in map(read, registry.names("study")):
        if study.objective in NAMES:
            middle = study.space.from_unit([0.5] * len(study.space), study.fixed)
            every = set.intersection(*map(set, recipes(study.objective)))
            sizes = {k: v for k, v in small(study.objective).items() if k in study.fixed or k in every}
            data = TEXT if study.data == "stdlib" else study.data
            found[study.name] = (study.objective, {**study.fixed, **sizes, **middle, "data": data})
    return found


TEXT = {"text": {"path": str(Path(__file__).parents[1] / "*" / "test_*.py")}}
"""In the place of megabytes, which the recipes without data read: no tokenizer learns from them in seconds."""

STUDIES = shipped()
pytestmark = pytest.mark.filterwarnings("ignore::hpo.search.terms.errors.Advice")
TRIED = [pytest.param(name, recipe, id=f"{name} {recipe}") for name in NAMES for recipe in recipes(name)]
MODELS = [case for case in TRIED if describe(str(case.values[0]), Path()).returns_model]
ALL = [*TRIED, *(pytest.param(name, recipe, id=study) for study, (name, recipe) in STUDIES.items())]


def start(name: str, recipe: Mapping[str, Any], seed: int = 1, checkpoints: Path | None = None) -> tuple[Trainer, Job]:
    trainer = Trainer(Task(name, data=recipe.get("data")))
    knobs = {knob: value for knob, value in recipe.items() if knob != "data"}
    return trainer, Job(0, {**knobs, "seed": seed}, checkpoints=None if checkpoints is None else str(checkpoints))


def trained(name: str, recipe: Mapping[str, Any], seed: int = 1) -> tuple[list[dict[str, float]], Run]:
    trainer, job = start(name, recipe, seed)
    run = trainer.start(job)
    return list(run), run


_FIRST: dict[str, tuple[list[dict[str, float]], Run]] = {}


def first(name: str, recipe: Mapping[str, Any]) -> tuple[list[dict[str, float]], Run]:
    """One training of a recipe, to which all tests of a process compare theirs."""
    key = f"{name} {recipe}"
    if key not in _FIRST:
        _FIRST[key] = trained(name, recipe)
    return _FIRST[key]


CLOCKED = {metric for name in NAMES for metric in describe(name, Path()).measured}


def bits(points: list[dict[str, float]]) -> list[list[str]]:
    """Points as text that tells any two apart, and is the same for the same NaN; but for what a clock measures."""
    return [
        [f"{name} {value.hex()}" for name, value in sorted(point.items()) if name not in CLOCKED] for point in points
    ]


def one_process(folder: str) -> dict[str, list[list[str]]]:
    with contextlib.chdir(folder):  # in which the tokens are
        return {str((name, recipe)): bits(first(name, recipe)[0]) for name in NAMES for recipe in recipes(name)}


@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_a_curve_holds_listed_metrics_and_is_the_same_again(name: str, recipe: dict[str, Any]) -> None:
    points, _ = first(name, recipe)
    assert points
    for point in points:
        found = describe(name, Path())
        unknown = set(point) - {*found.metrics, *found.named} - UNLISTED
        assert not unknown, f"{name} yields {unknown}, which its METRICS and NAMED do not list"
    assert bits(trained(name, recipe)[0]) == bits(points)
    assert all(math.isfinite(value) for point in points for value in point.values())


def test_another_process_trains_the_same_curves(elsewhere: Callable[[str], Any]) -> None:
    here = os.getcwd()
    assert elsewhere(f"one_process({here!r})") == one_process(here)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_another_curve(name: str) -> None:
    recipe = recipes(name)[0]
    assert bits(first(name, recipe)[0]) != bits(trained(name, recipe, 2)[0])


@pytest.mark.parametrize("name", [name for name in NAMES if promises("objective", name, "every metric")])
def test_what_is_listed_is_yielded(name: str) -> None:
    yielded = {metric for recipe in recipes(name) for point in first(name, recipe)[0] for metric in point}
    found = describe(name, Path())
    assert set(found.metrics) == yielded - UNLISTED - ({*found.named} - {*found.metrics})


@pytest.mark.parametrize(("name", "recipe"), TRIED)
def test_a_trial_that_is_interrupted_after_any_point_goes_on_as_if_it_were_not(
    name: str, recipe: dict[str, Any], tmp_path: Path
) -> None:
    whole, _ = first(name, recipe)
    for done in range(1, len(whole) + 1):
        checkpoints = tmp_path / str(done)
        trainer, job = start(name, recipe, checkpoints=checkpoints)
        killed = trainer.start(job)
        points = [next(killed) for _ in range(done)]
        killed.close()
        again, _ = start(name, recipe, checkpoints=checkpoints)
        job = Job(0, job.recipe, done, job.checkpoints)
        run = again.start(job)
        while isinstance(event := again.advance(run, job), Point):
            points.append(dict(event.metrics))
        assert event == Finished(0)
        assert bits(points) == bits(whole)


@pytest.mark.parametrize(("name", "recipe"), TRIED)
def test_a_complete_curve_is_as_long_as_its_objective_says(name: str, recipe: dict[str, Any]) -> None:
    length = horizon_of(describe(name, Path()), Space(()))(recipe)
    assert length is None or len(first(name, recipe)[0]) == length


@pytest.mark.parametrize("name", NAMES)
def test_every_knob_is_explained(name: str) -> None:
    for knob in describe(name, Path()).signature.knobs.values():
        assert knob.doc or knob.name in FILLED, f"{name}: nothing says what {knob.name} does"


@pytest.mark.parametrize("name", [name for name in NAMES if describe(name, Path()).takes_data])
def test_data_that_are_nowhere_are_refused_by_name(name: str) -> None:
    with pytest.raises(DataError, match="no_such_set"):
        trained(name, {**recipes(name)[0], "data": "no_such_set"})


@pytest.mark.parametrize(("name", "recipe"), MODELS)
def test_the_model_it_returns_is_measured_and_saved(name: str, recipe: dict[str, Any], tmp_path: Path) -> None:
    points, run = first(name, recipe)
    scores = run.fitted.test()
    assert any(isinstance(value, float) for value in scores.values())
    assert scores == trained(name, recipe)[1].fitted.test()
    saved = run.fitted.save(tmp_path)
    assert saved
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in saved)
    if hasattr(run.fitted, "at"):
        assert run.fitted.at(len(points)).test() == scores
