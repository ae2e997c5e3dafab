"""Gradient noise scale of lanes that accumulate, from the norms of their micro-batches' gradients.

McCandlish et al. 2018, appendix A.1, for micro-batches of unequal size: with mean gradients g_i of n_i samples (on
text: target tokens) each, i = 1..A, N = sum of n_i, and the window's mean gradient g,

    S = sum(n_i |g_i - g|^2) / (A - 1)        unbiased for the trace of the per-sample gradients' covariance
    G = |g|^2 - S / N                         unbiased for the squared norm of the true gradient

The noise scale is the ratio of their averages, never the average of ratios, so a lane reports the two averages over
all windows of its run so far, with their standard errors. Both fall as training goes on; so the errors come from
differences of neighbouring windows (von Neumann), in which that does not count as noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.trainer.order import Layout


class NoiseMeter:
    """Collects norms over one epoch, for lanes whose windows hold several micro-batches."""

    def __init__(self, layouts: Sequence[Layout], counts: Sequence[NDArray[np.float64]], device: torch.device) -> None:
        """Prepare; a layout of one tick per window is measured not at all.

        Args:
            layouts: how each lane's samples are cut.
            counts: what each tick counts in its window, [ticks] of each lane: its samples, or their tokens.
            device: where gradients are.
        """
        self._layouts, self._counts = layouts, counts
        shape = (layouts[0].ticks, len(layouts))
        self.needed = any(cut.ticks > cut.steps for cut in layouts)
        self._micro = torch.zeros(shape, device=device)
        self._window = torch.zeros(shape, device=device)

    def micro(self, tick: int, gradient: Tensor) -> None:
        """Note a tick's own gradients [K, size], each lane's weighted by its samples' share in the window."""
        self._micro[tick, : len(gradient)] = torch.linalg.vector_norm(gradient, dim=1)

    def window(self, tick: int, gradient: Tensor) -> None:
        """Note the windows' mean gradients [K, size], before clipping."""
        self._window[tick, : len(gradient)] = torch.linalg.vector_norm(gradient, dim=1)

    def estimates(self) -> list[NDArray[np.float64]]:
        """S and G of each lane's windows with several micro-batches, [windows, 2]."""
        micro, window = (norms.double().square().cpu().numpy() for norms in (self._micro, self._window))
        return [
            _estimate(cut, self._counts[at], micro[: cut.ticks, at], window[: cut.ticks, at])
            for at, cut in enumerate(self._layouts)
        ]


@dataclass
class NoiseRecord:
    """Averages of S and G over a lane's run.

    Attributes:
        windows: how many were measured.
        total: sums of S and G.
        moves: sums of their squared differences from window to window.
        last: S and G of the last window.
    """

    windows: int = 0
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    moves: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    last: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))

    def add(self, found: NDArray[np.float64]) -> None:
        """Take in the windows [windows, 2] of an epoch."""
        self.windows += len(found)
        self.total = self.total + found.sum(axis=0)
        joined = np.concatenate([self.last, found])
        self.moves = self.moves + np.square(np.diff(joined, axis=0)).sum(axis=0)
        self.last = joined[-1:]

    def metrics(self) -> dict[str, float]:
        """Means of S and G, and from the second window on their standard errors; empty before the first."""
        found: dict[str, float] = {}
        for at, name in enumerate(("gradient_variance", "gradient_square")):
            if self.windows:
                found[name] = float(self.total[at]) / self.windows
            if self.windows > 1:
                moved = float(self.moves[at]) / 2 / (self.windows - 1)
                found[f"{name}_error"] = math.sqrt(moved / self.windows)
        return found


def _estimate(
    cut: Layout, own: NDArray[np.float64], micro: NDArray[np.float64], window: NDArray[np.float64]
) -> NDArray[np.float64]:
    count = np.bincount(cut.window)
    items = np.bincount(cut.window, weights=own)
    several = (count > 1) & (np.bincount(cut.window, weights=own == 0) == 0)
    # a tick's gradient is n_i / N times its mean gradient
    scattered = np.bincount(cut.window, weights=micro * items[cut.window] ** 2 / np.maximum(own, 1))
    mean = window[cut.ends]
    spread = (scattered - items * mean)[several] / (count[several] - 1)
    signal = mean[several] - spread / items[several]
    return np.stack([spread, signal], axis=1)
