"""A table and the name of a column are enough: the study that is made of them runs, and is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from hpo.search.cli import main
from hpo.search.studyfile.reader import read
from hpo.search.studyfile.table import study_text
from hpo.search.terms.errors import DataError


def table(path: Path, rows: int = 90, *, rare: int = 2, name: str = "churned") -> Path:
    """Rows whose class follows from two columns; every ``rare``-th is of the second class."""
    rng = np.random.default_rng(0)
    lines = [f"age,plan,joined,leak,{name}"]
    for row in range(rows):
        gone = row % rare == 0
        age, plan = (
            rng.integers(20, 60) + 25 * gone,
            rng.choice(["basic", "full"], p=[0.8, 0.2] if gone else [0.3, 0.7]),
        )
        date = f"2024-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d}"
        lines.append(f"{age},{plan if row % 11 else 'unknown'},{date},{int(gone)},{'yes' if gone else 'no'}")
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode())) if path.suffix == ".gz" else path.write_text(text)
    return path


@pytest.fixture
def churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return table(tmp_path / "churn.csv").relative_to(tmp_path)


def test_a_table_and_a_target_are_searched_and_the_same_command_goes_on(
    churn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(churn), "--target", "churned", "--set", "max_iter=4", "--set", "epochs=2", "--confirm", "none"]
    assert main(["run", *asked, "--trials", "2"]) == 0
    told = capsys.readouterr().out
    assert "# What predicts churned in churn.csv?" in told
    assert "goal: maximize val_accuracy   # the 2 classes are of like size" in told
    assert main(["run", *asked, "--trials", "3"]) == 0
    assert "3 trials" in capsys.readouterr().out


def test_without_a_target_the_columns_are_named_and_nothing_is_guessed(
    churn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(churn)]) == 2
    told = capsys.readouterr().err
    assert "age, plan, joined, leak, churned; name one: hpo run churn.csv --target COLUMN" in told
    assert main(["run", str(churn), "--target", "churnd"]) == 2
    assert "did you mean 'churned'?" in capsys.readouterr().err
    assert main(["run", "chrun.csv", "--target", "churned"]) == 2
    assert [path.name for path in Path().iterdir()] == ["churn.csv"]


def test_the_file_that_is_made_says_what_the_command_does(churn: Path) -> None:
    text = study_text(churn, "churned")
    Path("made.yaml").write_text(text)
    made, told = read("made.yaml"), read(str(churn), [("budget.target", "churned")])
    assert (made.name, made.data, made.goals, made.space, made.fixed) == (
        told.name, told.data, told.goals, told.space, told.fixed
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "rare", "rows", "goal", "threshold"),
    [
        ("y", 2, 90, "maximize val_accuracy", None),
        ("y: the # target", 8, 120, "maximize val_average_precision", "f1"),
    ],
)
def test_the_goal_follows_from_how_rare_a_class_is(
    tmp_path: Path, name: str, rare: int, rows: int, goal: str, threshold: str | None
) -> None:
    path = table(tmp_path / "a b.csv.gz", rows, rare=rare, name=name)
    study = read(str(path), [("budget.target", name)])
    assert (str(study.goal), study.fixed.get("threshold"), study.name) == (goal, threshold, "a-b")


def test_a_quantity_is_measured_in_its_own_units(churn: Path) -> None:
    study = read(str(churn), [("budget.target", "age"), ("data", f"{{table: {{path: {churn}, target: age}}}}")])
    assert str(study.goal) == "minimize val_rmse"
    assert study.fixed["estimator"] == "HistGradientBoostingRegressor"


def test_a_table_that_cannot_be_learned_from_is_refused_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("x,y\n1,a\n2,b\n")
    with pytest.raises(DataError, match="2 rows with a target are too few"):
        study_text(path, "y")


def test_a_summary_tells_what_each_column_is_and_what_gives_the_target_away(
    churn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(churn), "--target", "churned"]) == 0
    told = capsys.readouterr().out
    for said in (
        "classification of 'churned'", "54 train, 18 validation, 18 test", "yes 50.0%", "joined.month",
        "'leak' alone tells the target", "drop: [leak]", "time: joined", "9 cells of 'plan' are 'unknown'",
        "missing: ['unknown']",
    ):  # fmt: skip
        assert said in told
    assert main(["data", str(churn), "--target", "churned", "--options", "{missing: unknown, drop: leak}"]) == 0
    told = capsys.readouterr().out
    assert "leak" not in told
    assert "cells of" not in told


def test_a_summary_without_a_target_tells_the_columns_alone(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(churn), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = {column["name"]: column["kind"] for column in found["columns"]}
    assert kinds == {"age": "number", "plan": "category", "joined": "date", "leak": "number", "churned": "category"}
    assert found["target"] == ""


def test_check_tells_of_the_table_and_writes_nothing(
    churn: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.search.engine.rehearsal.PATIENCE", 600)  # the machine may be busy
    Path("study.yaml").write_text(study_text(churn, "churned"))
    assert main(["check", "study.yaml"]) == 0
    assert "'leak' alone tells the target" in capsys.readouterr().out
    assert sorted(path.name for path in Path().iterdir()) == ["churn.csv", "study.yaml"]


def test_rows_that_parts_share_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "twice.csv"
    rows = [f"{i},{i * 7 % 31},{'ab'[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["x,z,y", *rows, *rows]) + "\n")
    assert main(["data", str(path), "--target", "y"]) == 0
    assert "test rows equal a training row in every column" in capsys.readouterr().out


def test_new_writes_the_study_that_run_would_make(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(churn), "--target", "churned"]) == 0
    assert Path("churn.yaml").read_text() == study_text(churn, "churned")
    assert "hpo check churn.yaml" in capsys.readouterr().out
    assert main(["new", "--data", str(churn), "--target", "churned"]) == 2
    assert "churn.yaml exists; --force replaces it" in capsys.readouterr().err
    Path("studies").mkdir()
    assert (
        main(["new", str(churn), "--target", "churned", "--goal", "maximize val_f1", "--output", "studies/c.yaml"]) == 0
    )
    study = read(Path("studies/c.yaml"))
    assert (str(study.goal), study.data["table"]["path"]) == ("maximize val_f1", str(churn.resolve()))


def test_new_needs_the_column(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(churn)]) == 2
    assert "name one: hpo new churn.csv --target COLUMN" in capsys.readouterr().err
    assert main(["new", "mlp", "--data", str(churn), "--target", "churned"]) == 2
    assert "mlp and the table churn.csv are two studies" in capsys.readouterr().err
    assert not list(Path().glob("*.yaml"))


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("fixed: {class_weight: {no: 1, yess: 5}}", 2),
        ("search: {class_weight: {choice: [balanced, {maybe: 2}]}}", 2),
        ("fixed: {class_weight: {no: 1, yes: 5}}", 0),
        ("fixed: {class_weight: {1: 5}}", 0),
    ],
)
@pytest.mark.parametrize("objective", ["sklearn", "mlp"])
def test_weights_of_a_class_that_the_table_lacks_are_refused_by_check(
    churn: Path, capsys: pytest.CaptureFixture[str], objective: str, section: str, code: int
) -> None:
    sklearn = objective == "sklearn"
    knobs = {
        "search": "C: {float: [0.1, 10]}" if sklearn else "learning_rate: {float: [1e-3, 1e-2]}",
        "fixed": "estimator: LogisticRegression" if sklearn else "epochs: 2",
    }
    where, _, weights = section.partition(": {")
    knobs[where] += f", {weights[:-1]}"
    Path("s.yaml").write_text(
        f"# s\nobjective: {objective}\ndata: {{table: {{path: {churn}, target: churned}}}}\n"
        f"goal: minimize {'val_log_loss' if sklearn else 'val_loss'}\n"
        f"search: {{{knobs['search']}}}\nfixed: {{{knobs['fixed']}}}\n"
    )
    assert main(["check", "s.yaml"]) == code
    if code:
        assert "class_weight: there is no class" in capsys.readouterr().err
