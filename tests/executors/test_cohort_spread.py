"""Cohorts in worker processes: the study that one process with as many lanes would have trained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hpo
from hpo.search.executors.cohort import make
from hpo.search.store import open_store
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Failed, Finished, Job, Lost, Point, Task

TASK = Task("mlp", data="iris")


def job(number: int, done: int = 0, **recipe: Any) -> Job:
    knobs = {"width": 8, "epochs": 4, "seed": number, "batch_size": (16, 32)[number % 2], "dropout": 0.2}
    return Job(number, {**knobs, **recipe}, done)


def told(events: list[Event]) -> list[Any]:
    """What must not depend on where it was trained."""
    ordered = sorted(events, key=lambda event: event.number)
    return [(e.number, e.step, dict(e.metrics)) if isinstance(e, Point) else e for e in ordered]


def kill_a_worker(spread: Any) -> None:
    """SIGKILL the first worker."""
    os.kill(spread._places[0].worker._process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    made = make(TASK, lanes=2, workers=2)
    yield made
    made.close()
    made.close()


@pytest.fixture
def spread(workers: Any) -> Iterator[Any]:
    """The same workers for all tests: each takes seconds to start."""
    yield workers
    for number in range(10):
        workers.evict(number)


def test_workers_move_in_step_as_one_cohort_of_as_many_lanes(spread: Any) -> None:
    one = make(TASK, lanes=4)
    assert spread.lanes == one.lanes
    rounds: list[list[Any]] = [[], []]
    for executor, seen in zip((spread, one), rounds, strict=True):
        for number in range(3):
            executor.admit(job(number))
        executor.admit(Job(9, {"learning_rate": -1.0}))
        seen.append(told(executor.advance()))
        executor.evict(1)
        executor.evict(2, keep=True)
        executor.admit(job(4, done=2))
        executor.admit(job(5, epochs=1))
        seen.append(told(executor.advance()))
        executor.admit(job(2, done=1))
        seen += [told(executor.advance()) for _ in range(3)]
    assert rounds[0] == rounds[1]
    flat = [event for seen in rounds[0] for event in seen]
    assert isinstance(rounds[0][0][-1], Failed)
    assert {event.number for event in flat if isinstance(event, Finished)} == {0, 2, 4, 5}


def test_a_round_in_which_a_worker_dies_is_finished_by_its_successor(spread: Any) -> None:
    one = make(TASK, lanes=4)
    for executor in (spread, one):
        for number in range(3):
            executor.admit(job(number))
    assert told(spread.advance()) == told(one.advance())
    kill_a_worker(spread)
    lost = spread.advance()
    assert lost
    assert {type(event) for event in lost} == {Lost}
    assert "SIGKILL" in lost[0].reason
    for event in lost:
        spread.admit(job(event.number, done=1))
    assert [told(spread.advance()) for _ in range(3)] == [told(one.advance()) for _ in range(3)]


def test_news_of_a_held_back_round_that_nobody_wants_any_more_is_dropped(spread: Any) -> None:
    for number in range(2):
        spread.admit(job(number))
    spread.advance()
    kill_a_worker(spread)
    (lost,) = spread.advance()
    spread.evict(1 - lost.number)
    spread.admit(job(7))
    assert [event.number for event in spread.advance()] == [7]


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text("def build(): ...\ndef data(): ...\n")
    executor = make(Task(str(file)), lanes=1, workers=2)
    file.write_text("import no_such_package\ndef build(): ...\ndef data(): ...\n")
    executor.admit(Job(0, {}))
    with pytest.raises(UserError, match="No module named 'no_such_package'"):
        executor.advance()
    executor.close()


def test_a_process_that_hands_out_trials_loads_nothing_to_train_them_and_spends_its_steps_exactly(
    tmp_path: Path,
) -> None:
    code = """
import sys, hpo
short = {"steps": 7, "confirm": "none", "fixed": {"epochs": 3}}
found = hpo.run("lr-batch", workers=2, sampler="freeze-thaw", storage="s.db", **short).report
print([name for name in ("torch", "sklearn", "pandas") if name in sys.modules])
print(sum(len(trial.curve) for trial in found.trials))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[]\n7\n"


def test_a_function_is_called_in_a_worker_and_here_when_all_are_dead(spread: Any) -> None:
    for number in range(2):  # whose workers may have been killed by the tests before
        spread.admit(job(number))
    for place in spread._places:
        assert spread.call(os.getpid) == place.worker._process.pid
        os.kill(place.worker._process.pid, signal.SIGKILL)
    assert spread.call(os.getpid) == os.getpid()


@pytest.mark.slow
def test_a_search_with_two_workers_is_the_one_with_one(tmp_path: Path) -> None:
    found = []
    for workers, lanes in ((1, 4), (2, 2)):
        storage = str(tmp_path / f"{workers}.db")
        settings = {
            "name": "s", "objective": "mlp", "data": "iris", "goal": "minimize val_loss", "storage": storage,
            "search": {"learning_rate": {"float": [1e-3, 1e-1], "log": True}, "batch_size": {"choice": [16, 32]}},
            "fixed": {"epochs": 4, "width": 8}, "budget": {"trials": 14}, "pruner": {"median": {"n_startup_trials": 3}},
            "executor": {"cohort": {"lanes": lanes}}, "workers": workers, "confirm": {"top": 2, "seeds": 1},
        }  # fmt: skip
        hpo.run(settings)
        for name in ("s", "s (confirm)"):
            snapshot = open_store(storage).read(name)
            assert snapshot is not None
            found.append([(t.state, t.params, t.values, t.intermediate_values) for t in snapshot.trials])
    assert found[:2] == found[2:]
