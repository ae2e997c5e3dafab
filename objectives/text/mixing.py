"""Random numbers by place: the same for a key and a counter, whatever is drawn beside them and in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(key: NDArray[np.uint64] | int, counter: NDArray[Any]) -> NDArray[np.uint64]:
    """64 random bits for each counter under a key; different counters give different bits.

    The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of its state after ``counter + 1`` steps from key.

    Args:
        key: 64 bits; broadcast against ``counter``.
        counter: not negative.
    """
    start = np.asarray(key, dtype=np.uint64)
    with np.errstate(over="ignore"):
        state = start + (counter.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        found: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return found


def uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) of 53 bits."""
    found: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found


def shuffled(count: int, seed: int) -> NDArray[np.intp]:
    """0 .. count - 1 in an order that the seed decides."""
    return np.argsort(mixed(seed & 0xFFFFFFFFFFFFFFFF, np.arange(count)))
