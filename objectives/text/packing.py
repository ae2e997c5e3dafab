"""Rows of tokens: windows of a stream, whole documents packed together, one document a row, and windows for scoring.

Inputs are tokens, targets the tokens that follow them. A document of n tokens gives n + 1 of each: inputs separator,
t1, ..., tn, and targets t1, ..., tn, separator. So any piece of a document is a slice of the tokens, and its targets
the slice one further; a target never belongs to another document than its input, beginnings aside, which follow from
the separator.

A row that is not full ends in inputs that are the separator, of document -1, without target (-1).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo.objectives.text.mixing import shuffled
from hpo.objectives.text.paging import Pages
from hpo.objectives.text.tokenizers import Tokens
from hpo.search.terms.errors import UserError

Truncate = Literal["head", "tail", "window"]

NOTHING = -1
"""Document of a place without one, and target where none is scored."""

_BLOCK = 1 << 16


class Batch(NamedTuple):
    """Rows.

    Attributes:
        inputs: [m, context] int64.
        targets: [m, context] int64, -1 where nothing is to be predicted.
        documents: [m, context] int64, numbered from 0 in each row, -1 where there is none; None where rows are windows
            that documents do not divide.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    documents: NDArray[np.int64] | None


class Stream:
    """Windows of all tokens one after another, whatever documents they belong to: row i starts at phase + i * context.

    In one pass every token behind the phase is a target once, up to less than a window at the end. Nothing is stored; a
    corpus of any size takes the same memory.
    """

    def __init__(self, tokens: Tokens, context: int, phase: int = 0) -> None:
        """Start the first window at a phase in 0 .. context - 1.

        Raises:
            UserError: there is not a single window of this context.
        """
        self.context, self.phase = context, phase
        self._pages = Pages(tokens.ids)
        self._targets = len(tokens.ids) - 1
        if self.samples(context - 1) < 1:
            raise UserError(
                f"{self._targets} tokens are too few for windows of context {context}: "
                f"choose at most {(self._targets + 1) // 2}, or name more text"
            )

    def __len__(self) -> int:
        return self.samples(self.phase)

    def samples(self, phase: int) -> int:
        """Windows in a pass that starts at a phase."""
        return max(0, self._targets - phase) // self.context

    def offsets(self, index: ArrayLike, phase: ArrayLike | None = None) -> NDArray[np.int64]:
        """Places [m] at which the windows start."""
        start = np.asarray(self.phase if phase is None else phase, np.int64)
        found: NDArray[np.int64] = start + np.asarray(index, np.int64) * self.context
        return found

    def gather(self, index: ArrayLike) -> Batch:
        """Windows by their number in the pass."""
        return self.at(self.offsets(index))

    def at(self, offsets: ArrayLike) -> Batch:
        """Windows that start at these places [m], each at most ``len(ids) - 1 - context``."""
        places = np.asarray(offsets, np.int64)[:, None] + np.arange(self.context + 1)
        found = self._pages.take(places).astype(np.int64)
        return Batch(found[:, :-1], found[:, 1:], None)

    def targets_in(self, index: ArrayLike) -> NDArray[np.int64]:
        """Targets [m] of each window: all of them."""
        return np.full(len(np.asarray(index)), self.context, np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that hold pieces of the tokens, one after another.

    Attributes:
        context: places of a row.
        first: [rows + 1] pieces before each row.
        starts: [pieces] where each begins in the tokens.
        lengths: [pieces] its places, at most ``context`` a row.
        skipped: [pieces] places at its beginning that are there as context only.
        divided: whether pieces are documents that must not see each other.
        useful: share of all places that hold tokens and no padding.
    """

    context: int
    first: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    skipped: NDArray[np.int64]
    divided: bool
    useful: float
    _pages: Pages
    _separator: int

    def __len__(self) -> int:
        return len(self.first) - 1

    def gather(self, index: ArrayLike) -> Batch:
        """Rows by their number."""
        rows = np.asarray(index, np.int64)
        counts = self.first[rows + 1] - self.first[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        document = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        piece = self.first[rows][owner] + document
        lengths = self.lengths[piece]
        filled = np.bincount(owner, lengths, len(rows)).astype(np.int64)
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        places = np.repeat(self.starts[piece], lengths) + inside
        here = np.arange(self.context) < filled[:, None]
        shape = (len(rows), self.context)
        inputs, targets, documents = (np.full(shape, value, np.int64) for value in (self._separator, NOTHING, NOTHING))
        inputs[here] = self._pages.take(places)
        scored = inside >= np.repeat(self.skipped[piece], lengths)
        targets[here] = np.where(scored, self._pages.take(places + 1), np.int64(NOTHING))
        documents[here] = np.repeat(document, lengths)
        return Batch(inputs, targets, documents if self.divided else None)

    def targets_in(self, index: ArrayLike) -> NDArray[np.int64]:
        """Targets [m] that are scored in each row."""
        found: NDArray[np.int64] = self._targets[np.asarray(index, np.int64)]
        return found

    @cached_property
    def _targets(self) -> NDArray[np.int64]:
        before = np.concatenate([[0], np.cumsum(self.lengths - self.skipped)])
        return np.diff(before[self.first])


def stream(tokens: Tokens, context: int, phase: int = 0) -> Stream:
    """Windows of all tokens, one after another; see ``Stream``."""
    return Stream(tokens, context, phase)


def documents(tokens: Tokens, context: int, truncate: Truncate, seed: int) -> Rows:
    """Several whole documents in each row.

    Documents come in an order that the seed decides; each goes into the row with the least room that it still fits into
    (best fit; Krell et al., "Efficient sequence packing without cross-contamination", 2021).

    Args:
        tokens: the part.
        context: places of a row.
        truncate: of a document that is longer, what is kept: ``head``, its first ``context`` targets; ``tail``, its
            last ones; ``window``, all, as pieces of ``context`` that are documents of their own.
        seed: decides the order.
    """
    starts, lengths = _cut(tokens, context, truncate)
    order = shuffled(len(lengths), seed)
    return _packed(tokens, context, starts[order], lengths[order], np.zeros(len(order), np.int64))


def padded(tokens: Tokens, context: int, truncate: Truncate) -> Rows:
    """One document, or piece of one, in each row, in order; see ``documents`` for what is cut how."""
    starts, lengths = _cut(tokens, context, truncate)
    first = np.arange(len(starts) + 1)
    return _rows(tokens, context, first, starts, lengths, np.zeros(len(starts), np.int64))


def sliding(tokens: Tokens, context: int) -> Rows:
    """Windows for scoring a stream: every target once, with at least half a context before it, the beginning excepted.

    A window starts every ``context // 2`` tokens and scores what the one before it has not.
    """
    starts, lengths, skipped = _windows(np.array([0]), np.array([len(tokens.ids) - 1]), context)
    return _rows(tokens, context, np.arange(len(starts) + 1), starts, lengths, skipped, divided=False)


def sliding_documents(tokens: Tokens, context: int) -> Rows:
    """Windows for scoring document by document: every target once, and never with another document before it.

    Long documents are scored as ``sliding`` does, short ones packed together.
    """
    starts, lengths, skipped = _windows(tokens.starts[:-1], np.diff(tokens.starts), context)
    return _packed(tokens, context, starts, lengths, skipped)


def _cut(tokens: Tokens, context: int, truncate: Truncate) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of the pieces that documents give."""
    starts, lengths = np.array(tokens.starts[:-1]), np.diff(tokens.starts)
    if truncate == "head":
        return starts, np.minimum(lengths, context)
    if truncate == "tail":
        kept = np.minimum(lengths, context)
        return starts + lengths - kept, kept
    counts = -(-lengths // context)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return (
        np.repeat(starts, counts) + number * context,
        np.minimum(np.repeat(lengths, counts) - number * context, context),
    )


def _windows(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], context: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts, lengths and places not scored of windows over stretches of tokens.

    The last window of a stretch is moved back so that it is full.
    """
    stride = max(1, context // 2)
    counts = 1 + -(-np.maximum(lengths - context, 0) // stride)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    whole = np.repeat(lengths, counts)
    moved = np.minimum(number * stride, np.maximum(whole - context, 0))
    scored = np.where(number > 0, (number - 1) * stride + context, 0)  # places that windows before have scored
    return np.repeat(starts, counts) + moved, np.minimum(whole, context), scored - np.where(number > 0, moved, 0)


def _packed(
    tokens: Tokens, context: int, starts: NDArray[np.int64], lengths: NDArray[np.int64], skipped: NDArray[np.int64]
) -> Rows:
    blocks = (lengths[low : low + _BLOCK].tolist() for low in range(0, len(lengths), _BLOCK))
    rows = np.frombuffer(_best_fit(chain.from_iterable(blocks), context), np.int32)
    order = np.argsort(rows, kind="stable")
    first = np.searchsorted(rows[order], np.arange(int(rows.max()) + 2))
    return _rows(tokens, context, first, starts[order], lengths[order], skipped[order])


def _best_fit(lengths: Iterable[int], context: int) -> array[int]:
    """Row of each piece: of the rows that it fits into one with the least room, else a new one."""
    room: list[list[int]] = [[] for _ in range(context + 1)]  # rows by places left
    some = 0  # a bit for each number of places that a row has left
    rows, count = array("i"), 0
    for length in lengths:
        fitting = some >> length
        if fitting:
            left = length + (fitting & -fitting).bit_length() - 1
            row = room[left].pop()
            if not room[left]:
                some &= ~(1 << left)
        else:
            left, row, count = context, count, count + 1
        rows.append(row)
        if left > length:
            room[left - length].append(row)
            some |= 1 << (left - length)
    return rows


def _rows(
    tokens: Tokens,
    context: int,
    first: NDArray[Any],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    skipped: NDArray[np.int64],
    *,
    divided: bool = True,
) -> Rows:
    useful = float(lengths.sum()) / ((len(first) - 1) * context)
    return Rows(
        context,
        first.astype(np.int64),
        starts,
        lengths,
        skipped,
        divided,
        useful,
        Pages(tokens.ids),
        int(tokens.ids[0]),
    )
