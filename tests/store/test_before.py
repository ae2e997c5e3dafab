"""Stores of an earlier revision, made by ``before/make.py``: they are shown, exported, continued and trained again."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.search.cli import main

BEFORE = Path(__file__).parent / "before"
FOLDER = "/tmp/study"
"""Where the stores were made; objectives of one's own are found there."""
EXPECTED = json.loads((BEFORE / "expected.json").read_text())
STUDIES = ["finished", "interrupted", "goals", "failed", "warm"]
MORE = {"finished": "8", "goals": "9", "failed": "9", "warm": "7"}
"""Trials in all to which each was continued; the interrupted one has steps left of its own."""
CONFIRM = " (confirm)"


@pytest.fixture(params=["studies.db", "studies.journal"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of that time, in the working folder and with its paths, beside the study files it was made from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    for path in [BEFORE / "own.py", *BEFORE.glob("*.yaml")]:
        shutil.copy(path, tmp_path)
    name = str(request.param)
    kept = (BEFORE / name.replace(".db", ".sql")).read_text().replace(FOLDER, str(tmp_path))
    if name.endswith(".journal"):
        (tmp_path / name).write_text(kept)
    else:
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(kept)
    return name


def shown(store: str, name: str, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main(["show", name, "--storage", store, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def missing(expected: Any, found: Any, tolerance: float = 0.0, place: str = "") -> list[str]:
    """Where what was said then is not said now; more may be said."""
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(key, value, found.get(key, "nothing")) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(str(i), one, other) for i, (one, other) in enumerate(zip(expected, found, strict=True))]
    elif isinstance(expected, float) and isinstance(found, float):
        same = math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance / 100)
        return [] if same else [f"{place}: {expected} then, {found} now"]
    elif place.endswith("/values") and expected == [] and found:
        return []  # a trial that has not ended is told with its value so far
    elif place == "/definition/pruner" and expected == "successive-halving":
        return [] if expected in found else [f"{place}: {expected} then, {found} now"]  # the default tells folds apart
    else:
        return [] if expected == found and type(expected) is type(found) else [f"{place}: {expected} then, {found} now"]
    return [said for key, one, other in pairs for said in missing(one, other, tolerance, f"{place}/{key}")]


def test_the_stores_hold_what_they_are_for() -> None:
    then = EXPECTED["shown"]
    assert list(then) == [name + tail for name in STUDIES for tail in ("", CONFIRM) if name + tail in then]
    assert then["finished"]["winner"]["test"]
    assert {trial["state"] for trial in then["interrupted"]["trials"]} == {"complete", "paused", "running"}
    assert len(then["goals"]["goals"]) == 2
    recipes = [trial["recipe"] for trial in then["failed"]["trials"]]
    assert len(set(recipes)) < len(recipes), "no failed trial was tried again"
    assert list(then["warm"]["definition"]["warm_start"]) == ["failed"]


@pytest.mark.parametrize("name", EXPECTED["shown"])
def test_an_earlier_study_is_shown_as_it_was(store: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert missing(EXPECTED["shown"][name], shown(store, name, capsys)) == []


def test_the_text_of_an_earlier_study_names_its_winner(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    heads = {"finished": "winner", "goals": "Pareto front", "failed": "winner", "warm": "winner"}
    for name in STUDIES:
        assert main(["show", name, "--storage", store]) == 0
        printed = capsys.readouterr().out
        assert [head for head in sorted(set(heads.values())) if head in printed] == (
            [heads[name]] if name in heads else []
        )


@pytest.mark.parametrize("name", STUDIES)
def test_an_earlier_study_is_exported(store: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    then = EXPECTED["shown"][name]
    assert main(["export", name, "--storage", store, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["state"] for row in rows] == [trial["state"] for trial in then["trials"]]
    if then["winner"] is None:
        assert main(["export", name, "--storage", store]) == 2
        assert "has no winner yet" in capsys.readouterr().err
        return
    assert main(["export", name, "--storage", store]) == 0
    exported = list(yaml.safe_load_all(capsys.readouterr().out))
    assert exported[0]["recipe"] == then["winner"]["recipe"]


@pytest.mark.parametrize("name", STUDIES)
def test_an_earlier_study_goes_on_as_the_code_of_that_time_did(
    store: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--trials", MORE[name]] if name in MORE else []
    assert main(["run", f"{name}.yaml", "--storage", store, "--quiet", *words]) == 0
    for each in (name, name + CONFIRM):
        if each in EXPECTED["continued"]:  # another processor may round otherwise
            assert missing(EXPECTED["continued"][each], shown(store, each, capsys), 1e-4) == []


@pytest.mark.parametrize("name", STUDIES)
def test_a_trial_of_an_earlier_study_is_trained_again(
    store: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = [trial["number"] for trial in EXPECTED["shown"][name]["trials"] if trial["state"] == "complete"]
    assert main(["replay", name, str(trained[0]), "--storage", store, "--yes"]) == 0
    if name != "finished":  # whose network may round otherwise on another processor
        assert "the curve equals the recorded one" in capsys.readouterr().out


def test_a_failed_trial_of_an_earlier_study_fails_again(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "failed", "0", "--storage", store, "--yes"]) != 0
    assert "no luck" in capsys.readouterr().err
