"""`hpo replay`: the exit code says whether the curve is the recorded one, and Ctrl-C is no failed trial."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.search.cli import main

OBJECTIVE = """
import pathlib, time

def train(*, x: float = 0.0, epochs: int = 3):
    for epoch in range(1, epochs + 1):
        if epoch == 2 and pathlib.Path("hang").exists():
            pathlib.Path("hanging").touch()
            time.sleep(1000)
        yield {"loss": x + 1 / epoch}
"""
STUDY = """
objective: ./own.py
goal: minimize loss
search: {x: {float: [0, 1]}}
budget: {trials: 4}
confirm: none
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with a study that has run, of which another process has to import the objective anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("own.py").write_text(OBJECTIVE)
    Path("own.yaml").write_text(STUDY)
    assert main(["run", "own.yaml", "--quiet"]) == 0
    for name in [name for name in sys.modules if name.startswith("_hpo_objective_")]:
        del sys.modules[name]
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize("trial", ["0", "1"])
def test_a_trial_that_repeats_itself_is_told_and_ends_with_0(
    place: Path, capsys: pytest.CaptureFixture[str], trial: str
) -> None:
    assert main(["replay", "own", trial]) == 0
    assert "the curve equals the recorded one exactly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said", "code"),
    [
        ("x + 1 /", "x + 2 /", "the curve differs from the recorded one from step 1 on", 1),
        ("x + 1 / epoch", "x + 1 / epoch + (epoch == 3)", "the curve differs from the recorded one from step 3 on", 1),
        ("epochs + 1", "epochs", "it ends at step 2, the recorded one at step 3", 1),
        ("x + 1 / epoch", "(x + 1 / epoch) * (1 + 1e-9)", "to 8 significant digits, not exactly", 0),
    ],
)
def test_a_trial_that_trains_otherwise_is_told_by_the_exit_code(
    place: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str, code: int
) -> None:
    Path("own.py").write_text(OBJECTIVE.replace(old, new))
    assert main(["replay", "own", "0"]) == code
    told = capsys.readouterr().out
    assert said in told
    assert "the objective's source is another one" in told


def test_ctrl_c_stops_a_replay_and_is_no_failed_trial(place: Path) -> None:
    Path("hang").touch()
    command = [sys.executable, "-m", "hpo", "replay", "own", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not Path("hanging").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "step 1: loss" in out
    assert errors == "hpo: stopped now\n"
