"""The contract of executors: every file of the folder keeps it with every kind of objective that it can train."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from executing import marks, ways

from hpo.search.contracts.executor import Executor
from hpo.search.describe.objective import describe
from hpo.search.engine.plugins import build_executor
from hpo.search.executors import inline
from hpo.search.studyfile.plugins import options_of, requires
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Failed, Finished, Job, Point, Task
from hpo.search.terms.study import Plugin

OBJECTIVE = """
import pathlib, random, sys

def train(*, epochs: int = 4, mode: str = "", seed: int = 0):
    print("chatter")
    rng = random.Random(seed)
    try:
        for epoch in range(1, epochs + 1):
            value = rng.random()
            if epoch == 2 and mode == "raise":
                raise RuntimeError("in the second epoch")
            if epoch == 2 and mode == "exit":
                sys.exit(1)
            yield {"loss": float("nan") if mode == "nan" else value}
    finally:
        if mode == "tidy":
            pathlib.Path("tidied").write_text(str(seed))
"""
KNOBS: dict[str, dict[str, Any]] = {
    "model.py": {"epochs": 4},
    "mlp": {"epochs": 4, "width": 8, "dropout": 0.2},
    "sklearn": {"epochs": 4, "estimator": "SGDClassifier"},
}
"""An objective of each kind, by its own code and by the suite's, and a small recipe."""

BROKEN: dict[str, dict[str, Any]] = {
    "model.py": {"mode": "raise"},
    "mlp": {"learning_rate": -1.0},
    "sklearn": {"epochs": 0},
}
"""Recipes of which no trial comes to its end."""


@dataclass(frozen=True)
class Way:
    """An executor with options, and what it trains."""

    plugin: Plugin
    objective: str

    def __str__(self) -> str:
        return f"{self.plugin} {self.objective}"

    def task(self, folder: Path) -> Task:
        (folder / "model.py").write_text(OBJECTIVE)
        own = self.objective == "model.py"
        reference = str(folder / self.objective) if own else self.objective
        return Task(reference, data=None if own else "iris", folder=str(folder))

    def make(self, folder: Path) -> Executor:
        return build_executor(self.plugin, self.task(folder), 1)

    def job(self, number: int, done: int = 0, **recipe: Any) -> Job:
        return Job(number, {**KNOBS[self.objective], "seed": number, **recipe}, done)


def trains(name: str, objective: str) -> bool:
    by_suite = objective != "model.py" and describe(objective, Path()).trained_by_suite
    return by_suite or "trained by suite" not in requires("executor", name)


NAMES = registry.names("executor")
WAYS = [
    Way(plugin, objective) for name in NAMES for plugin in ways(name) for objective in KNOBS if trains(name, objective)
]
OWN = [way for way in WAYS if way.objective == "model.py"]
LIGHT = {name: next(way for way in WAYS if way.plugin.name == name) for name in NAMES}
"""Each executor with the lightest objective that it trains."""
EACH = pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in NAMES])


def slow(way: Way) -> list[Any]:
    """Workers take seconds to import what a large objective needs."""
    return [pytest.mark.slow] if "workers" in way.plugin.options and way not in OWN else []


SLOW = [pytest.param(way, marks=[*slow(way), *marks(way.plugin.name)], id=str(way)) for way in WAYS]
EITHER = pytest.mark.parametrize("opened", SLOW, indirect=True)
BY_ITSELF = pytest.mark.parametrize(
    "opened", [pytest.param(way, marks=marks(way.plugin.name), id=str(way)) for way in OWN], indirect=True
)
Opened = tuple[Way, Executor, Path]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Executor, Path]]]:
    """Executors, each made once for all tests: some take seconds to start."""
    made: dict[str, tuple[Executor, Path]] = {}
    yield made
    for executor, _ in made.values():
        executor.close()


@pytest.fixture
def opened(
    request: pytest.FixtureRequest,
    places: dict[str, tuple[Executor, Path]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Opened]:
    way: Way = request.param
    if str(way) not in places:
        folder = tmp_path_factory.mktemp("executor")
        monkeypatch.chdir(folder)
        places[str(way)] = way.make(folder), folder
    executor, folder = places[str(way)]
    monkeypatch.chdir(folder)
    yield way, executor, folder
    for number in range(40):
        executor.evict(number)


def curves(executor: Executor, jobs: list[Job]) -> dict[int, list[Any]]:
    """Train the jobs side by side to their ends: the metrics of each one's points, and why it failed if it did."""
    found: dict[int, list[Any]] = {job.number: [] for job in jobs}
    steps = {job.number: job.done for job in jobs}
    for job in jobs:
        executor.admit(job)
    left = set(found)
    while left:
        lanes = executor.lanes
        events = executor.advance()
        assert events or executor.lanes > lanes, "advance returns an empty list only where lanes have come"
        for event in events:
            assert event.number in left, "news of a trial that is not admitted"
            if isinstance(event, Point):
                steps[event.number] += 1
                assert event.step == steps[event.number]
                found[event.number].append(dict(event.metrics))
            else:
                left.discard(event.number)
                found[event.number] += [] if isinstance(event, Finished) else [event]
    return found


def curve(executor: Executor, job: Job) -> list[Any]:
    return curves(executor, [job])[job.number]


def alone(way: Way, folder: Path, job: Job) -> list[Any]:
    """The curve as it is where nothing but the trial is trained."""
    return curve(inline.make(way.task(folder)), job)


def next_of(executor: Executor, number: int) -> Event:
    """The trial's next event; those of others go their way."""
    while True:
        for event in executor.advance():
            if event.number == number:
                return event


def one_process(folder: str, name: str) -> list[Any]:
    """Two trials' curves by an executor."""
    way = LIGHT[name]
    with contextlib.closing(way.make(Path(folder))) as executor:
        return [curve(executor, way.job(number)) for number in (1, 2)]


@EACH
@pytest.mark.parametrize("count", [1, 2, 3])
def test_lanes_are_what_was_asked(name: str, count: int, tmp_path: Path) -> None:
    knobs = options_of("executor", name).knobs
    trained = "mlp" if "lanes" in knobs else "model.py"
    way = next(way for way in WAYS if (way.plugin.name, way.objective) == (name, trained))

    def lanes(asked: int, **options: Any) -> int:
        executor = build_executor(Plugin(name, options), way.task(tmp_path), asked)
        with contextlib.closing(executor):
            return executor.lanes

    each = lanes(1)
    assert lanes(count) == (each * count if "workers" in knobs else each)
    if "workers" in knobs:
        assert lanes(7, workers=count) == each * count
    if "lanes" in knobs:
        assert lanes(1, lanes=count) == count


@EITHER
def test_all_lanes_are_trained_at_once_and_each_as_if_alone(opened: Opened) -> None:
    way, executor, folder = opened
    jobs = [way.job(number) for number in range(executor.lanes)]
    expected = {job.number: alone(way, folder, job) for job in jobs}
    assert all(len(points) == 4 for points in expected.values())
    assert curves(executor, jobs) == expected
    assert curves(executor, jobs) == expected, "the same seeds again"
    for number in range(executor.lanes):
        executor.admit(way.job(number, epochs=5000))
    seen = set[int]()
    while len(seen) < executor.lanes:  # no lane waits for another to end
        for event in executor.advance():
            assert isinstance(event, Point)
            seen.add(event.number)


@EACH
def test_another_process_trains_the_same_curves(elsewhere: Callable[[str], Any], tmp_path: Path, name: str) -> None:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    there = elsewhere(f"one_process({str(tmp_path / 'there')!r}, {name!r})")
    assert there == one_process(str(tmp_path / "here"), name)


@EITHER
def test_another_seed_gives_another_curve_and_another_length_another_number_of_points(opened: Opened) -> None:
    way, executor, _ = opened
    assert curve(executor, way.job(3)) != curve(executor, way.job(4))
    assert len(curve(executor, way.job(5, epochs=7))) == 7


@EITHER
def test_a_trial_catches_up_to_what_is_recorded(opened: Opened) -> None:
    way, executor, _ = opened
    whole = curve(executor, way.job(1))
    assert curve(executor, way.job(1, done=2)) == whole[2:]
    assert curve(executor, way.job(1, done=4)) == []


@EITHER
def test_a_kept_trial_goes_on_where_it_stopped(opened: Opened) -> None:
    way, executor, _ = opened
    whole = curve(executor, way.job(1))
    executor.admit(way.job(1))
    seen = [next_of(executor, 1) for _ in range(2)]
    executor.evict(1, keep=True)
    assert len(curve(executor, way.job(2))) == 4
    rest = curve(executor, way.job(1, done=2))
    assert [dict(event.metrics) for event in seen if isinstance(event, Point)] + rest == whole


@EITHER
def test_an_evicted_trial_frees_its_lane_and_starts_afresh(opened: Opened) -> None:
    way, executor, _ = opened
    executor.admit(way.job(1))
    first = next_of(executor, 1)
    executor.evict(1)
    executor.evict(1)
    assert isinstance(first, Point)
    assert curve(executor, way.job(1))[0] == first.metrics


@EITHER
def test_a_trial_that_fails_ends_alone(opened: Opened) -> None:
    way, executor, folder = opened
    jobs = [way.job(number) for number in range(executor.lanes)]
    jobs[-1] = way.job(30, **BROKEN[way.objective])
    found = curves(executor, jobs)
    assert isinstance(found.pop(30)[-1], Failed)
    assert found == {job.number: alone(way, folder, job) for job in jobs[:-1]}
    assert len(curve(executor, way.job(2))) == 4


@BY_ITSELF
def test_a_dropped_trial_cleans_up_after_itself(opened: Opened) -> None:
    way, executor, folder = opened
    executor.admit(way.job(8, mode="tidy"))
    next_of(executor, 8)
    executor.evict(8)
    curve(executor, way.job(9))  # whoever trains has done what it was told before
    assert (folder / "tidied").read_text() == "8"


@BY_ITSELF
@pytest.mark.parametrize(
    ("mode", "reason"), [("raise", "RuntimeError: in the second epoch"), ("exit", "SystemExit: 1")]
)
def test_an_exception_ends_its_trial_and_nothing_else(opened: Opened, mode: str, reason: str) -> None:
    way, executor, _ = opened
    point, end = curve(executor, way.job(1, mode=mode))
    assert "loss" in point
    assert isinstance(end, Failed)
    assert end.reason == reason
    assert "model.py" in end.detail
    assert len(curve(executor, way.job(2))) == 4


@BY_ITSELF
def test_a_point_of_nan_is_a_point_and_a_curve_may_be_empty(opened: Opened) -> None:
    way, executor, _ = opened
    points = curve(executor, way.job(1, mode="nan"))
    assert len(points) == 4
    assert all(math.isnan(point["loss"]) for point in points)
    assert curve(executor, way.job(2, epochs=0)) == []


def alive() -> set[Any]:
    """Threads of this process and the processes it started, but for the one that cleans up after all others."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    told = {pid: Path(f"/proc/{pid}/cmdline") for pid in children}
    running = {pid for pid, file in told.items() if file.exists() and b"resource_tracker" not in file.read_bytes()}
    return {*threading.enumerate(), *(int(pid) for pid in running)}


@pytest.mark.parametrize("way", SLOW)
def test_closing_leaves_no_process_and_no_thread_whatever_is_going_on(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = alive()
    for busy in (False, True):
        executor = way.make(tmp_path)
        try:
            if busy:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    curve(executor, way.job(5, **BROKEN[way.objective]))
                executor.admit(way.job(1))
                whole = [next_of(executor, 1), next_of(executor, 1)]
                executor.evict(1, keep=True)
                executor.admit(way.job(2))
                next_of(executor, 2)
                if executor.lanes > 1:
                    executor.admit(way.job(3))
        finally:
            executor.close()
            executor.close()
        multiprocessing.active_children()  # takes note of those that have ended
        assert alive() <= before
    again = way.make(tmp_path)  # what another process finds recorded after a kill
    with contextlib.closing(again):
        rest = curve(again, way.job(1, done=2))
    points = [dict(event.metrics) for event in whole if isinstance(event, Point)]
    assert points + rest == alone(way, tmp_path, way.job(1))


PAUSING = [name for name in NAMES if "paused" in options_of("executor", name).knobs]


@pytest.mark.parametrize("name", PAUSING)
def test_of_more_paused_trials_than_are_held_the_longest_paused_are_trained_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    way = Way(Plugin(name, {"paused": 2}), "model.py")
    whole = [alone(way, tmp_path, way.job(number)) for number in range(4)]
    with contextlib.closing(way.make(tmp_path)) as executor:
        for number in range(4):
            executor.admit(way.job(number, mode="tidy"))
            next_of(executor, number)
            executor.evict(number, keep=True)
        executor.admit(way.job(9))  # whoever trains has done what it was told before
        next_of(executor, 9)
        executor.evict(9)
        assert (tmp_path / "tidied").read_text() == "1"  # 0 and 1 were closed, in this order
        assert [curve(executor, way.job(n, done=1, mode="tidy")) for n in range(4)] == [own[1:] for own in whole]


@pytest.mark.parametrize("name", PAUSING)
def test_what_is_held_is_a_number_of_trials(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="paused is a number of trials"):
        Way(Plugin(name, {"paused": -1}), "model.py").make(tmp_path)
