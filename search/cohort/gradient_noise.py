"""Gradient noise scale of lanes that accumulate, from the norms of their micro-batches' gradients.

McCandlish et al. 2018, appendix A.1, for micro-batches of unequal size: with mean gradients g_i of n_i samples each,
i = 1..A, N = sum of n_i, and the window's mean gradient g,

    S = sum(n_i |g_i - g|^2) / (A - 1)        unbiased for the trace of the per-sample gradients' covariance
    G = |g|^2 - S / N                         unbiased for the squared norm of the true gradient

The noise scale is the ratio of their averages, never the average of ratios, so the two are what an epoch reports.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.cohort.order import Layout


class NoiseMeter:
    """Collects squared norms over one epoch, for lanes whose windows hold several micro-batches."""

    def __init__(self, layouts: Sequence[Layout], device: torch.device) -> None:
        """Prepare; a layout of one tick per window is measured not at all."""
        self._layouts = layouts
        shape = (layouts[0].ticks, len(layouts))
        self.needed = any(cut.ticks > cut.steps for cut in layouts)
        self._micro = torch.zeros(shape, device=device)
        self._window = torch.zeros(shape, device=device)

    def micro(self, tick: int, gradients: Sequence[Tensor]) -> None:
        """Note a tick's own gradients [K, ...], each lane's weighted by its samples' share in the window."""
        for gradient in gradients:
            self._micro[tick, : len(gradient)] += gradient.flatten(1).square().sum(dim=1)

    def window(self, tick: int, gradient: Tensor) -> None:
        """Note the windows' mean gradients [K, size], before clipping."""
        self._window[tick, : len(gradient)] = gradient.square().sum(dim=1)

    def estimates(self) -> list[dict[str, float]]:
        """Mean S and G of each lane's windows with several micro-batches; empty where it has none."""
        micro, window = self._micro.double().cpu().numpy(), self._window.double().cpu().numpy()
        return [_estimate(cut, micro[: cut.ticks, at], window[: cut.ticks, at]) for at, cut in enumerate(self._layouts)]


def _estimate(cut: Layout, micro: NDArray[np.float64], window: NDArray[np.float64]) -> dict[str, float]:
    count = np.bincount(cut.window)
    several = count > 1
    if not several.any():
        return {}
    items = cut.items[cut.ends].astype(float)
    own = cut.real.sum(axis=1)
    # a tick's gradient is n_i / N times its mean gradient
    scattered = np.bincount(cut.window, weights=micro * cut.items.astype(float) ** 2 / own)
    mean = window[cut.ends]
    spread = (scattered - items * mean)[several] / (count[several] - 1)
    signal = mean[several] - spread / items[several]
    return {"gradient_variance": float(spread.mean()), "gradient_square": float(signal.mean())}
