"""A study's search as a script for plain Optuna: it runs, and asks for the ranges that the study has."""

from __future__ import annotations

import runpy
from pathlib import Path

import optuna
import pytest

import hpo
from hpo.search.cli import main
from hpo.search.store.distributions import to_distribution
from hpo.search.studyfile import read

OBJECTIVE = """
def train(*, a: float = 0.0, n: int = 1, kind: str = "x", epochs: int = 2):
    for i in range(epochs):
        yield {"loss": (a - 1) ** 2 + 1 / (i + n), "size": n}
"""


@pytest.mark.parametrize("goal", ["minimize loss", ["minimize loss", "minimize size"]])
def test_the_script_runs_and_searches_what_the_study_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], goal: object
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("o.py").write_text(OBJECTIVE)
    study = {
        "name": "o", "objective": "./o.py", "goal": goal, "budget": {"trials": 3}, "prior": {"a": 0.5}, "confirm": None,
        "search": {
            "a": {"float": [0.0, 2.0]}, "kind": {"choice": ["x", "y"]},
            "n": {"int": [1, 9], "log": True, "when": {"kind": "y"}},
        },
        "sampler": "random" if isinstance(goal, str) else "nsga2", "fixed": {"epochs": 2},
    }  # fmt: skip
    hpo.run(study, storage="hpo.db")
    assert main(["export", "--study", "o", "--format", "optuna", "--output", "search.py", "--storage", "hpo.db"]) == 0
    optuna.logging.disable_default_handler()
    made = runpy.run_path("search.py", run_name="__main__")["study"]
    assert len(made.trials) == 3
    assert made.trials[0].params["a"] == 0.5
    assert made.directions == [optuna.study.StudyDirection.MINIMIZE] * (1 if isinstance(goal, str) else 2)
    space = read(study).space
    for trial in made.trials:
        assert space.contains(trial.params)
        assert trial.distributions == {name: to_distribution(space[name].domain) for name in trial.params}


FOLDS = """
def train(*, a: float = 0.0, epochs: int = 3):
    for i in range(3):
        yield {"loss": (a - 1) ** 2 + i, "fold": i}
"""


def test_of_folds_the_script_takes_the_mean_and_says_what_it_has_no_counterpart_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("o.py").write_text(FOLDS)
    study = {
        "name": "o", "objective": "./o.py", "goal": "minimize loss", "budget": {"steps": 9}, "confirm": None,
        "search": {"a": {"float": [0.0, 2.0]}},
    }  # fmt: skip
    hpo.run(study, storage="hpo.db")
    assert main(["export", "--study", "o", "--format", "optuna", "--output", "search.py", "--storage", "hpo.db"]) == 0
    text = Path("search.py").read_text()
    for left in ("budget steps", "sampler {tpe: {unpruned: 0.2}}"):
        assert left in text
    optuna.logging.disable_default_handler()
    made = runpy.run_path("search.py", run_name="__main__")["study"]
    for trial in made.trials:
        assert trial.state.name == "COMPLETE"
        assert trial.value == pytest.approx((trial.params["a"] - 1) ** 2 + 1)
