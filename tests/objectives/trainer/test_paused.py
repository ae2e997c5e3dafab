"""Paused lanes in memory and on disk: whatever becomes of them, a trial's curve stays the same to the last bit."""

from __future__ import annotations

import errno
import gc
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from hpo.objectives.networks.layers import Activation, Dropout, Linear, Sequential
from hpo.objectives.trainer.lanes import CohortExecutor
from hpo.objectives.trainer.problem import Problem
from hpo.search.executors.cohort import make
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Finished, Job, Point, Task

EPOCHS = 4
PLENTY = 1 << 30


class Counting(nn.Module):
    """Trained alone, with what no tensor tells: in how many steps it was trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(5, 2), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += torch.is_grad_enabled()
        y = self.layer(x)
        return y + 0.1 * self.calls if y.mean() > 0 else y


def layers(recipe: Any) -> Any:
    return Sequential((Linear(9), Activation("relu"), Dropout(0.2), Linear()))


def module(recipe: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 9), nn.LayerNorm(9), nn.ReLU(), nn.Dropout(0.2), nn.Linear(9, 2))


def batch_normalized(recipe: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.2), nn.Linear(9, 2))


def counting(recipe: Any) -> nn.Module:
    return Counting()


BUILDS = {build.__name__: build for build in (layers, module, batch_normalized, counting)}


def data(recipe: Any) -> dict[str, Any]:
    x = np.random.default_rng(0).normal(size=(36, 5)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return {"train": (x[:24], y[:24]), "validation": (x[24:], y[24:])}


def executor_of(build: str, lanes: int, memory: int) -> CohortExecutor:
    module = SimpleNamespace(__name__="own", build=BUILDS[build], data=data)
    return CohortExecutor(Problem(module, Task("own")), SimpleNamespace(), lanes, memory)  # type: ignore[arg-type]


def job(number: int, done: int = 0, **knobs: Any) -> Job:
    return Job(number, {"batch_size": 8, "epochs": EPOCHS, "seed": number, "learning_rate": 0.01, **knobs}, done)


def told(events: list[Event]) -> dict[int, Any]:
    return {e.number: (e.step, dict(e.metrics)) if isinstance(e, Point) else e for e in events}


def curves(executor: CohortExecutor, knobs: list[dict[str, Any]], rng: random.Random | None) -> dict[int, list[Any]]:
    """Train trials to their ends, one by one; with ``rng`` pausing and taking up whichever it says."""
    found: dict[int, list[Any]] = {number: [] for number in range(len(knobs))}
    waiting, running = list(found), list[int]()
    while waiting or running:
        while waiting and len(running) < executor.lanes:
            number = waiting.pop(rng.randrange(len(waiting)) if rng else 0)
            executor.admit(job(number, len(found[number]), **knobs[number]))
            running.append(number)
        for number, event in told(executor.advance()).items():
            if isinstance(event, Finished):
                running.remove(number)
                continue
            found[number].append(event)
            if rng and rng.random() < 0.6:
                executor.evict(number, keep=True)
                running.remove(number)
                waiting.append(number)
    executor.close()
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    gc.collect()  # an executor that was left open would warn here


KNOBS = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop", "lion"]),
        "average": st.sampled_from(["none", "ema", "swa"]),
        "accumulation_steps": st.integers(1, 3),
        "patience": st.sampled_from([0, 2]),
        "batch_size": st.sampled_from([4, 8]),
        "mixup": st.sampled_from([0.0, 0.3]),
    }
)


@pytest.mark.parametrize("build", BUILDS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(knobs=st.lists(KNOBS, min_size=1, max_size=3), memory=st.integers(0, 20_000), seed=st.integers(0, 99))
def test_pausing_on_disk_at_any_moment_changes_no_bit_of_a_curve(
    folder: Path, build: str, knobs: list[dict[str, Any]], memory: int, seed: int
) -> None:
    straight = curves(executor_of(build, 1, PLENTY), knobs, None)
    assert curves(executor_of(build, 1, memory), knobs, random.Random(seed)) == straight


def paused(count: int, memory: int, build: str = "layers") -> CohortExecutor:
    """An executor that has so many trials paused after their first epoch."""
    executor = executor_of(build, 1, memory)
    for number in range(count):
        executor.admit(job(number))
        executor.advance()
        executor.evict(number, keep=True)
    return executor


def second_epochs(executor: CohortExecutor, count: int) -> list[Any]:
    found = []
    for number in range(count):
        executor.admit(job(number, done=1))
        found += [told(executor.advance())]
        executor.evict(number)
    executor.close()
    return found


def file_of(executor: CohortExecutor) -> Any:
    return executor._paused._file._file


def test_the_longest_paused_go_to_the_disk_and_the_others_stay(folder: Path) -> None:
    all_in_memory = paused(4, PLENTY)
    one = next(iter(all_in_memory._paused._held.values()))
    size = sum(row.nbytes for row in one.rows.values())
    executor = paused(4, 2 * size)
    assert list(executor._paused._stored) == [0, 1]
    assert list(executor._paused._held) == [2, 3]
    assert second_epochs(executor, 4) == second_epochs(all_in_memory, 4)
    assert not all_in_memory.notes + executor.notes


def test_the_file_has_no_name_and_does_not_grow_as_trials_come_and_go(folder: Path) -> None:
    executor = paused(3, 0)
    size = os.fstat(file_of(executor).fileno()).st_size
    for step in range(1, 4):
        for number in range(3):
            executor.admit(job(number, done=step))
            executor.advance()
            executor.evict(number, keep=True)
    assert os.fstat(file_of(executor).fileno()).st_size == size
    assert not list((folder / ".hpo").iterdir())
    executor.close()


def test_damage_on_the_disk_costs_time_and_a_note_only(folder: Path) -> None:
    executor = paused(3, 0)
    size = os.fstat(file_of(executor).fileno()).st_size
    os.pwrite(file_of(executor).fileno(), b"?", size // 3 + 500)
    os.ftruncate(file_of(executor).fileno(), size - 1)
    assert second_epochs(executor, 3) == second_epochs(paused(3, PLENTY), 3)
    assert executor.notes == ["a paused trial could not be read back from disk: it trains again up to where it was"]


def test_a_full_disk_costs_time_and_a_note_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> Any:
        return Path("/dev/full").open("r+b", buffering=0)

    monkeypatch.setattr("hpo.objectives.trainer.paused.TemporaryFile", full)
    executor = paused(3, 0)
    assert second_epochs(executor, 3) == second_epochs(paused(3, PLENTY), 3)
    assert executor.notes == [
        f"paused trials cannot go to disk ({os.strerror(errno.ENOSPC)}): they train again up to where they were"
    ]


def test_what_the_disk_cannot_keep_of_a_module_is_trained_again(folder: Path) -> None:
    executor = paused(2, 0, "counting")
    assert not executor._paused._stored
    assert second_epochs(executor, 2) == second_epochs(paused(2, PLENTY, "counting"), 2)
    assert any("train again up to where they were" in note for note in executor.notes)


def test_memory_is_a_number_of_mebibytes() -> None:
    with pytest.raises(UserError, match="paused_memory is a number of MiB"):
        make(Task("mlp", data="iris"), paused_memory=-1)
