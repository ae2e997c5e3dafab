"""What a command says and stores whose time, or whose user, ends it early."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from forked import Forked

from hpo.search.report.show import print_result
from hpo.search.report.study import StudyReport, report
from hpo.search.store import open_store
from hpo.search.terms.trial import Trial

OBJECTIVE = """
import os, pathlib, time

if os.environ.get("HANGS_AT") == "import":
    pathlib.Path("started").touch()
    time.sleep(1000)

def train(*, x: float = 0.0, seconds: float = 0.0, quick: int = 10**9, epochs: int = 3):
    count = pathlib.Path("count")
    begun = int(count.read_text()) if count.exists() else 0
    count.write_text(str(begun + 1))
    for epoch in range(epochs):
        pathlib.Path("started").touch()
        time.sleep(seconds if begun >= quick else 0.05)
        yield {"loss": x + 1 / (epoch + 1)}
"""


def write(folder: Path, **settings: Any) -> None:
    (folder / "model.py").write_text(OBJECTIVE)
    study = {
        "name": "study", "objective": "./model.py", "goal": "minimize loss", "confirm": "none", "pruner": "none",
        "search": {"x": {"float": [0, 1]}}, **settings,
    }  # fmt: skip
    (folder / "study.yaml").write_text(json.dumps(study))


def start(folder: Path, *words: str, **environment: str) -> Forked:
    return Forked(["run", "--study", "study.yaml", *words], folder, environment=environment)


def end(process: Forked) -> tuple[int | None, str, str]:
    try:
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out, errors


def test_a_search_without_a_winner_says_why_and_recommends_no_export(tmp_path: Path) -> None:
    write(tmp_path, budget={"minutes": 1e-6})
    code, out, errors = end(start(tmp_path))
    assert code == 0, errors
    assert "no winner: no trial " in out
    assert "raise it and run the same command again, which goes on" in out
    assert "hpo export" not in out
    assert "hpo train" not in out
    assert "pruned  after" not in out
    code, out, errors = end(start(tmp_path, "--minutes", "5", "--trials", "2"))
    assert code == 0, errors
    assert "hpo export" in out


@pytest.mark.parametrize(
    ("curves", "why"),
    [
        ([], "no trial was started"),
        ([()], "no trial came to its first point"),
        ([(), ((1, 0.5),)], "no trial was complete"),
    ],
)
def test_why_there_is_no_winner_is_what_the_trials_came_to(
    curves: list[Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = tuple(Trial(number, {}, curve, "pruned") for number, curve in enumerate(curves))
    print_result(StudyReport("s", "", ("minimize loss",), None, {}, 0, None, 0.0, trials, None, {}))
    told = capsys.readouterr().out
    assert f"no winner: {why} before the budget was spent" in told
    assert "hpo export" not in told


@pytest.mark.parametrize("executor", ["inline", {"processes": {"workers": 1}}])
@pytest.mark.parametrize("seconds", [1000, 1.0])
def test_a_slow_finalist_is_ended_by_the_minutes_and_what_it_gave_is_told(
    tmp_path: Path, executor: Any, seconds: float
) -> None:
    budget, fixed = {"trials": 4, "minutes": 0.15}, {"seconds": seconds, "quick": 4}
    write(tmp_path, confirm={"top": 2, "seeds": 2}, budget=budget, fixed=fixed, executor=executor)
    code, out, errors = end(start(tmp_path))
    assert code == 0, errors
    (told,) = [line for line in out.splitlines() if line.startswith("time was up after")]
    assert "the winner is decided by" in told
    gave = any(line.startswith("fresh run") and "before its first point" not in line for line in out.splitlines())
    assert ("(trial " in told) == gave
    assert not gave or seconds == 1.0
    found = report(open_store(tmp_path / "hpo.db"), "study")
    assert found.winner is not None
    assert found.seconds < 9 + 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_stored_does_not_say_that_the_command_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    write(tmp_path, budget={"trials": 3})
    for hangs in ("import", ""):
        (tmp_path / "started").unlink(missing_ok=True)
        words = () if hangs else ("--set", "seconds=1000", "--set", "quick=0")
        process = start(tmp_path, "--grace", "3", *words, HANGS_AT=hangs)
        while not (tmp_path / "started").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        code, _, errors = end(process)
        assert code == 130, errors
        assert ("before anything was stored" in errors) == bool(hangs)
        assert ("the same command goes on from here" in errors) != bool(hangs)
        assert (tmp_path / "hpo.db").exists() != bool(hangs)
