"""The suite from Python."""

import subprocess
import sys
from pathlib import Path

import pytest

import hpo
from hpo.search.terms.errors import StudyFileError


def bowl(*, x: float = 0.0, seed: int = 0):
    return (x - 2) ** 2


def test_a_function_and_a_space_make_a_study(tmp_path):
    space = {"x": {"float": [0, 4]}}
    result = hpo.run(bowl, search=space, goal="minimize value", trials=25, storage=str(tmp_path / "x.db"))
    assert result.value == pytest.approx((result.recipe["x"] - 2) ** 2)
    assert abs(result.recipe["x"] - 2) < 0.5
    assert result.interval is not None
    assert len(result.trials) == 25
    again = hpo.run(bowl, search=space, goal="minimize value", trials=25, storage=str(tmp_path / "x.db"))
    assert again.recipe == result.recipe, "the study is stored, and its budget is spent"


def test_a_mapping_is_checked_like_a_file():
    with pytest.raises(StudyFileError, match="did you mean 'search'"):
        hpo.run({"objective": "mlp", "goal": "minimize val_loss", "serach": {}})


def test_settings_lie_over_a_shipped_study(tmp_path):
    result = hpo.run(
        "lr-batch", trials=2, fixed={"epochs": 1}, search={"dropout": {"float": [0, 0.3]}}, confirm="none",
        storage=str(tmp_path / "x.db"),
    )  # fmt: skip
    assert set(result.trials.columns) >= {"params_dropout", "params_learning_rate", "val_loss"}
    exported = result.export(tmp_path / "best.yaml")
    assert "epochs: 1" in exported.read_text()


def test_two_seeds_differ_and_one_seed_repeats_itself():
    settings = {"search": {"x": {"float": [0, 4]}}, "goal": "minimize value", "trials": 6, "confirm": "none"}
    runs = [hpo.run(bowl, seed=seed, storage=":memory:", **settings).trials["params_x"].tolist() for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_several_goals_give_a_pareto_front():
    def two(*, x: float = 0.0):
        return {"error": x, "cost": 1 - x}

    goals = ["minimize error", "minimize cost"]
    result = hpo.run(two, search={"x": {"float": [0, 1]}}, goal=goals, trials=8, confirm="none", storage=":memory:")
    assert len(result.report.front()) == 8
    assert len(result.report.winner.candidates) == 8


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, hpo; print([m for m in ('optuna', 'torch', 'sklearn', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_sorted_and_exist():
    assert hpo.__all__ == sorted(hpo.__all__)
    assert all(getattr(hpo, name) for name in hpo.__all__)
