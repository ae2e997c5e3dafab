"""What goes wrong in a search: objectives that fail in every way, signals, a disk that is full."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import Forked

from hpo.search.store import open_store

OBJECTIVE = """
import os, sys, time

def train(*, mode: str = "good", epochs: int = 4):
    for epoch in range(1, epochs + 1):
        if mode == "nan":
            yield {"loss": float("nan")}
        elif mode == "inf":
            yield {"loss": float("-inf")}
        elif mode == "raise":
            raise ValueError("wrong by design")
        elif mode == "memory":
            raise MemoryError
        elif mode == "exit":
            sys.exit(1)
        elif mode == "die":
            os._exit(9)
        elif mode == "nothing":
            return
        elif mode == "text":
            yield "a good epoch"
        elif mode == "sometimes" and epoch % 2:
            yield {"other": 1.0}
        elif mode == "slow":
            open("started", "a").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
            yield {"loss": 1 / epoch}
        else:
            yield {"loss": 1 / epoch, "other": 2.0}
"""


def write(folder: Path, **settings: Any) -> None:
    (folder / "model.py").write_text(OBJECTIVE)
    study = {
        "name": "study", "objective": "./model.py", "goal": "minimize loss", "confirm": "none", "pruner": "none",
        "search": {"mode": {"choice": ["good"]}, "epochs": {"int": [3, 5]}}, "sampler": "grid", **settings,
    }  # fmt: skip
    (folder / "study.yaml").write_text(json.dumps(study))


def command(*words: str) -> list[str]:
    return ["run", "--study", "study.yaml", *words]


def run(folder: Path, *words: str, before: Callable[[], None] = lambda: None) -> subprocess.CompletedProcess[str]:
    process = Forked(command(*words), folder, before=before)
    out, errors = process.communicate(timeout=120)
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.pid, process.returncode, out, errors)


def run_afresh(folder: Path, before: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose privileges are those that ``before`` leaves to it."""
    words = [sys.executable, "-m", "hpo", *command()]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, preexec_fn=before)


def ends(folder: Path) -> list[tuple[str, str]]:
    """State and reason of every trial."""
    snapshot = open_store(folder / "hpo.db").read("study")
    assert snapshot is not None
    return [(trial.state.name, trial.user_attrs.get("reason", "")) for trial in snapshot.trials]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("nan", "loss is nan at step 1"),
        ("inf", "loss is -inf at step 1"),
        ("raise", "ValueError: wrong by design"),
        ("memory", "ran out of memory"),
        ("exit", "SystemExit: 1"),
        ("nothing", "the objective ended without a point that has loss"),
        ("text", "the objective must yield a number or a dict of numbers, got 'a good epoch'"),
    ],
)
def test_a_bad_trial_fails_with_its_reason_and_the_search_goes_on(tmp_path: Path, mode: str, reason: str) -> None:
    write(tmp_path, search={"mode": {"choice": ["good", mode]}, "epochs": {"choice": [4]}})
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(ends(tmp_path)) == [("COMPLETE", ""), ("FAIL", reason), ("FAIL", reason)]


def test_a_worker_that_dies_under_a_trial_fails_it_after_some_tries(tmp_path: Path) -> None:
    write(tmp_path, search={"mode": {"choice": ["good", "die"]}}, executor={"processes": {"workers": 1}})
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    reason = "its worker ended with exit code 9, 5 times in a row"
    assert sorted(ends(tmp_path)) == [("COMPLETE", ""), ("FAIL", reason), ("FAIL", reason)]


def test_points_without_the_goal_are_no_points_of_the_curve(tmp_path: Path) -> None:
    write(tmp_path, search={"mode": {"choice": ["good"]}}, sampler="random", budget={"trials": 1})
    assert run(tmp_path).returncode == 0
    write(tmp_path, search={"mode": {"choice": ["good", "sometimes"]}}, sampler="grid", budget={"trials": 2})
    assert run(tmp_path).returncode == 0
    snapshot = open_store(tmp_path / "hpo.db").read("study")
    assert snapshot is not None
    curves = {trial.params["mode"]: list(trial.intermediate_values) for trial in snapshot.trials}
    assert curves == {"good": [1, 2, 3, 4], "sometimes": [2, 4]}


def test_a_misspelt_goal_is_told_at_the_first_point(tmp_path: Path) -> None:
    write(tmp_path, goal="minimize value")
    (tmp_path / "model.py").write_text(OBJECTIVE.replace('"loss"', '"lo" + "ss"'))
    done = run(tmp_path, "--goal", "minimize los")
    assert done.returncode == 2
    assert "the objective's first point has no metric 'los': did you mean 'loss'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_study_whose_every_trial_fails_stops_early_and_says_why(tmp_path: Path) -> None:
    write(tmp_path, search={"mode": {"choice": ["raise"]}, "epochs": {"int": [1, 50]}})
    done = run(tmp_path)
    assert done.returncode == 3
    assert "all 5 trials failed, so the search stopped: ValueError: wrong by design" in done.stderr
    assert "hpo replay study 4" in done.stderr
    assert len(ends(tmp_path)) == 5


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def wait_until_said(process: Forked, word: str) -> None:
    while word not in process.said():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("number", "executor"), [(signal.SIGINT, "inline"), (signal.SIGTERM, {"processes": {"workers": 2}})]
)
def test_one_signal_stops_after_the_point_is_recorded_and_the_search_goes_on(
    tmp_path: Path, number: signal.Signals, executor: Any
) -> None:
    write(tmp_path, search={"mode": {"choice": ["slow"]}, "epochs": {"int": [2, 3]}}, executor=executor)
    process = Forked(command(), tmp_path)
    wait_for(tmp_path / "started")
    process.send_signal(number)
    wait_until_said(process, "stopping after this round is recorded")
    (tmp_path / "go").touch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from here" in errors
    snapshot = open_store(tmp_path / "hpo.db").read("study")
    assert snapshot is not None
    assert sum(len(trial.intermediate_values) for trial in snapshot.trials) >= 1
    assert run(tmp_path).returncode == 0
    assert [state for state, _ in ends(tmp_path)] == ["COMPLETE"] * 2


def test_two_signals_stop_now(tmp_path: Path) -> None:
    write(tmp_path, search={"mode": {"choice": ["slow"]}})
    process = Forked(command(), tmp_path)
    wait_for(tmp_path / "started")
    process.send_signal(signal.SIGINT)
    wait_until_said(process, "again to stop now")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [state for state, _ in ends(tmp_path)] == ["RUNNING"]


@pytest.mark.parametrize("storage", ["hpo.db", "hpo.journal"])
def test_a_full_disk_ends_the_command_and_the_study_goes_on_when_there_is_room(tmp_path: Path, storage: str) -> None:
    search = {"epochs": {"int": [3, 5]}, "mode": {"choice": ["good"]}, "filler": {"int": [1, 200]}}
    write(tmp_path, search=search, sampler="random", budget={"trials": 120}, storage=storage)
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("epochs: int = 4", "epochs: int = 4, filler: int = 1"))

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    done = run(tmp_path, before=small)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    before = open_store(tmp_path / storage).read("study")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    after = open_store(tmp_path / storage).read("study")
    assert after is not None
    assert len(after.trials) == 120
    if before is not None:
        stand = [trial for trial in before.trials if trial.state.is_finished()]
        assert [after.trials[trial.number].values for trial in stand] == [trial.values for trial in stand]


@pytest.mark.parametrize("storage", ["hpo.db", "hpo.journal"])
def test_a_folder_that_may_not_be_written_is_told_at_once(tmp_path: Path, storage: str) -> None:
    write(tmp_path, storage=f"there/{storage}")
    folder = tmp_path / "there"
    folder.mkdir()
    folder.chmod(0o555)

    def obey() -> None:
        """Give up the privilege by which root writes anywhere (PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)."""
        if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0):
            os._exit(77)

    done = run_afresh(tmp_path, obey)
    if done.returncode == 77:
        pytest.skip("root cannot give up its privilege here")
    assert done.returncode == 2
    assert f"no permission to write in the folder {folder}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("missing", "there is no folder"),
        ("model.py", "there is no folder"),
        pytest.param(
            "/proc",
            "nothing can be written in the folder",
            marks=pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc"),
        ),
    ],
)
@pytest.mark.parametrize("storage", ["hpo.db", "hpo.journal"])
def test_a_place_where_nothing_can_be_written_is_told_at_once(
    tmp_path: Path, folder: str, said: str, storage: str
) -> None:
    write(tmp_path, storage=f"{folder}/{storage}")
    done = run(tmp_path)
    assert done.returncode == 2
    assert f"{said} {tmp_path / folder}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("executor", ["inline", {"processes": {"workers": 2}}])
def test_what_an_objective_prints_stays_out_of_the_json_lines(tmp_path: Path, executor: Any) -> None:
    write(tmp_path, executor=executor)
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("    for epoch", '    print("chatter")\n    for epoch'))
    done = run(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()][-1] == "result"
    assert "chatter" not in done.stderr, "it goes to the log of its trial"
    assert any(log.read_text() == "chatter\n" for log in tmp_path.glob(".hpo/*/logs/*/0.log"))
