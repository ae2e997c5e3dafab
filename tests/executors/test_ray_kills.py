"""Kill an actor, a raylet, a node, the command or the head of a cluster, at random, in the middle of a study.

``KILLS=20 pytest -m slow -n 0 -s tests/executors/test_ray_kills.py`` prints a row of docs/clusters.md for each.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rays import QUIET, Cluster

from hpo.search.report.study import report
from hpo.search.store import open_store

KILLS = int(os.environ.get("KILLS", "3"))
EPOCHS, PAUSE, WORKERS = 12, 0.5, 4

OBJECTIVE = """
import json, os, pathlib, time

def train(*, checkpoint: str, x: float = 0.0, log: str = "", epochs: int = 12, pause: float = 0.5, seed: int = 0):
    state = pathlib.Path(checkpoint, "state.json")
    done, total = json.loads(state.read_text()) if state.exists() else (0, 0.0)
    for epoch in range(done + 1, epochs + 1):
        time.sleep(pause)
        total += (x - 0.3) ** 2
        state.write_text(json.dumps([epoch, total]))
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"{seed} {epoch} {os.getpid()} {time.time()}\\n".encode())
        os.close(fd)
        yield {"step": epoch, "loss": total / epoch}
"""


@dataclass
class Campaign:
    """A study on a cluster of a head without room for workers and of two nodes."""

    folder: Path
    rng: random.Random = field(default_factory=random.Random)
    retaken: list[float] = field(default_factory=list)
    orphaned: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = self.folder / "steps.log"
        (self.folder / "model.py").write_text(OBJECTIVE)
        trials = WORKERS * (2 + 3 * KILLS)
        study = {
            "objective": "./model.py", "goal": "minimize loss", "search": {"x": {"float": [0.0, 1.0]}},
            "pruner": "none", "fixed": {"epochs": EPOCHS, "pause": PAUSE, "log": str(self.log)},
            "budget": {"trials": trials},
            "sampler": "random", "confirm": "none", "executor": "ray", "workers": WORKERS, "storage": "s.db",
        }  # fmt: skip
        (self.folder / "s.yaml").write_text(json.dumps(study))
        self.trials = trials
        self.bring_up()
        self.command = self.start()

    def bring_up(self) -> None:
        """A new cluster."""
        self.cluster = Cluster()
        self.cluster.start("head", cpus=0)
        for name in ("one", "two"):
            self.cluster.start(name, cpus=2)

    def start(self) -> subprocess.Popen[bytes]:
        """The search."""
        environment = {**os.environ, **QUIET, "RAY_ADDRESS": self.cluster.address}
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "hpo", "run", "s.yaml", "--quiet"],
                cwd=self.folder, env=environment, stdout=out, stderr=out,
            )  # fmt: skip

    def steps(self) -> list[tuple[str, int, int, float]]:
        """Seed, step, process and time of every step that was trained."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(seed, int(step), int(pid), float(when)) for seed, step, pid, when in map(str.split, lines)]

    def training(self) -> dict[int, str]:
        """Seed that each process trains, as far as it has a step and not the last."""
        latest = {pid: (seed, step) for seed, step, pid, when in self.steps() if time.time() - when < 4 * PAUSE}
        return {pid: seed for pid, (seed, step) in latest.items() if step < EPOCHS and Path(f"/proc/{pid}").exists()}

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for it, for two minutes at most."""
        end = time.monotonic() + 120
        while not true():
            assert time.monotonic() < end, (self.folder / "out").read_text()[-3000:]
            time.sleep(0.05)

    def hit(self, pids: list[int], victims: dict[int, str]) -> None:
        """Kill, and wait until what they trained is trained on by others, and they are gone."""
        began = time.time()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.gone(list(victims), began)
        for seed in set(victims.values()):
            self.until(lambda seed=seed: self._ended(seed, victims) or self._again(seed, victims, began))  # type: ignore[misc]
            self.retaken += self._again(seed, victims, began)[:1]

    def _ended(self, seed: str, victims: dict[int, str]) -> bool:
        """Whether it trained its last step before it died."""
        return any((own, step) == (seed, EPOCHS) and pid in victims for own, step, pid, _ in self.steps())

    def _again(self, seed: str, victims: dict[int, str], began: float) -> list[float]:
        """Seconds after the kill at which others had trained a step of it."""
        steps = [(pid, when) for own, _, pid, when in self.steps() if own == seed]
        return [when - began for pid, when in steps if when > began and pid not in victims]

    def gone(self, pids: list[int], began: float) -> None:
        """Wait until no worker is left of these."""
        self.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        self.orphaned.append(time.time() - began)

    def busy(self) -> dict[int, str]:
        """Wait until all train, and for a random moment; who trains what."""
        self.until(lambda: self.command.poll() is not None or len(self.training()) >= WORKERS - 1)
        time.sleep(self.rng.uniform(0, 4 * PAUSE))
        return self.training()

    def finish(self, what: str) -> None:
        """Run to the end; what must hold then."""
        if self.command.wait(timeout=600) != 0:
            self.command = self.start()
            assert self.command.wait(timeout=600) == 0, (self.folder / "out").read_text()[-3000:]
        found = report(open_store(str(self.folder / "s.db")), "s")
        assert found.counts["complete"] == len(found.trials) == self.trials
        for trial in found.trials:
            assert [step for step, _ in trial.curve] == list(range(1, EPOCHS + 1))
        twice = Counter((seed, step) for seed, step, _, _ in self.steps())
        each = Counter(seed for (seed, _), times in twice.items() for _ in range(times - 1))
        slowest = f"{max(self.retaken, default=0.0):.1f} s" if self.retaken else "-"
        print(
            f"\n| {what} | {KILLS} | {self.trials} of {self.trials}, no hole | {sum(each.values()) / KILLS:.1f} | "
            f"{sorted(self.retaken)[len(self.retaken) // 2] if self.retaken else 0:.1f} s, {slowest} | "
            f"{max(self.orphaned):.1f} s |"
        )
        assert sum(each.values()) <= 2 * KILLS * WORKERS


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    pytest.importorskip("ray", reason="Ray is not installed (extra: ray)")
    made = Campaign(tmp_path)
    yield made
    made.command.kill()
    made.command.wait()
    made.cluster.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["actor", "raylet", "node"])
def test_a_study_whose_workers_are_killed_has_all_trials_without_a_hole(campaign: Campaign, what: str) -> None:
    for kill in range(KILLS):
        training = campaign.busy()
        name = campaign.rng.choice(["one", "two"])
        there = {pid: seed for pid, seed in training.items() if pid in campaign.cluster.members(name)}
        if what == "actor":
            pid = campaign.rng.choice(list(training))
            campaign.hit([pid], {pid: training[pid]})
        elif what == "raylet":
            campaign.hit(campaign.cluster.pids(name, "raylet/raylet"), there)
        else:
            campaign.hit(campaign.cluster.members(name), there)
        if what != "actor":
            campaign.cluster.kill(name)
            if kill < KILLS - 1:
                campaign.cluster.start(name, cpus=2)
    campaign.finish(what)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["command", "head"])
def test_a_study_whose_command_or_cluster_is_killed_goes_on_by_the_same_command(campaign: Campaign, what: str) -> None:
    for _ in range(KILLS):
        training, began = campaign.busy(), time.time()
        if what == "command":
            campaign.command.kill()
            campaign.command.wait()
            campaign.gone(list(training), began)
        else:
            campaign.cluster.kill("head")
            assert campaign.command.wait(timeout=90) != 0
            campaign.cluster.close()
            campaign.gone(list(training), began)
            campaign.bring_up()
        campaign.command = campaign.start()
        began = time.time()
        campaign.until(lambda began=began: any(when > began for *_, when in campaign.steps()))  # type: ignore[misc]
    campaign.finish(what)
