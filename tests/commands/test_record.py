"""`record: statistics`: kept with every point, shown, drawn, the same after an interruption, and no metric."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hpo.search.cli import main

STUDY = """objective: mlp
data: breast_cancer
goal: minimize val_loss
search: {learning_rate: {float: [1e-3, 1e-1], log: true}}
fixed: {width: 6, depth: 1, epochs: 3, clip_norm: 0.5}
confirm: none
pruner: none
sampler: random
"""


def recorded(name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["show", name, "--json"]) == 0
    trials: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["trials"]
    return trials


def test_statistics_are_kept_with_every_point_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain.yaml").write_text(STUDY)
    Path("told.yaml").write_text(f"{STUDY}record: statistics\n")
    assert main(["run", "plain.yaml", "--quiet", "--trials", "4"]) == 0
    assert main(["run", "told.yaml", "--quiet", "--trials", "2"]) == 0
    assert main(["run", "told.yaml", "--quiet", "--trials", "4"]) == 0
    assert main(["run", "told.yaml", "--quiet", "--trials", "4", "--name", "whole"]) == 0
    plain, told, whole = (recorded(name, capsys) for name in ("plain", "told", "whole"))
    for one, other, same in zip(plain, told, whole, strict=True):
        assert (one["curve"], one["values"], one["metrics"]) == (other["curve"], other["values"], other["metrics"])
        assert not one["statistics"]
        assert other["statistics"] == same["statistics"]
        assert {step for curve in other["statistics"].values() for step, _ in curve} == {1, 2, 3}
        assert all(len(curve) == 3 for curve in other["statistics"].values())
        assert {"gradient_norm/1", "dead_units/2", "clipped_steps"} < set(other["statistics"])
    assert main(["show", "told", "1"]) == 0
    assert "  clipped_steps " in capsys.readouterr().out
    assert main(["replay", "told", "1"]) == 0
    assert main(["report", "told", "--output", "told.html"]) == 0
    page = Path("told.html").read_text()
    assert "Gradient norm through training" in page
    assert "Dead units through training" in page
    assert "train the winner, and the page explains it: hpo export --study told" in page
    assert main(["export", "--study", "told", "--output", "told-best.yaml"]) == 0
    assert main(["train", "told-best.yaml", "--output", "told-model"]) == 0
    assert main(["report", "told", "--output", "told.html", "--force"]) == 0
    assert "Which columns matter" in Path("told.html").read_text()
    assert main(["report", "plain", "--model", "told-model"]) == 2
    assert "it is not the winner of plain" in capsys.readouterr().err
    assert not Path("plain.html").exists()
    assert main(["copy", "told", "--to", "other.journal"]) == 0
    capsys.readouterr()
    assert main(["show", "told", "1", "--storage", "other.journal"]) == 0
    assert "  clipped_steps " in capsys.readouterr().out
    with sqlite3.connect("hpo.db") as store:  # nothing is kept where nothing was asked for
        keys = [key for (key,) in store.execute("select distinct key from trial_user_attributes")]
    assert sum(key.startswith("statistics:") for key in keys) == 3


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("record: statistic", "did you mean 'statistics'?"),
        ("record: true", "write record: statistics"),
        ("objective: sklearn\nrecord: statistics", "sklearn trains by itself"),
        ("goal: minimize dead_units/2\nrecord: statistics", "dead_units/2"),
    ],
)
def test_what_cannot_be_recorded_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    study = STUDY
    for line in lines.splitlines():
        key = line.partition(":")[0]
        study = "".join(f"{old}\n" for old in study.splitlines() if not old.startswith(f"{key}:")) + f"{line}\n"
    Path("s.yaml").write_text(study)
    assert main(["check", "s.yaml"]) == 2
    assert told in capsys.readouterr().err
