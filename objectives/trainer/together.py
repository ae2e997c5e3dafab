"""Advance several lanes by one epoch in shared kernels.

One tick is one micro-batch of every lane: a batched forward pass, one backward pass, gradients added to each lane's
row. A lane whose window ends with the tick takes its optimizer step; the others go on adding. Weights and gradients
are matrices [lanes, size], so that whatever differs between lanes is a column of numbers or a loop over rows.

Nothing that a lane computes depends on the other lanes: each has its own order of samples, its own masks, its own
row, and the size of a micro-batch follows from its own recipe. Lanes with fewer ticks stand last, so that the batch
only shrinks towards the end of the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.trainer.epoch import Epoch
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.statistics import joined, of_networks
from hpo.search.terms.job import OUTLOOK

_LANES = 4
"""Lanes scored at once where each token has a target: on a CPU the thousands of tokens of more outgrow its cache."""


class Cohort:
    """Lanes with equal keys; which ones may change from epoch to epoch."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []
        self._weights = self._gradient = torch.empty(0)

    def advance(self, lanes: Sequence[Lane]) -> None:
        """Train each lane for an epoch and score it; the outcome is in its ``metrics`` or ``failure``."""
        lanes = sorted(lanes, key=lambda lane: -lane.layout().ticks)
        self._gather(lanes)
        for lane in lanes:
            if not lane.step:
                lane.setup.ranks.lead(lane.rows["weights"])
        epoch = Epoch(lanes, self._weights, self._gradient)
        with _no_denormals():
            trained = epoch.train()
        ranks, network = lanes[0].setup.ranks, lanes[0].setup.network
        if ranks.size > 1 and (held := network.state()):
            network.restore(ranks.mean(held))
        for lane in lanes:
            lane.ended_epoch()
        first = ranks.rank == 0
        here = (self._score(lanes), _outlooks(lanes), self._statistics(lanes, epoch)) if first else ([], [], [])
        trained, noise, (scores, outlooks, statistics) = ranks.same((trained, epoch.noise(), here))
        told = zip(lanes, trained, epoch.counted, noise, scores, outlooks, statistics, strict=True)
        for lane, by_step, counted, measured, scored, outlook, recorded in told:
            lane.failure = _divergence(lane, by_step, scored["loss"])
            mean = float(np.average(by_step, weights=counted)) if counted.any() else 0.0
            lane.noise.add(measured)
            scores_now = {f"val_{name}": value for name, value in scored.items()}
            lane.metrics = {"train_loss": mean, **scores_now, **lane.measured(), **outlook, **recorded}
            lane.scored_at(scored["loss"])

    def _gather(self, lanes: Sequence[Lane]) -> None:
        """Put the lanes' weights into a matrix, in this order, unless they stand there already."""
        if len(lanes) == len(self._rows) and all(
            lane.rows["weights"] is row for lane, row in zip(lanes, self._rows, strict=True)
        ):
            return
        self._weights = torch.stack([lane.rows["weights"] for lane in lanes])
        self._gradient = torch.empty_like(self._weights)
        self._rows = list(self._weights.unbind())
        for lane, row in zip(lanes, self._rows, strict=True):
            lane.rows["weights"] = row

    def _statistics(self, lanes: Sequence[Lane], epoch: Epoch) -> list[dict[str, float]]:
        """Statistics of the epoch just trained; empty where they are not recorded."""
        if epoch.statistics is None:
            return [{} for _ in lanes]
        setup = lanes[0].setup
        setup.network.mode(training=False)
        now = of_networks(setup.network, self._weights, setup.data.few)
        return [joined(steps, own) for steps, own in zip(epoch.statistics.found(), now, strict=True)]

    def _score(self, lanes: Sequence[Lane]) -> list[dict[str, float]]:
        averaged = any(lane.averaged for lane in lanes)
        return _scores(lanes[0].setup, torch.stack([lane.scored for lane in lanes]) if averaged else self._weights)


def _scores(setup: Setup, weights: Tensor) -> list[dict[str, float]]:
    """Scores of each row of weights [lanes, size] on the validation part."""
    most = _LANES if setup.data.per_token and weights.device.type == "cpu" else len(weights)
    return [own for rows in torch.split(weights, most) for own in _scores_of(setup, rows)]


def _scores_of(setup: Setup, weights: Tensor) -> list[dict[str, float]]:
    values, data, judge = setup.network.views(weights), setup.data, setup.judge
    setup.network.mode(training=False)
    with torch.no_grad():
        forward = lambda x: setup.network.forward(values, x, None)  # noqa: E731
        return data.score(forward, data.validation, len(weights), setup.rows, *([] if judge.silent else [judge]))


def _outlooks(lanes: Sequence[Lane]) -> list[dict[str, float]]:
    """What each lane's average of weights is worth, where somebody decides on it now.

    A run whose rate is yet to fall stays above the floor of its noise; the average is below that already. Where the
    average still holds too much of the start it is worse than the weights, which then count themselves.
    """
    due = [lane for lane in lanes if lane.foresees]
    found = iter(_scores(due[0].setup, torch.stack([lane.rows["outlook"] for lane in due])) if due else ())
    return [_named(next(found), lane) if lane in due else {} for lane in lanes]


def _named(scores: Mapping[str, float], lane: Lane) -> dict[str, float]:
    assert lane.judged is not None
    value = scores.get(lane.judged.metric.removeprefix("val_"))
    return {} if value is None else {OUTLOOK: value}


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Round numbers below 1e-38 to 0, which a CPU otherwise computes with many times more slowly.

    Optimizer memory is full of them once units are dead or samples are learnt. numpy warns where the setting stays on.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _divergence(lane: Lane, by_step: NDArray[np.float64], validation: float) -> str:
    bad = np.flatnonzero(~np.isfinite(by_step))
    if len(bad):
        return f"diverged: the loss is {by_step[bad[0]]:g} at step {lane.step - len(by_step) + int(bad[0]) + 1}"
    if not math.isfinite(validation):
        return f"diverged: the validation loss is {validation:g} after step {lane.step}"
    return ""
