"""A paused run leaves random streams and torch's grad mode to nobody: interleaved runs train what each trains alone."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.describe.live import live
from hpo.search.running.training import Run, Trainer
from hpo.search.terms.job import Job, Point, Task


def train(*, seed: int = 0, epochs: int = 6) -> Iterator[float]:
    """Draws from every global stream, and yields where no gradients are recorded."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    weight = torch.zeros(1, requires_grad=True)
    for _ in range(epochs):
        (weight * torch.randn(1)).sum().backward()
        with torch.no_grad():
            yield random.random() + np.random.random() + float(torch.rand(1)) + float(weight.grad)


def alone(seed: int) -> list[float]:
    return [event.metrics["value"] for event in trained([seed], [0] * 6)[0]]


def trained(seeds: list[int], turns: list[int]) -> list[list[Any]]:
    """Points of runs that take turns."""
    trainer = Trainer(Task(live(train)))
    jobs = [Job(number, {"seed": seed}) for number, seed in enumerate(seeds)]
    runs: list[Run] = [trainer.start(job) for job in jobs]
    points: list[list[Any]] = [[] for _ in seeds]
    for turn in turns:
        event = trainer.advance(runs[turn], jobs[turn])
        if isinstance(event, Point):
            points[turn].append(event)
    for run in runs:
        run.close()
    return points


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=20))
def test_runs_that_take_turns_train_what_each_trains_alone(turns: list[int]) -> None:
    whole = {seed: alone(seed) for seed in (3, 4, 5)}
    for seed, points in zip((3, 4, 5), trained([3, 4, 5], turns), strict=True):
        assert [event.metrics["value"] for event in points] == whole[seed][: len(points)]
    assert torch.is_grad_enabled()


def test_a_paused_run_that_is_closed_takes_nothing_from_the_one_that_trains() -> None:
    trainer = Trainer(Task(live(train)))
    jobs = [Job(0, {"seed": 1}), Job(1, {"seed": 2})]
    first, second = (trainer.start(job) for job in jobs)
    trainer.advance(first, jobs[0])
    found = [trainer.advance(second, jobs[1])]
    first.close()
    found += [trainer.advance(second, jobs[1]) for _ in range(5)]
    assert [event.metrics["value"] for event in found if isinstance(event, Point)] == pytest.approx(alone(2), rel=0)
    second.close()
