"""Which samples a lane sees when: its own order of each epoch, cut into windows and micro-batches.

A window is the samples of one optimizer step, the effective batch, fewer at the epoch's end. Every sample of an epoch
is used once; none is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hpo.search.terms.recipe import derive_seed

_LARGEST = 64  # more rows than this per lane make no kernel faster
_OVERHEAD = 8  # what one more micro-batch costs, in samples


def generator(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """Random numbers for one purpose in one epoch of one run, the same whenever and wherever it trains."""
    return np.random.Generator(np.random.SFC64(derive_seed(seed, purpose, epoch)))


def micro_size(batch_size: int) -> int:
    """Samples per kernel call for a batch size; depends on nothing else, so that a lane's bits do not either.

    A power of two, so that lanes of different batch sizes often share their kernels; a batch is run as several
    such pieces, the last one padded with samples of weight 0.

    >>> [micro_size(batch) for batch in (1, 8, 20, 32, 48, 100, 1000)]
    [1, 8, 32, 32, 64, 64, 64]
    """
    sizes = [1 << i for i in range(_LARGEST.bit_length())]
    allowed = [size for size in sizes if size < 2 * batch_size]
    return min(allowed, key=lambda size: (-(-batch_size // size) * (size + _OVERHEAD), -size))


@dataclass(frozen=True)
class Layout:
    """How an epoch of ``count`` samples is cut, before it is known which sample stands where.

    Attributes:
        places: [ticks, micro] place in the epoch's order; padding repeats place 0.
        real: [ticks, micro] 1.0 for a sample, 0.0 for padding.
        window: [ticks] number of the optimizer step within the epoch.
        items: [ticks] samples in the window that the tick belongs to.
        ends: [ticks] whether the window's optimizer step follows this tick.
        begins: [ticks] whether the window starts with this tick.
    """

    places: NDArray[np.int64]
    real: NDArray[np.float32]
    window: NDArray[np.int64]
    items: NDArray[np.int64]
    ends: NDArray[np.bool_]
    begins: NDArray[np.bool_]

    @property
    def ticks(self) -> int:
        """Kernel calls in the epoch."""
        return len(self.places)

    @property
    def steps(self) -> int:
        """Optimizer steps in the epoch."""
        return int(self.window[-1]) + 1

    def first(self, steps: int) -> Layout:
        """The part of the epoch up to so many optimizer steps; the whole of it where there are no more."""
        kept = slice(int(np.searchsorted(self.window, steps)))
        return Layout(*(getattr(self, item.name)[kept] for item in fields(self)))


@lru_cache(maxsize=256)
def layout(count: int, window: int, batch_size: int, micro: int) -> Layout:
    """Cut an epoch of ``count`` samples into windows, these into batches of at most ``batch_size``, these into ticks.

    >>> cut = layout(count=10, window=6, batch_size=3, micro=2)
    >>> cut.items.tolist(), cut.ends.tolist()
    ([6, 6, 6, 6, 4, 4, 4], [False, False, False, True, False, False, True])
    """
    pieces = list(_pieces(count, window, batch_size, micro))
    places = np.zeros((len(pieces), micro), dtype=np.int64)
    real = np.zeros((len(pieces), micro), dtype=np.float32)
    for tick, (_, start, stop) in enumerate(pieces):
        places[tick, : stop - start] = np.arange(start, stop)
        real[tick, : stop - start] = 1.0
    number = np.array([number for number, _, _ in pieces], dtype=np.int64)
    items = np.bincount(number, weights=real.sum(axis=1))[number].astype(np.int64)
    change = np.flatnonzero(np.diff(number))
    ends, begins = np.zeros(len(pieces), dtype=bool), np.zeros(len(pieces), dtype=bool)
    ends[change], begins[change + 1] = True, True
    ends[-1], begins[0] = True, True
    return Layout(places, real, number, items, ends, begins)


def _pieces(count: int, window: int, batch_size: int, micro: int) -> Iterator[tuple[int, int, int]]:
    """Window number, start and stop of each kernel call, in order."""
    for number, begin in enumerate(range(0, count, window)):
        end = min(begin + window, count)
        for start in range(begin, end, batch_size):
            stop = min(start + batch_size, end)
            for first in range(start, stop, micro):
                yield number, first, min(first + micro, stop)
