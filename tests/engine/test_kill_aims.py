"""SIGKILL where it was aimed: fresh runs, workers alone, between a checkpoint and its point, at neighbours, at results.

Each aim is tried a few times here, and as a campaign with ``-m slow``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from killing import BETWEEN, LOGGED, Campaign, check, left_alone

PROCESSES: dict[str, Any] = {
    "sampler": "random", "pruner": "none", "executor": {"processes": {"workers": 2}},
}  # fmt: skip
ON_DISK: dict[str, Any] = {
    "sampler": "freeze-thaw", "executor": {"inline": {"paused": 0}}, "budget": {"steps": 60},
}  # fmt: skip


def few(names: str, first: Any, *others: Any, kills: tuple[int, int]) -> Any:
    """The first way with few kills, in seconds; all of them with many, as a campaign."""

    def case(way: Any, count: int, *marks: Any) -> Any:
        return pytest.param(*(way if isinstance(way, tuple) else (way,)), count, marks=marks)

    slow = [case(way, kills[1], pytest.mark.slow) for way in (first, *others)]
    return pytest.mark.parametrize(f"{names},kills".lstrip(","), [case(first, kills[0]), *slow])


def report(what: str, killed: Campaign) -> None:
    print(f"{what}: killed {dict(killed.kills)}, in the middle of {dict(killed.hits())}")


@few("storage", "s.db", "s.journal", kills=(2, 40))
def test_fresh_runs_that_are_killed_are_those_of_a_study_left_alone(tmp_path: Path, storage: str, kills: int) -> None:
    confirm = {"top": 4, "seeds": 2 if kills < 10 else 9}
    settings = {**PROCESSES, "executor": "inline", "budget": {"trials": 5}, "confirm": confirm}
    killed = Campaign(tmp_path / "killed", settings, storage, pause=0.05 if kills < 10 else 0.03)
    killed.kill_until_done(kills, "confirm", spread=0.3)
    check(killed, left_alone(killed))
    report(f"fresh runs, {storage}", killed)
    assert killed.hits()["fresh runs"] >= kills / 2


@few("storage", "s.journal", "s.db", kills=(2, 100))
def test_a_study_whose_workers_alone_are_killed_is_one_left_alone(tmp_path: Path, storage: str, kills: int) -> None:
    settings = {**PROCESSES, "budget": {"trials": 8 if kills < 10 else 400}}
    killed = Campaign(tmp_path / "killed", settings, storage, pause=0.06 if kills < 10 else 0.02)
    killed.kill_until_done(kills, "workers", spread=0.2)
    check(killed, left_alone(killed))
    report(f"workers alone, {storage}", killed)
    assert set(killed.kills) == {"a worker"}
    assert killed.hits()["search"] >= kills / 2


@few("way,storage", ("straight", "s.db"), ("freeze-thaw", "s.journal"), kills=(4, 50))
@pytest.mark.parametrize("first", ["save", "yield"])
def test_a_kill_between_a_checkpoint_and_its_point_changes_nothing(
    tmp_path: Path, way: str, storage: str, first: str, kills: int
) -> None:
    settings = {"fixed": {"epochs": 9, "first": first}, **(ON_DISK if way == "freeze-thaw" else {"sampler": "random"})}
    if kills > 10:
        settings["budget"] = {"steps": 600}
    killed = Campaign(tmp_path / "killed", settings, storage, objective=BETWEEN)
    left = Path(f"{killed.log}.left")
    left.write_text(str(kills))
    while killed.start().wait(timeout=300) != 0:
        assert "killed" in killed.log.read_text().splitlines()[-1], killed.told()
    check(killed, left_alone(killed))
    report(f"between checkpoint and point, {way}, {first} first", killed)
    assert killed.log.read_text().count("killed between") == kills - int(left.read_text()) >= kills / 2
    assert not [path for path in killed.folder.rglob("live") if path.is_dir()], "a checkpoint is left"


@few("storage", "s.journal", "s.db", kills=(2, 50))
def test_freeze_thaw_killed_with_everything_on_disk_is_one_left_alone(tmp_path: Path, storage: str, kills: int) -> None:
    settings = {**ON_DISK, "budget": {"steps": 60 if kills < 10 else 600}}
    killed = Campaign(tmp_path / "killed", settings, storage, 0.03, BETWEEN)
    Path(f"{killed.log}.left").write_text("0")
    killed.kill_until_done(kills)
    check(killed, left_alone(killed))
    report(f"freeze-thaw on disk, {storage}", killed)


@pytest.mark.slow
def test_a_cohort_of_freeze_thaw_killed_with_everything_on_disk_is_one_left_alone(tmp_path: Path) -> None:
    settings = {
        "objective": "./model.py", "goal": "minimize val_loss", "sampler": "freeze-thaw", "budget": {"steps": 90},
        "search": {"learning_rate": {"float": [1e-3, 1e-1], "log": True}}, "fixed": {"epochs": 9},
        "executor": {"cohort": {"lanes": 3, "paused_memory": 0}},
    }  # fmt: skip
    killed = Campaign(tmp_path / "killed", settings, "s.journal", objective=COHORT, unlogged=True)
    killed.kill_until_done(12, spread=0.5)
    check(killed, left_alone(killed))
    print(f"cohort of freeze-thaw on disk: killed {dict(killed.kills)}")
    assert killed.kills.total() >= 6


COHORT = """
import torch
from hpo.objectives.networks.layers import Linear, Sequential

def build():
    return Sequential((Linear(4), Linear()))

def data():
    x = torch.linspace(-1, 1, 4096).reshape(2048, 2)
    return {"train": (x, x[:, :1]), "validation": (x, x[:, :1])}
"""


NEIGHBOURS = {
    "two stores": (("one", "a", "s.db"), ("two", "a", "s.journal")),
    "two studies, SQLite": (("one", "a", "s.db"), ("two", "a", "s.db")),
    "two studies, journal": (("one", "a", "s.journal"), ("two", "a", "s.journal")),
    "two folders": (("one", "a", "s.db"), ("one", "b", "s.db")),
}


@few("way", *reversed(NEIGHBOURS), kills=(2, 30))
def test_two_studies_killed_side_by_side_are_those_left_alone(tmp_path: Path, way: str, kills: int) -> None:
    settings = {"budget": {"trials": 20 if kills < 10 else 300}}
    both = [Campaign(tmp_path / folder, settings, place, 0.03, name=name) for name, folder, place in NEIGHBOURS[way]]
    failed: list[BaseException] = []

    def run(killed: Campaign) -> None:
        try:
            killed.kill_until_done(kills)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(killed,)) for killed in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    for killed in both:
        check(killed, left_alone(killed))
        report(f"{way}, {killed.name}", killed)
        assert killed.kills.total()


# --- results --------------------------------------------------------------------------------------------------------

SAVES = """
class Model:
    def save(self, folder):
        (folder / "weights.txt").write_text("half")
        perhaps()
        (folder / "weights.txt").write_text("whole")
        return [folder / "weights.txt"]

def perhaps():
    left = Path(os.environ["LOG"] + ".left")
    if left.exists() and int(left.read_text()):
        left.write_text(str(int(left.read_text()) - 1))
        log("killed saving")
        os.kill(os.getpid(), signal.SIGKILL)

def train(*, x: float = 0.0, kind: str = "a", width: int = 1, epochs: int = 9, seed: int = 0):
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        step(seed, epoch)
        yield {"loss": (x - 0.3) ** 2 + 1 / epoch + rng.gauss(0, 0.05)}
    return Model()
"""


def results(folder: Path) -> set[str]:
    """What somebody who looks into the folder finds, but for SQLite's own files, which it clears up by itself."""
    return {path.name for path in folder.iterdir() if not path.name.startswith((".", "s.db-"))}


@few("aim", "any moment", kills=(3, 50))
def test_a_killed_export_leaves_a_whole_file_or_none_and_the_same_command_writes_it(
    tmp_path: Path, aim: str, kills: int
) -> None:
    killed = Campaign(tmp_path / "killed", {"budget": {"trials": 6}}, "s.db")
    killed.finish()
    before, best = killed.finished(), killed.folder / "best.yaml"
    words = ("export", "killed", "--storage", "s.db", "--output", "best.yaml")
    began = time.monotonic()
    killed.finish(*words)
    long = time.monotonic() - began
    whole = best.read_text()
    best.unlink()
    there = results(killed.folder)
    hit = 0
    for _ in range(kills):
        process = killed.start(*words)
        try:
            assert process.wait(random.uniform(0, 1.2 * long)) == 0, killed.told()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            hit += 1
        assert results(killed.folder) - there <= {"best.yaml"}
        if best.exists():
            assert best.read_text() == whole
            best.unlink()
    killed.finish(*words)
    assert best.read_text() == whole
    assert killed.finished() == before
    print(f"export, {aim}: killed {hit} times")


@few("aim", "the saving", "a step", kills=(3, 50))
def test_a_killed_train_leaves_a_whole_model_or_none_and_the_same_command_makes_it(
    tmp_path: Path, aim: str, kills: int
) -> None:
    killed = Campaign(tmp_path / "killed", {"budget": {"trials": 6}}, "s.db", 0.0, LOGGED + SAVES)
    killed.finish()
    killed.finish("export", "killed", "--storage", "s.db", "--output", "best.yaml")
    there, before, killed.pause = results(killed.folder), killed.finished(), 0.03
    if aim == "the saving":
        Path(f"{killed.log}.left").write_text(str(kills))
        there |= {f"{killed.log.name}.left"}
    for _ in range(kills):
        process, size = killed.start("train", "best.yaml"), killed.size()
        if aim == "a step":
            while process.poll() is None and killed.size() == size:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.25))
            process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL, killed.told()
        assert results(killed.folder) == there, "half a model"
    killed.finish("train", "best.yaml")
    assert "the curve equals the recorded one exactly" in killed.told()
    model = killed.folder / "killed-model"
    assert (model / "weights.txt").read_text() == "whole"
    assert json.loads((model / "metrics.json").read_text())["curve"]
    assert not [path for path in os.listdir(model) if path.startswith(".")]
    assert killed.finished() == before
    print(f"train, {aim}: killed {kills} times")
