"""Advance several lanes by one epoch in shared kernels.

One tick is one micro-batch of every lane: a batched forward pass, one backward pass, gradients added to each lane's
row. A lane whose window ends with the tick takes its optimizer step; the others go on adding. Weights, gradients and
optimizer memory are matrices [lanes, size], so that whatever differs between lanes is a column of numbers or a loop
over rows.

Nothing that a lane computes depends on the other lanes: each has its own order of samples, its own masks, its own
row, and the size of a micro-batch follows from its own recipe. Lanes with fewer ticks stand last, so that the batch
only shrinks towards the end of the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.cohort.epoch import Epoch
from hpo.search.cohort.lane import Lane
from hpo.search.cohort.metrics import predict, score


class Cohort:
    """Lanes with equal keys; which ones may change from epoch to epoch."""

    def __init__(self) -> None:
        self._lanes: list[Lane] = []
        self._rows: list[dict[str, Tensor]] = []
        self._matrices: dict[str, Tensor] = {}

    def advance(self, lanes: Sequence[Lane]) -> None:
        """Train each lane for an epoch and score it; the outcome is in its ``metrics`` or ``failure``."""
        self._gather(sorted(lanes, key=lambda lane: -lane.layout().ticks))
        trained = Epoch(self._lanes, self._matrices).train()
        trial = self._lanes[0].trial
        values = trial.network.views(self._matrices["weights"])
        trial.network.mode(training=False)
        with torch.no_grad():
            part = trial.data.validation
            outputs = predict(lambda x: trial.network.forward(values, x, None), part.inputs, len(self._lanes))
            scores = score(outputs, part, trial.data)
        for lane, by_step, scored in zip(self._lanes, trained, scores, strict=True):
            lane.failure = _divergence(lane, by_step, scored["loss"])
            cut = lane.layout()
            mean = float(np.average(by_step, weights=cut.items[cut.ends]))
            lane.metrics = {"train_loss": mean, **{f"val_{name}": value for name, value in scored.items()}}
            lane.epoch += 1

    def _gather(self, lanes: list[Lane]) -> None:
        """Put the lanes' rows into matrices, in this order, unless they stand there already."""
        if len(lanes) == len(self._rows) and all(lane.rows is own for lane, own in zip(lanes, self._rows, strict=True)):
            return
        self._matrices = {name: torch.stack([lane.rows[name] for lane in lanes]) for name in lanes[0].rows}
        for at, lane in enumerate(lanes):
            lane.rows = {name: matrix[at] for name, matrix in self._matrices.items()}
        self._matrices["gradient"] = torch.empty_like(self._matrices["weights"])
        self._lanes, self._rows = lanes, [lane.rows for lane in lanes]


def _divergence(lane: Lane, by_step: NDArray[np.float64], validation: float) -> str:
    bad = np.flatnonzero(~np.isfinite(by_step))
    if len(bad):
        return f"diverged: the loss is {by_step[bad[0]]:g} at step {lane.step - len(by_step) + int(bad[0]) + 1}"
    if not math.isfinite(validation):
        return f"diverged: the validation loss is {validation:g} after step {lane.step}"
    return ""
