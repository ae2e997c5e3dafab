"""Lanes of unlike speed side by side: counted by steps, with one that stands still until it is let go."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hpo.search.executors import cohort, inline, processes
from hpo.search.executors.common.rounds import note_of
from hpo.search.terms.job import Finished, Job, Lost, Point, Task

ITSELF = """
import pathlib, time

def train(*, stands: bool = False, epochs: int = 12, seed: int = 0):
    for epoch in range(epochs):
        while stands and not pathlib.Path("go").exists():
            time.sleep(0.01)
        yield {"loss": seed + 1 / (epoch + 1)}
"""
BY_SUITE = """
import pathlib, time, torch

def build(*, stands: bool = False):
    while stands and not pathlib.Path("go").exists():
        time.sleep(0.01)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))

def data(*, split_seed: int = 0):
    x = torch.randn(48, 3, generator=torch.Generator().manual_seed(split_seed))
    y = (x[:, 0] > 0).long()
    return {"train": (x[:32], y[:32]), "validation": (x[32:], y[32:])}
"""


def job(number: int, done: int = 0, **recipe: Any) -> Job:
    return Job(number, {"epochs": 12, "seed": number, **recipe}, done)


Points = list[tuple[int, dict[str, float]]]


def told(executor: Any, numbers: set[int], jobs: list[Job], *, kill: int | None = None) -> dict[int, Points]:
    """Points until these trials have ended; a lost one is admitted again.

    The worker that trains ``kill`` is killed once, after a point of that trial.
    """
    found: dict[int, Points] = {own.number: [] for own in jobs}
    recipes, left = {own.number: own.recipe for own in jobs}, set(numbers)
    while left:
        if kill is not None and found[kill]:
            (place,) = [place for place in executor._places if kill in place.numbers]
            os.kill(place.worker._process.pid, signal.SIGKILL)
            kill = None
        for event in executor.advance():
            if isinstance(event, Point):
                found[event.number].append((event.step, dict(event.metrics)))
            elif isinstance(event, Lost):
                last = max((step for step, _ in found[event.number]), default=0)
                executor.admit(Job(event.number, recipes[event.number], last))
            else:
                assert isinstance(event, Finished)
                left.discard(event.number)
    return found


def alone(task: Task, own: Job) -> Points:
    executor = inline.make(task)
    executor.admit(own)
    return told(executor, {own.number}, [own])[own.number]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_lane_that_stands_still_holds_no_other_process_up(folder: Path) -> None:
    (folder / "model.py").write_text(ITSELF)
    task = Task(str(folder / "model.py"), folder=str(folder))
    with closing(processes.make(task, workers=2)) as executor:
        jobs = [job(0, stands=True), job(1), job(2)]
        for own in jobs[:2]:
            executor.admit(own)
        found = told(executor, {1}, jobs)
        executor.admit(jobs[2])
        found[2] = told(executor, {2}, jobs)[2]
        assert [len(points) for points in found.values()] == [0, 12, 12]
        (folder / "go").touch()
        assert len(told(executor, {0}, jobs)[0]) == 12


@pytest.fixture
def free(folder: Path) -> Iterator[Any]:
    """Two cohorts of two lanes, each at its own pace."""
    (folder / "model.py").write_text(BY_SUITE)
    made: Any = cohort.make(Task(str(folder / "model.py"), folder=str(folder)), lanes=2, workers=2, rounds="free")
    yield made
    made.close()


def test_free_cohorts_wait_for_none_and_tell_nothing_that_is_of_no_use_any_more(free: Any, folder: Path) -> None:
    task = Task(str(folder / "model.py"), folder=str(folder))
    jobs = [job(0, stands=True), job(1), job(2), job(3)]
    for own in jobs[:2]:  # each to a worker of its own
        free.admit(own)
    found = told(free, {1}, jobs)
    assert (len(found[0]), len(found[1])) == (0, 12), "one is at its end before the other has made a step"
    free.evict(0, keep=True)  # while it is moving: it cannot be held at what is told of it
    again = job(0, epochs=4)
    for own in (again, jobs[2]):
        free.admit(own)
    (folder / "go").touch()
    found = told(free, {0, 2}, [again, *jobs[1:]])
    assert found[0] == alone(task, again)
    assert found[2] == alone(task, jobs[2])
    pair = [jobs[1], jobs[3]]
    for own in pair:
        free.admit(own)
    assert told(free, {1, 3}, pair, kill=3) == {own.number: alone(task, own) for own in pair}


def test_who_says_nothing_is_told_when_workers_do_not_wait_for_each_other() -> None:
    assert "rounds: together" in note_of("auto", 9)[0]
    assert not note_of("auto", 8) + note_of("free", 9) + note_of("together", 9)
