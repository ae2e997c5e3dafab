"""Everything ends whatever a step does: minutes, signals, forks and exits; and nothing outlives the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from forked import Forked

from hpo.search.report.study import report
from hpo.search.store import open_store

OBJECTIVE = """
import multiprocessing, os, sys, threading, time

def hang(mode):
    with open("started", "a") as file:
        file.write("x")
    while True:
        if mode == "lock":
            sum(range(10**13))  # holds Python's lock
        try:
            time.sleep(1000)
        except BaseException:
            if mode != "swallow":
                raise

class Nasty(Exception):
    def __str__(self):
        raise ValueError("not even a text")

def train(*, x: float = 0.0, mode: str = "good", points: int = 1, epochs: int = 3, seed: int = 0):
    for epoch in range(1, epochs + 1):
        if epoch > points:
            if mode in ("sleep", "swallow", "lock"):
                hang(mode)
            elif mode == "child":
                multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,), daemon=True).start()
                hang(mode)
            elif mode == "leave":
                os._exit(0)
            elif mode.startswith("fork") and os.fork() == 0:
                if mode == "fork-exit":
                    sys.exit(3)
                if mode == "fork-raise":
                    raise ValueError("in the child")
                if mode == "fork-return":
                    return
            elif mode == "nasty":
                raise Nasty
            elif mode == "huge":
                raise ValueError("x" * 10**7 + chr(27))
            elif mode == "control":
                raise ValueError("\\x1b[31m\\0\\u202e" + chr(0xdc80))
            elif mode == "thread":
                threading.Thread(target=sys.exit).start()
        yield {"loss": x + 1 / epoch}
"""

COMMAND = """
import json, sys, time
print(json.dumps({"loss": 1.0}), flush=True)
open("started", "w").write("x")
time.sleep(1000)
"""

INLINE, WORKERS = "inline", {"processes": {"workers": 2}}


def write(folder: Path, mode: str = "good", **settings: Any) -> None:
    (folder / "model.py").write_text(OBJECTIVE)
    (folder / "command.py").write_text(COMMAND)
    study = {
        "name": "study", "objective": "./model.py", "goal": "minimize loss", "confirm": "none", "pruner": "none",
        "search": {"x": {"float": [0, 1]}}, "fixed": {"mode": mode}, "budget": {"trials": 2}, **settings,
    }  # fmt: skip
    (folder / "study.yaml").write_text(json.dumps(study))


def start(folder: Path, *words: str) -> Forked:
    return Forked(["run", "--study", "study.yaml", *words], folder)


def start_afresh(folder: Path, *before: str) -> subprocess.Popen[str]:
    """The command in a process that imports all it needs, under another command where one is named."""
    words = [*before, sys.executable, "-m", "hpo", "run", "--study", "study.yaml"]
    return subprocess.Popen(words, cwd=folder, stdout=-1, stderr=-1, stdin=-3, text=True)


def end(process: subprocess.Popen[str] | Forked) -> tuple[int | None, str, str]:
    """Exit code, and what was printed; it must end by itself."""
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, errors


def run(folder: Path, *words: str) -> tuple[int | None, str, str]:
    return end(start(folder, *words))


def run_out_of_time(folder: Path, *words: str, lanes: int = 1) -> tuple[int | None, str, str]:
    """Run until time is up while steps hang; again, with more of it, where it was up before all lanes came that far."""
    study = json.loads((folder / "study.yaml").read_text())
    while True:
        done = run(folder, *words)
        if len(started(folder)) >= lanes:
            return done
        study["budget"]["minutes"] *= 2
        (folder / "study.yaml").write_text(json.dumps(study))
        for place in (*folder.glob("hpo.db*"), *folder.glob("started")):
            place.unlink()


def started(folder: Path) -> str:
    """A letter for each step that hangs."""
    return (folder / "started").read_text() if (folder / "started").exists() else ""


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def ends(folder: Path) -> list[tuple[str, str]]:
    snapshot = open_store(folder / "hpo.db").read("study")
    assert snapshot is not None
    return [(trial.state.name, trial.user_attrs.get("reason", "")) for trial in snapshot.trials]


def left_over(folder: Path) -> list[int]:
    """Processes that work in the folder; those that are being taken down have a moment."""
    for _ in range(600):
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                alive = "\nState:\tZ" not in (entry / "status").read_text()
                if alive and os.readlink(entry / "cwd") == str(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
        if not found:
            return []
        time.sleep(0.1)
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc")


@pytest.mark.parametrize("executor", [INLINE, WORKERS])
def test_minutes_end_a_step_that_hangs(tmp_path: Path, executor: Any) -> None:
    write(tmp_path, "sleep", executor=executor, budget={"minutes": 0.05})
    code, out, errors = run_out_of_time(tmp_path, lanes=1 if executor == INLINE else 2)
    assert code == 0, errors
    assert set(ends(tmp_path)) == {("PRUNED", "the budget was spent")}
    assert "winner trial" in out


def test_minutes_end_a_command_that_hangs(tmp_path: Path) -> None:
    write(tmp_path, objective={"command": f"{sys.executable} command.py {{x}}"}, fixed={}, budget={"minutes": 0.05})
    assert run_out_of_time(tmp_path)[0] == 0
    assert ends(tmp_path) == [("PRUNED", "the budget was spent")]
    assert not left_over(tmp_path)


@pytest.mark.parametrize("where", ["data", "forward"])
@pytest.mark.parametrize("workers", [1, 2])
def test_minutes_end_a_cohort_whose_build_or_data_hangs(tmp_path: Path, where: str, workers: int) -> None:
    write(tmp_path, objective="./net.py", goal="minimize val_loss", fixed={"epochs": 2}, workers=workers,
          search={"learning_rate": {"float": [0.001, 0.1]}}, budget={"minutes": 0.15})  # fmt: skip
    (tmp_path / "net.py").write_text(
        "import time, torch\n"
        "from hpo.objectives import mlp\n"
        "def hang():\n    open('started', 'a').write('x')\n    time.sleep(1000)\n"
        f"def data(recipe):\n    {'hang()' if where == 'data' else 'pass'}\n    return mlp.data()\n"
        "def build(recipe):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), Slow())\n"
        "class Slow(torch.nn.Module):\n"
        f"    def forward(self, x):\n        {'hang()' if where == 'forward' else 'pass'}\n        return x\n"
    )
    code, _, errors = run_out_of_time(tmp_path)
    assert code == 0, errors
    assert {state for state, _ in ends(tmp_path)} == {"PRUNED"}
    assert {reason for _, reason in ends(tmp_path)} == {"the budget was spent"}


def test_minutes_leave_from_under_a_step_that_cannot_be_interrupted(tmp_path: Path) -> None:
    write(tmp_path, "swallow", budget={"minutes": 0.05})
    code, _, errors = run_out_of_time(tmp_path)
    assert code == 1
    assert "a step of trial 0 could not be interrupted" in errors
    assert "Traceback" not in errors
    assert ends(tmp_path) == [("PRUNED", "the budget was spent")]
    code, out, _ = run(tmp_path)
    assert code == 0
    assert "winner trial 0" in out


@pytest.mark.parametrize("by", ["minutes", "signal"])
@needs_proc
def test_a_step_that_holds_the_lock_of_python_ends_too(tmp_path: Path, by: str) -> None:
    write(tmp_path, "lock", budget={"minutes": 0.05} if by == "minutes" else {"trials": 1})
    if by == "minutes":
        code, _, errors = run_out_of_time(tmp_path)
    else:
        process = start(tmp_path, "--grace", "2")
        wait_for(tmp_path / "started")
        process.send_signal(signal.SIGTERM)
        code, _, errors = end(process)
    assert code == -signal.SIGKILL
    assert "a step held Python's lock" in errors
    assert not left_over(tmp_path)
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("    while True:", "    while False:"))
    assert run(tmp_path)[0] == 0
    assert {state for state, _ in ends(tmp_path)} <= {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize(
    ("number", "mode", "executor"),
    [
        (signal.SIGTERM, "sleep", INLINE), (signal.SIGTERM, "swallow", WORKERS), (signal.SIGHUP, "swallow", INLINE),
        (signal.SIGINT, "sleep", INLINE), (signal.SIGINT, "swallow", WORKERS),
    ],
)  # fmt: skip
@needs_proc
def test_a_signal_ends_within_its_grace_what_would_not_end(
    tmp_path: Path, number: signal.Signals, mode: str, executor: Any
) -> None:
    write(tmp_path, mode, executor=executor)
    process = start(tmp_path, "--grace", "2")
    wait_for(tmp_path / "started")
    process.send_signal(number)
    code, _, errors = end(process)
    assert code == 130, errors
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    assert not left_over(tmp_path)
    assert {state for state, _ in ends(tmp_path)} == {"RUNNING"}
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("    while True:", "    while False:"))
    assert run(tmp_path)[0] == 0
    assert ends(tmp_path) == [("COMPLETE", "")] * 2


def test_under_nohup_the_end_of_the_terminal_ends_nothing(tmp_path: Path) -> None:
    write(tmp_path, "sleep")
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("time.sleep(1000)", "time.sleep(1); return"))
    process = start_afresh(tmp_path, "nohup")
    wait_for(tmp_path / "started")
    process.send_signal(signal.SIGHUP)
    assert end(process)[0] == 0
    assert ends(tmp_path) == [("COMPLETE", "")] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_command_starts_ends_it_with_a_message(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path, budget={"trials": 100_000})  # however late the signal comes
    process = start_afresh(tmp_path)
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "numpy" not in maps.read_text():
        time.sleep(0.002)
    process.send_signal(number)
    code, _, errors = end(process)
    assert code == 130, errors
    assert "stopped" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("mode", "executor"),
    [
        ("fork-exit", INLINE), ("fork-exit", WORKERS), ("fork-raise", WORKERS), ("fork-return", INLINE),
        ("fork-yield", WORKERS),
    ],
)  # fmt: skip
@needs_proc
def test_a_forked_child_does_not_speak_for_its_trial(tmp_path: Path, mode: str, executor: Any) -> None:
    write(tmp_path, mode, executor=executor)
    code, _, errors = run(tmp_path)
    assert code == 0, errors
    assert ends(tmp_path) == [("COMPLETE", "")] * 2
    assert all(len(trial.curve) == 3 for trial in report(open_store(tmp_path / "hpo.db"), "study").trials)
    assert not left_over(tmp_path)


@needs_proc
def test_what_workers_started_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    write(tmp_path, "child", executor=WORKERS)
    process = start(tmp_path)
    wait_for(tmp_path / "started")
    process.kill()
    end(process)
    assert not left_over(tmp_path)


def test_an_objective_that_leaves_the_process_is_told_and_its_trial_taken_up(tmp_path: Path) -> None:
    write(tmp_path, "leave", executor=INLINE)
    code, _, errors = run(tmp_path)
    assert code == 1
    assert "the objective ended the process itself, by os._exit(0)" in errors
    (tmp_path / "model.py").write_text(OBJECTIVE.replace("os._exit(0)", "pass"))
    assert run(tmp_path)[0] == 0
    assert ends(tmp_path) == [("COMPLETE", "")] * 2


@pytest.mark.parametrize(
    ("mode", "reason", "executor"),
    [
        ("nasty", "Nasty: (its text cannot be had: ValueError)", INLINE),
        ("nasty", "Nasty: (its text cannot be had: ValueError)", WORKERS),
        ("huge", "ValueError: " + "x" * 300, INLINE),
        ("control", r"ValueError: \x1b[31m\x00\u202e\udc80", WORKERS),
    ],
)
def test_an_exception_of_any_kind_fails_its_trial_only(tmp_path: Path, mode: str, reason: str, executor: Any) -> None:
    write(tmp_path, search={"mode": {"choice": ["good", mode]}}, fixed={}, sampler="grid", executor=executor)
    code, _, errors = run(tmp_path)
    assert code == 0, errors
    assert sorted(ends(tmp_path)) == [("COMPLETE", ""), ("FAIL", reason), ("FAIL", reason)]


def test_fresh_runs_and_test_fit_into_the_minutes(tmp_path: Path) -> None:
    write(tmp_path, confirm={"top": 2, "seeds": 2}, budget={"minutes": 0.15})
    text = OBJECTIVE.replace("        yield", "        time.sleep(0.1)\n        yield")
    (tmp_path / "model.py").write_text(text)
    code, out, errors = run(tmp_path)
    assert code == 0, errors
    assert "time was up" not in out
    found = report(open_store(tmp_path / "hpo.db"), "study")
    assert found.winner is not None
    assert [len(candidate.runs) for candidate in found.winner.candidates] == [2, 2]
    assert set(found.spent) == {"search", "fresh runs", "test"}
    assert found.seconds == pytest.approx(sum(found.spent.values()), abs=0.01)
    assert "search " in out
    assert "fresh runs " in out
    shown, _ = Forked(["show", "study"], tmp_path).communicate()
    assert next(line for line in out.splitlines() if "trials (" in line) in shown


def test_where_time_ends_in_the_fresh_runs_the_seeds_that_all_have_decide(tmp_path: Path) -> None:
    write(tmp_path, confirm={"top": 2, "seeds": 3}, budget={"minutes": 0.1, "trials": 2})
    text = OBJECTIVE.replace("        yield", "        time.sleep(0.6)\n        x += seed / 2**40\n        yield")
    (tmp_path / "model.py").write_text(text)
    code, out, errors = run(tmp_path)
    assert code == 0, errors
    found = report(open_store(tmp_path / "hpo.db"), "study")
    assert found.winner is not None
    assert len({len(candidate.runs) for candidate in found.winner.candidates}) == 1
    assert "time was up after" in out
    code, out, _ = run(tmp_path, "--minutes", "5")
    assert code == 0
    assert "time was up" not in out
    found = report(open_store(tmp_path / "hpo.db"), "study")
    assert found.winner is not None
    assert [len(candidate.runs) for candidate in found.winner.candidates] == [3, 3]


def test_in_a_process_that_is_the_users_a_step_that_cannot_be_interrupted_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "script.py").write_text(
        "import threading, time, hpo\n"
        "from hpo.search.engine.context import Progress\n"
        "class Says(Progress):\n"
        "    def say(self, message):\n        print(message)\n"
        "def train(*, x: float = 0.0):\n"
        "    time.sleep(12)\n"
        "    yield {'loss': x}\n"
        "def work():\n"
        "    hpo.run(train, search={'x': {'float': [0, 1]}}, goal='minimize loss', minutes=0.05, progress=Says())\n"
        "    print('alive')\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "could not be interrupted" in done.stdout
    assert "alive" in done.stdout
