"""What the campaigns of SIGKILLs share: a study in a folder of its own, run by the real command, and killed.

Each trained step leaves a line in a log, and each kill too. So the log itself shows what a kill hit: it is in the
middle of a search where steps of the search stand before it, trained by the one that died, and others behind it.
"""

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

from forked import Forked
from optuna.trial import FrozenTrial

from hpo.search.engine.context import Progress
from hpo.search.store import open_store

LOGGED = """
import json, os, random, signal, time
from pathlib import Path

def log(line):
    fd = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{line}\\n".encode())
    os.close(fd)

def step(seed, epoch):
    time.sleep(float(os.environ["PAUSE"]))
    log(f"{seed} {epoch} {os.getpid()}")
"""

OBJECTIVE = (
    LOGGED
    + """
def train(*, x: float = 0.0, kind: str = "a", width: int = 1, epochs: int = 9, seed: int = 0):
    if kind == "bad":
        raise ValueError("this kind never works")
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        step(seed, epoch)
        yield {"loss": (x - 0.3) ** 2 + 0.1 * (kind == "b") + 1 / epoch + rng.gauss(0, 0.05), "width": width}
"""
)

# It dies by itself, as often as it may: when it has saved and not told yet, or told and not saved yet.
BETWEEN = (
    LOGGED
    + """
def perhaps():
    left = int(Path(os.environ["LOG"] + ".left").read_text())
    if left and random.random() < 0.2:
        Path(os.environ["LOG"] + ".left").write_text(str(left - 1))
        log("killed between")
        os.kill(os.getpid(), signal.SIGKILL)

def train(*, checkpoint: str, x: float = 0.0, kind: str = "a", width: int = 1, first: str = "save", epochs: int = 9,
          seed: int = 0):
    state = Path(checkpoint, "state.json")
    done, total = json.loads(state.read_text()) if state.exists() else (0, 0.0)
    for epoch in range(done + 1, epochs + 1):
        step(seed, epoch)
        total += (x - 0.3) ** 2 + random.Random(seed + epoch).gauss(0, 0.05)
        if first == "save":
            state.write_text(json.dumps([epoch, total]))
            perhaps()
        yield {"step": epoch, "loss": total / epoch + 1 / epoch, "width": width}
        if first == "yield":
            perhaps()
            state.write_text(json.dumps([epoch, total]))
"""
)

SEARCH = {"x": {"float": [0.0, 1.0]}, "kind": {"choice": ["a", "b"]}, "width": {"int": [1, 64], "log": True}}
TIMES = ("seconds", "train_seconds", "attempts", "study_file", "task", "definition")


Running = subprocess.Popen[bytes] | Forked


@dataclass
class Campaign:
    """One study, run by the real command; several may share a folder or a store under names of their own."""

    folder: Path
    settings: dict[str, Any]
    storage: str
    pause: float = 0.0
    objective: str = OBJECTIVE
    name: str = "killed"
    unlogged: bool = False
    forked: bool = True
    rng: random.Random = field(default_factory=random.Random)
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{self.name}.log"
        (self.folder / "model.py").write_text(self.objective)
        study = {
            "name": self.name, "objective": "./model.py", "goal": "minimize loss", "storage": self.storage, "seed": 3,
            "fixed": {"epochs": 9}, "confirm": {"top": 2, "seeds": 1}, "budget": {"trials": 20}, "search": SEARCH,
            **self.settings,
        }  # fmt: skip
        (self.folder / f"{self.name}.yaml").write_text(json.dumps({k: v for k, v in study.items() if v is not None}))

    # --- running ----------------------------------------------------------------------------------------------------

    def start(self, *words: str) -> Running:
        """Start a command: the search, where none is named."""
        words = words or ("run", "--study", f"{self.name}.yaml", "--quiet")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAUSE": str(self.pause), "LOG": str(self.log)}
        if self.forked:
            return Forked(words, self.folder, self._output, environment)
        command = [sys.executable, "-m", "hpo", *words]
        with self._output.open("ab") as output:
            return subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output, env=environment)

    def finish(self, *words: str) -> None:
        """Run to the end."""
        assert self.start(*words).wait(timeout=600) == 0, self.told()

    def told(self) -> str:
        """The end of what the commands said."""
        return self._output.read_text()[-3000:]

    @property
    def _output(self) -> Path:
        return self.folder / f"{self.name}.out"

    # --- killing ----------------------------------------------------------------------------------------------------

    def kill_until_done(self, kills: int, aim: str = "search", spread: float | None = None) -> None:
        """Kill at random moments, so many times at most; after each, what was finished before still stands.

        Args:
            kills: signals at most; then it runs to its end.
            aim: ``search`` (with its start, and its workers where it has any), ``workers`` alone, or ``confirm``.
            spread: seconds within which the signal comes after the step that it waits for.
        """
        finished: dict[tuple[str, int], Any] = {}
        wide = 12 * self.pause if spread is None else spread
        while kills > self.kills.total():
            process = self.start()
            died = self._kill_workers(process, kills, wide) if aim == "workers" else self._kill(process, aim, wide)
            found = self.finished()
            assert {number: found.get(number) for number in finished} == finished
            finished = found
            if not died:
                assert process.returncode == 0, self.told()
                return
        self.finish()

    def _kill(self, process: Running, aim: str, spread: float) -> bool:
        """Kill somebody at a random moment; False when the command came to its end before."""
        at_start = aim == "search" and self.rng.random() < 0.1
        if not at_start:
            before, begin = self.size(), len(self._steps())
            while process.poll() is None and (
                self.size() == before or (aim == "confirm" and not self._confirms(begin))
            ):
                time.sleep(0.005)
        time.sleep(self.rng.uniform(0, 3.0 if at_start else spread))
        workers = children(process.pid)
        if workers and self.rng.random() < 0.5:
            self._signal(self.rng.choice(workers), "a worker")
            time.sleep(self.rng.uniform(0, spread))
        if process.poll() is not None:
            return False
        self._signal(process.pid, "at the start" if at_start else "the command")
        process.wait()
        return True

    def _kill_workers(self, process: Running, kills: int, spread: float) -> bool:
        """Kill workers alone, each once its trial got further: what dies five times at one point has failed."""
        while process.poll() is None:
            begin = len(self._steps())
            while process.poll() is None and not (chosen := self._further(begin) & set(children(process.pid))):
                time.sleep(0.02)
            time.sleep(self.rng.uniform(0, spread))
            if chosen and self.kills.total() < kills:
                self._signal(self.rng.choice(sorted(chosen)), "a worker")
        return False

    def _signal(self, pid: int, whom: str) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[whom] += 1
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"killed {whom}\n".encode())
        os.close(fd)

    def _confirms(self, begin: int) -> bool:
        """Whether a fresh run has trained a step since then."""
        fresh = {str(trial.user_attrs.get("seed")) for trial in self.trials_of(f"{self.name} (confirm)")}
        return any(seed in fresh for seed, _, _ in self._steps()[begin:])

    def size(self) -> int:
        """Grows with every step, of a trial that is trained again too; in a journal with those recorded."""
        place = Path(self.place) if self.unlogged else self.log
        return place.stat().st_size if place.exists() else 0

    def _steps(self) -> list[list[str]]:
        """Seed, epoch and process of every step."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split() for line in lines if not line.startswith("killed")]

    def _further(self, begin: int) -> set[int]:
        """Processes that trained two steps since then that none did before: the first of them is recorded."""
        steps = self._steps()
        known = {(seed, epoch) for seed, epoch, _ in steps[:begin]}
        counts = Counter(int(pid) for seed, epoch, pid in steps[begin:] if (seed, epoch) not in known)
        return {pid for pid, count in counts.items() if count > 1}

    # --- what came of it --------------------------------------------------------------------------------------------

    def trials_of(self, name: str) -> list[FrozenTrial]:
        """What the store holds of a study."""
        snapshot = open_store(self.place).read(name)
        return snapshot.trials if snapshot else []

    @property
    def place(self) -> str:
        """The store."""
        return self.storage if "://" in self.storage else str(self.folder / self.storage)

    def finished(self) -> dict[tuple[str, int], Any]:
        """Every finished trial, by study and number."""
        names = {"search": self.name, "confirm": f"{self.name} (confirm)"}
        return {(n, t.number): facts(t) for n in names for t in self.trials_of(names[n]) if t.state.is_finished()}

    def winner(self) -> Any:
        """The verdict."""
        snapshot = open_store(self.place).read(self.name)
        assert snapshot is not None
        return snapshot.user_attrs["winner"]

    def hits(self) -> Counter[str]:
        """How many kills hit the middle of the search, and of the fresh runs, as the log of steps shows."""
        fresh = {str(trial.user_attrs["seed"]) for trial in self.trials_of(f"{self.name} (confirm)")}
        searched = {str(trial.user_attrs["seed"]) for trial in self.trials_of(self.name)}
        lines = [line.split() for line in self.log.read_text().splitlines()]
        marks = [i for i, words in enumerate(lines) if words[0] == "killed"]
        found: Counter[str] = Counter()
        for mark, before in zip(marks, [-1, *marks], strict=False):
            own = {words[0] for words in lines[before + 1 : mark]}
            later = {words[0] for words in lines[mark + 1 :] if words[0] != "killed"}
            for what, seeds in (("search", searched), ("fresh runs", fresh)):
                if own & seeds and later & seeds:
                    found[what] += 1
                    break
        return found


def facts(trial: FrozenTrial) -> Any:
    """All that an interruption must not change."""
    attrs = {key: value for key, value in trial.user_attrs.items() if key not in TIMES}
    return trial.state.name, trial.params, trial.values, trial.intermediate_values, attrs


def check(killed: Campaign, whole: Campaign) -> None:
    """What a study must look like whose command was killed, beside one that was left alone."""
    for name in (killed.name, f"{killed.name} (confirm)"):
        assert all(trial.state.is_finished() for trial in killed.trials_of(name)), "a ghost still runs"
    assert killed.finished() == whole.finished()
    assert killed.winner() == whole.winner()
    check_fresh_runs(killed)


def check_fresh_runs(killed: Campaign) -> None:
    """No fresh run is repeated."""
    fresh = killed.trials_of(f"{killed.name} (confirm)")
    assert set(Counter((t.user_attrs["recipe"], t.user_attrs["seed"]) for t in fresh).values()) <= {1}


def left_alone(killed: Campaign, place: Callable[[str], str] | None = None) -> Campaign:
    """The same study, run without an interruption."""
    storage = place("whole") if place else killed.storage
    folder = killed.folder.with_name(f"{killed.folder.name}-{killed.name}-whole")
    whole = Campaign(
        folder, killed.settings, storage, objective=killed.objective, name=killed.name, forked=killed.forked
    )
    Path(f"{whole.log}.left").write_text("0")
    whole.finish()
    return whole


def children(pid: int) -> list[int]:
    """Workers started by a process (Linux)."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in found if b".served import main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []


class Killed(BaseException):
    """A death in the middle of confirming."""


class Assassin(Progress):
    """Kills after so many points of fresh runs."""

    def __init__(self, after: int) -> None:
        self.left, self.confirming = after, False

    def opened(self, loop: Any, phase: str) -> None:
        self.confirming = phase == "confirm"

    def moved(self, entry: Any) -> None:
        self.left -= self.confirming
        if self.left < 0:
            raise Killed
