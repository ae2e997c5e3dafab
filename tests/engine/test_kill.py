"""SIGKILL at random moments: the command or one of its workers dies, the same command goes on, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial
from stores import fresh_database

from hpo.search.store import open_store

# Every step leaves a line, so that what was trained can be counted whoever died.
OBJECTIVE = """
import os, random, time

def train(*, x: float = 0.0, kind: str = "a", width: int = 1, epochs: int = 9, seed: int = 0):
    if kind == "bad":
        raise ValueError("this kind never works")
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        time.sleep(float(os.environ["PAUSE"]))
        fd = os.open("steps.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"{seed} {epoch}\\n".encode())
        os.close(fd)
        yield {"loss": (x - 0.3) ** 2 + 0.1 * (kind == "b") + 1 / epoch + rng.gauss(0, 0.05), "width": width}
"""

SEARCH = {"x": {"float": [0.0, 1.0]}, "kind": {"choice": ["a", "b"]}, "width": {"int": [1, 64], "log": True}}
GRID = {"x": {"float": [0.0, 0.9], "step": 0.1}, "kind": {"choice": ["a", "b", "bad"]}}
WAYS: dict[str, dict[str, Any]] = {
    "inline": {"search": SEARCH, "sampler": "tpe", "executor": "inline"},
    "processes": {"search": SEARCH, "sampler": "random", "pruner": "none", "executor": {"processes": {"workers": 2}}},
    "freeze-thaw": {
        "search": SEARCH,
        "sampler": "freeze-thaw",
        "executor": {"inline": {"paused": 3}},
        "budget": {"steps": 90},
    },
    "grid": {"search": GRID, "sampler": "grid", "pruner": "none", "executor": {"processes": {"workers": 2}}},
}
TIMES = ("seconds", "train_seconds", "attempts", "study_file", "task", "definition")


@dataclass
class Campaign:
    """One study in a folder of its own, run by the real command."""

    folder: Path
    way: str
    storage: str
    trials: int
    pause: float
    rng: random.Random = field(default_factory=random.Random)
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "model.py").write_text(OBJECTIVE)
        study = {
            "name": "killed", "objective": "./model.py", "goal": "minimize loss", "storage": self.storage, "seed": 3,
            "fixed": {"epochs": 9}, "confirm": {"top": 2, "seeds": 1}, **WAYS[self.way],
        }  # fmt: skip
        if self.way != "grid":
            study.setdefault("budget", {"trials": self.trials})
        (self.folder / "study.yaml").write_text(json.dumps(study))

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command."""
        command = [sys.executable, "-m", "hpo", "run", "--study", "study.yaml", "--quiet"]
        with (self.folder / "output.log").open("ab") as log:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAUSE": str(self.pause)}
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=environment)

    def finish(self) -> None:
        """Run to the end."""
        assert self.start().wait(timeout=300) == 0, (self.folder / "output.log").read_text()[-3000:]

    def kill_until_done(self, kills: int, spread: float) -> None:
        """Kill at random moments, so many times at most; after each, what was finished before still stands."""
        finished: dict[tuple[str, int], Any] = {}
        while kills > self.kills.total():
            process = self.start()
            died = self._kill(process, spread)
            found = self.finished()
            assert {number: found.get(number) for number in finished} == finished
            finished = found
            if not died:
                assert process.returncode == 0, (self.folder / "output.log").read_text()[-3000:]
                return
        self.finish()

    def _kill(self, process: subprocess.Popen[bytes], spread: float) -> bool:
        """Kill somebody at a random moment; False when the command came to its end before."""
        at_start = self.rng.random() < 0.2
        if not at_start:
            before = self._steps()
            while process.poll() is None and self._steps() == before:
                time.sleep(0.005)
        time.sleep(self.rng.uniform(0, 3.0 if at_start else spread))
        workers = _children(process.pid)
        if workers and self.rng.random() < 0.5:
            try:
                os.kill(self.rng.choice(workers), signal.SIGKILL)
                self.kills["a worker"] += 1
            except ProcessLookupError:
                pass
            time.sleep(self.rng.uniform(0, spread))
        if process.poll() is not None:
            return False
        process.kill()
        process.wait()
        self.kills["at the start" if at_start else "the command"] += 1
        return True

    def _steps(self) -> int:
        log = self.folder / "steps.log"
        return log.stat().st_size if log.exists() else 0

    def trials_of(self, name: str) -> list[FrozenTrial]:
        """What the store holds of a study."""
        snapshot = open_store(_place(self.folder, self.storage)).read(name)
        return snapshot.trials if snapshot else []

    def finished(self) -> dict[tuple[str, int], Any]:
        """Every finished trial, by study and number."""
        names = ("killed", "killed (confirm)")
        return {(n, t.number): facts(t) for n in names for t in self.trials_of(n) if t.state.is_finished()}

    def winner(self) -> Any:
        """The verdict."""
        snapshot = open_store(_place(self.folder, self.storage)).read("killed")
        assert snapshot is not None
        return snapshot.user_attrs["winner"]


def facts(trial: FrozenTrial) -> Any:
    """All that an interruption must not change."""
    attrs = {key: value for key, value in trial.user_attrs.items() if key not in TIMES}
    return trial.state.name, trial.params, trial.values, trial.intermediate_values, attrs


def check(killed: Campaign, whole: Campaign) -> None:
    """What a study must look like whose command was killed, beside one that was left alone."""
    for name in ("killed", "killed (confirm)"):
        assert all(trial.state.is_finished() for trial in killed.trials_of(name)), "a ghost still runs"
    ours, theirs = killed.finished(), whole.finished()
    if killed.way == "grid":  # which points are retried, and when, depends on who was first
        points = Counter(_point(trial) for trial in killed.trials_of("killed"))
        assert set(points) == {_point(trial) for trial in whole.trials_of("killed")}
        assert all(count == (2 if '"bad"' in point else 1) for point, count in points.items())
        assert len(points) == 30
    else:
        assert ours == theirs
        assert killed.winner() == whole.winner()
    keys = Counter((t.user_attrs["recipe"], t.user_attrs["seed"]) for t in killed.trials_of("killed (confirm)"))
    assert set(keys.values()) == {1}, "a fresh run was repeated"


def campaign(
    folder: Path, way: str, storage: Callable[[str], str], *, kills: int, trials: int, pause: float, seed: int
) -> Counter[str]:
    """Compare a study killed so often with one left alone; returns who was killed how often."""
    whole = Campaign(folder / "whole", way, storage("whole"), trials, 0.0)
    whole.finish()
    killed = Campaign(folder / "killed", way, storage("killed"), trials, pause, random.Random(seed))
    killed.kill_until_done(kills, spread=12 * pause)
    check(killed, whole)
    return killed.kills


def _place(folder: Path, storage: str) -> str:
    return storage if "://" in storage else str(folder / storage)


def _point(trial: FrozenTrial) -> str:
    return json.dumps(trial.params, sort_keys=True)


def _children(pid: int) -> list[int]:
    """Workers started by a process (Linux)."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in found if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []


@pytest.mark.parametrize(("way", "storage"), [("inline", "s.db"), ("processes", "s.journal"), ("freeze-thaw", "s.db")])
def test_a_study_killed_a_few_times_ends_as_one_left_alone(tmp_path: Path, way: str, storage: str) -> None:
    kills = campaign(tmp_path, way, lambda name: storage, kills=3, trials=20, pause=0.02, seed=random.randrange(99))
    assert kills.total()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("storage", ["s.db", "s.journal", pytest.param("", marks=pytest.mark.postgres, id="postgres")])
def test_a_study_killed_fifty_times_ends_as_one_left_alone(
    tmp_path: Path, way: str, storage: str, request: pytest.FixtureRequest
) -> None:
    def place(name: str) -> str:
        found: str = storage or fresh_database(request.getfixturevalue("cluster"))
        return found

    kills = campaign(tmp_path, way, place, kills=50, trials=100, pause=0.03, seed=random.randrange(10**6))
    print(f"{way} on {storage or 'postgres'}: killed {dict(kills)}")
