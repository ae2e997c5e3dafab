"""Which samples a lane sees when: its own order of each epoch, cut into windows and micro-batches.

A window is the samples of one optimizer step, the effective batch, fewer at the epoch's end. Every sample of an epoch
is used once; none is dropped. Where points of the curve go by steps, windows go on across the passes over the data, and
a pass's order is computed place by place, so that a corpus of any size needs no memory for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.text.mixing import mixed
from hpo.search.terms.recipe import derive_seed

_LARGEST = 64  # more rows than this per lane make no kernel faster
_OVERHEAD = 8  # what one more micro-batch costs, in samples
_MOST_TOKENS = 8192  # per lane in a kernel call: more make none faster, and take memory
_ROUNDS = 6  # of the network that shuffles; four suffice for a pseudorandom order


def generator(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """Random numbers for one purpose in one epoch of one run, the same whenever and wherever it trains."""
    return np.random.Generator(np.random.SFC64(derive_seed(seed, purpose, epoch)))


def permuted(seed: int, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """What stands at some places of a random order of 0 .. count - 1: a Feistel network (Luby and Rackoff 1988).

    The network permutes the numbers below a power of four; one that is not below ``count`` is sent through again.

    >>> sorted(permuted(7, np.arange(10), 10).tolist()) == list(range(10))
    True
    """
    half = np.uint64(max(1, (int(count - 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = np.random.SFC64(seed).random_raw(_ROUNDS)
    found = places.astype(np.uint64)
    left = np.arange(found.size)
    flat = found.reshape(-1)
    while left.size:
        upper, lower = flat[left] >> half, flat[left] & low
        for key in keys:
            upper, lower = lower, upper ^ (mixed(int(key), lower) & low)
        flat[left] = (upper << half) | lower
        left = left[flat[left] >= count]
    return flat.reshape(places.shape).astype(np.int64)


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


def batch_rows(batch_size: int, tokens: int) -> int:
    """Samples per kernel call for a batch of samples of so many tokens; 1 where a sample is a single thing.

    Sequences are bound by multiplications, so a padded one costs what a real one does: a batch of them is cut into
    equal pieces, of at most ``_MOST_TOKENS`` tokens where it has more.

    >>> batch_rows(12, 1), batch_rows(12, 64), batch_rows(300, 64)
    (16, 12, 100)
    """
    if tokens == 1:
        return micro_size(batch_size)
    pieces = -(-batch_size * tokens // _MOST_TOKENS)
    return -(-batch_size // max(1, min(pieces, batch_size)))


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
