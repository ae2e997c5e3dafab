"""How long a forward pass takes: one thread, warmed up, the median of many with what half of them differ by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WARM_UP = 10
"""Passes before the first that counts."""
FEWEST = 30
"""Passes that count, at least."""
ENOUGH = 0.05
"""Seconds after which no more are made."""


@dataclass(frozen=True)
class Latency:
    """Of a forward pass.

    Attributes:
        median: in milliseconds.
        spread: distance between the quartiles, in milliseconds.
    """

    median: float
    spread: float


def latency(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Latency:
    """Time a forward pass of inputs [n, ...] on the CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(WARM_UP):
            forward(inputs)
        taken, began = list[float](), time.perf_counter()
        while len(taken) < FEWEST or time.perf_counter() - began < ENOUGH:
            start = time.perf_counter()
            forward(inputs)
            taken.append((time.perf_counter() - start) * 1000)
    finally:
        torch.set_num_threads(threads)
    low, median, high = np.quantile(taken, [0.25, 0.5, 0.75]).tolist()
    return Latency(median, high - low)
