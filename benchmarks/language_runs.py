"""Runs of the language models for language.py: one recipe trained by itself, in this process, in one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from hpo.objectives.trainer.epoch import Epoch
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms import registry
from hpo.search.terms.job import Task

Knobs = Mapping[str, Any]


def text(path: Path, **options: Any) -> dict[str, Any]:
    """A study's ``data`` for one text whose last tenth is for validation."""
    return {"text": {"path": str(path), "documents": "file", "validation": 0.1, "test": 0, **options}}


def problem(data: Any, objective: str = "gpt") -> Problem:
    """An objective on data; setups made from one share its tokens."""
    return Problem(registry.load("objective", objective), Task(objective, data=data))


@dataclass(frozen=True)
class Run:
    """What a trained recipe tells.

    Attributes:
        lane: with its final weights.
        curve: each point's metrics.
        seconds: of processor time, scoring included.
    """

    lane: Lane
    curve: list[dict[str, float]]
    seconds: float

    @property
    def last(self) -> dict[str, float]:
        """Metrics at the end."""
        return self.curve[-1]


def train(setup: Setup) -> Run:
    """Train to the end, or to where the loss is no number: the last point tells."""
    lane, cohort, curve = Lane(0, setup), Cohort(), list[dict[str, float]]()
    start = time.process_time()
    while not lane.done and not lane.failure:
        cohort.advance([lane])
        curve.append(dict(lane.metrics))
    return Run(lane, curve, time.process_time() - start)


def steps_alone(setup: Setup) -> float:
    """Processor seconds of a run up to its first point, without scoring it."""
    lane, cohort = Lane(0, setup), Cohort()
    cohort._gather([lane])
    start = time.process_time()
    Epoch([lane], cohort._weights, cohort._gradient).train()
    return time.process_time() - start


@torch.no_grad()
def disjoint_loss(lane: Lane) -> float:
    """Nats per token of the validation part as plain loops measure it: windows side by side, the first token of each
    without anything before it. Higher than the suite's own, which gives every token half a context at least.
    """
    setup, context = lane.setup, lane.setup.data.context
    ids = torch.from_numpy(np.array(setup.data.splits.tokenized.validation.ids, dtype=np.int64))
    windows = (len(ids) - 1) // context
    inputs, targets = (ids[at : at + windows * context].view(windows, context) for at in (0, 1))
    setup.network.mode(training=False)
    views, total = setup.network.views(lane.scored.unsqueeze(0)), 0.0
    for piece, wanted in zip(inputs.split(128), targets.split(128), strict=True):
        outputs = setup.network.forward(views, piece.unsqueeze(0), None)[0]
        total += functional.cross_entropy(outputs.flatten(0, 1), wanted.flatten(), reduction="sum").item()
    return total / targets.numel()


def parameters(setup: Setup) -> int:
    """How many numbers are trained."""
    return sum(parameter.size for parameter in setup.network.parameters)


def peak_mib() -> float:
    """Peak resident memory of this process, in MiB; on Linux of itself alone, not of what started it."""
    import resource

    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def lowest(rates: list[float], losses: list[float]) -> float:
    """The rate at the bottom of a parabola in the logarithm of the rate, through the lowest losses side by side.

    Through five points where there are two on either side of the lowest, else through three.

    >>> round(lowest([1.0, 2.0, 4.0], [1.0, 0.0, 1.0]), 6)
    2.0
    """
    at = int(np.argmin(losses))
    reach = min(2, at, len(rates) - 1 - at)
    if not reach:
        return math.nan
    near = slice(at - reach, at + reach + 1)
    center = math.log(rates[at])
    curvature, slope, _ = np.polyfit(np.log(rates[near]) - center, losses[near], 2)
    return math.exp(center - slope / (2 * curvature))
