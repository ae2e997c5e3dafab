"""A metric of the user's own: the same for estimators and networks, from the search to predictions on new rows."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pandas
import pytest

import hpo
from hpo.search.cli import main
from hpo.search.describe.trained import file_digest
from hpo.search.store import open_store

MINE = """
import numpy as np

def profit(y_true, y_pred):
    return 5.0 * np.sum((y_pred == 1) & (y_true == 1)) - np.sum(y_pred == 1)

def gap(y_true, y_score):
    return y_score[y_true == 1].mean() - y_score[y_true == 0].mean()
"""

STUDY = """
# What pays?
objective: {objective}
data: {{table: {{path: rows.csv, target: kept}}}}
metric: ./mine.py:{function}
goal: maximize val_{function}
search: {search}
fixed: {fixed}
budget: {{trials: 2}}
confirm: none
pruner: none
"""

SKLEARN = {
    "objective": "sklearn", "function": "profit", "search": "{C: {float: [0.1, 10]}}",
    "fixed": "{estimator: LogisticRegression, folds: 2}",
}  # fmt: skip
MLP = {
    "objective": "mlp", "function": "gap", "search": "{learning_rate: {float: [1e-3, 1e-1]}}",
    "fixed": "{epochs: 2, width: 8}",
}  # fmt: skip

LANES = """
asked = []
def gap(y_true, y_score):
    asked.append(1)
    if len(asked) == 1:
        raise ZeroDivisionError
"""

DATACLASS = """
import pickle
from dataclasses import dataclass, fields
from typing import get_type_hints

@dataclass
class Price:
    each: float = 2.5

def profit(y_true: Price, y_pred):
    assert get_type_hints(Price)["each"] is float
    return pickle.loads(pickle.dumps(Price())).each
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows whose class follows from two columns but for noise, and a metric."""
    monkeypatch.chdir(tmp_path)
    rows = [(i * 37 % 101, i * 53 % 97) for i in range(120)]
    lines = [f"{a},{b},{'yes' if a + b + (i * 29 % 41) > 120 else 'no'}" for i, (a, b) in enumerate(rows)]
    Path("rows.csv").write_text("\n".join(["a,b,kept", *lines]))
    Path("mine.py").write_text(MINE)
    return tmp_path


def written(**parts: str) -> None:
    Path("s.yaml").write_text(STUDY.format(**parts).lstrip())


@pytest.mark.parametrize("parts", [SKLEARN, MLP], ids=["sklearn", "mlp"])
def test_one_function_is_measured_wherever_something_is_predicted(
    here: Path, parts: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    written(**parts)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    name = parts["function"]
    model = hpo.load("s-model")
    test = json.loads(Path("s-model/metrics.json").read_text())["test"]
    assert name in test
    assert main(["predict", "s-model", "--data", "rows.csv", "--output", "p.csv"]) == 0
    assert f"{name} {model.evaluate(pandas.read_csv('rows.csv'))[name]:.4g}" in capsys.readouterr().err
    assert main(["replay", "s", "1"]) == 0
    assert "equals the recorded one exactly" in capsys.readouterr().out


def test_another_function_under_the_name_is_another_study(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(**SKLEARN)
    assert main(["run", "s.yaml"]) == 0
    Path("mine.py").write_text(MINE.replace("5.0", "6.0"))
    assert main(["run", "s.yaml", "--trials", "3"]) == 2
    assert "metric: profit of mine.py" in capsys.readouterr().err
    assert main(["replay", "s", "1"]) == 1
    assert "the metric's function is another one" in capsys.readouterr().out


def test_a_function_that_raises_for_every_recipe_ends_the_search(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(**SKLEARN)
    Path("mine.py").write_text("def profit(y_true, y_pred):\n    return y_pred.nothing\n")
    assert main(["run", "s.yaml"]) == 3
    told = capsys.readouterr().err
    assert "metric profit could not be measured: AttributeError" in told
    assert told.count("in line 2") == 1
    Path("mine.py").write_text("import nothing_here\n" + MINE)
    assert main(["run", "s.yaml", "--fresh"]) == 2
    assert "mine.py of the metric profit cannot be imported: ModuleNotFoundError" in capsys.readouterr().err
    Path("mine.py").write_text(MINE)
    assert main(["run", "s.yaml", "--fresh"]) == 0
    stored = open_store("hpo.db").read("s")
    assert stored is not None
    assert {trial.state.name for trial in stored.trials} == {"COMPLETE"}


@pytest.mark.parametrize("answer", ["1 / 0", "y_pred", "'0.5'", "float('nan')", "None"])
def test_a_function_that_measures_one_recipe_only_fails_the_other_trial(here: Path, answer: str) -> None:
    mine = "asked = []\ndef profit(y_true, y_pred):\n    asked.append(1)\n"
    Path("mine.py").write_text(f"{mine}    return {answer} if len(asked) == 1 else 1.0\n")
    written(**SKLEARN)
    assert main(["run", "s.yaml"]) == 0
    stored = open_store("hpo.db").read("s")
    assert stored is not None
    assert [trial.state.name for trial in stored.trials] == ["FAIL", "COMPLETE"]


def test_what_one_lane_cannot_measure_is_no_loss_of_the_others(here: Path) -> None:
    Path("mine.py").write_text(MINE.replace("def gap(y_true, y_score):", LANES))
    written(**MLP)
    assert main(["run", "s.yaml"]) == 0
    stored = open_store("hpo.db").read("s")
    assert stored is not None
    assert sorted(trial.state.name for trial in stored.trials) == ["COMPLETE", "FAIL"]


def test_predictions_are_told_where_the_metric_raises(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("def profit(y_true, y_pred):\n    return 1.0 / (len(y_true) > 5)\n")
    written(**SKLEARN)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    Path("few.csv").write_text("a,b,kept\n1,2,no\n90,80,yes\n")
    capsys.readouterr()
    assert main(["predict", "s-model", "--data", "few.csv", "--output", "p.csv"]) == 0
    told = capsys.readouterr().err
    assert "metric profit could not be measured: ZeroDivisionError: float division by zero in line 2" in told
    assert "scores on the 2 rows with a target: accuracy" in told
    with pytest.warns(match="metric profit could not be measured"):
        found = hpo.load("s-model").evaluate(pandas.read_csv("few.csv"))
    assert "profit" not in found
    assert "accuracy" in found


def test_a_folder_from_elsewhere_predicts_without_the_metrics_code(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(**SKLEARN)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    away = here / "away"
    away.mkdir()
    shutil.move("s-model", away / "s-model")
    shutil.copy("best.yaml", away)
    shutil.move("mine.py", away / "kept.py")
    monkeypatch.chdir(away)
    assert main(["train", "best.yaml"]) == 2
    capsys.readouterr()
    rows = str(here / "rows.csv")
    assert main(["predict", "s-model", "--data", rows, "--output", "p.csv"]) == 0
    assert "profit" not in capsys.readouterr().err
    assert main(["predict", "s-model", "--data", rows, "--output", "q.csv", "--yes"]) == 0
    assert "profit" in capsys.readouterr().err
    assert Path("p.csv").read_text() == Path("q.csv").read_text()


def test_a_model_is_scored_by_the_metric_that_it_was_trained_with(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text("def profit(y_true, y_pred):\n    return 7.0\n")
    written(**SKLEARN)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    Path("mine.py").write_text("def profit(y_true, y_pred):\n    return 8.0\n")
    predict = ["predict", str(here / "s-model"), "--data", str(here / "rows.csv"), "--output", "p.csv", "--force"]
    capsys.readouterr()
    assert main(predict) == 0
    told = capsys.readouterr().err
    assert "profit 7" in told
    assert "mine.py is not the one that" in told
    (here / "away").mkdir()
    monkeypatch.chdir(here / "away")
    assert main(predict) == 0
    told = capsys.readouterr().err
    assert "add --yes" in told
    assert "profit 7" not in told
    assert main([*predict, "--yes"]) == 0
    assert "profit 7" in capsys.readouterr().err
    monkeypatch.chdir(here)
    Path("mine.py").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hpo.load("s-model").evaluate(pandas.read_csv("rows.csv"))["profit"] == 7.0


def test_a_copy_that_somebody_changed_does_not_run_by_itself(here: Path) -> None:
    written(**SKLEARN)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    Path("s-model/metric.py").write_text("raise SystemExit('it ran')\n")
    manifest = json.loads(Path("s-model/manifest.json").read_text())
    manifest["files"]["metric.py"] = file_digest(Path("s-model/metric.py"))
    Path("s-model/manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(match="add --yes"):
        model = hpo.load("s-model")
    assert "profit" not in model.evaluate(pandas.read_csv("rows.csv"))


@pytest.mark.parametrize("before", ["from __future__ import annotations\n", ""])
def test_a_metrics_file_is_a_module_like_any_other(here: Path, before: str) -> None:
    Path("mine.py").write_text(before + DATACLASS)
    written(**SKLEARN)
    assert main(["run", "s.yaml"]) == 0
    stored = open_store("hpo.db").read("s")
    assert stored is not None
    assert {trial.value for trial in stored.trials} == {2.5}


def test_a_smaller_model_of_one_with_a_metric_repeats_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(**MLP)
    for words in (["run", "s.yaml"], ["export", "s", "--output", "best.yaml"], ["train", "best.yaml"]):
        assert main(words) == 0
    smaller = (
        "# s\nobjective: compress\nsource: s\ngoal: [maximize val_gap, minimize kilobytes]\n"
        "search: {prune: {float: [0, 0.9]}}\nfixed: {epochs: 1}\nbudget: {trials: 1}\nconfirm: none\n"
    )
    Path("c.yaml").write_text(smaller)
    assert main(["check", "c.yaml"]) == 2
    told = capsys.readouterr().err
    assert "compress yields no metric 'val_gap'" in told
    assert "metric: ./mine.py:gap" in told
    Path("c.yaml").write_text(f"{smaller}metric: ./mine.py:gap\n")
    assert main(["run", "c.yaml"]) == 0
    assert "val_gap" in capsys.readouterr().out
