"""Hiding tokens for masked language models: which, and what stands in their place, decided by a key for each row.

What is drawn follows from a row's key and the place alone, so a row is masked the same in whatever batch it comes. A
new key each epoch is dynamic masking (Liu et al., "RoBERTa", 2019), the same one static.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.text.mixing import mixed, uniform
from hpo.objectives.text.packing import NOTHING
from hpo.objectives.text.tokenizers import Tokenizer

Unit = Literal["token", "word"]

_PLACEMENT = np.uint64(0xD1B54A32D192ED03)
_SYMBOL = np.uint64(0x8CB92BA72F3D8DD7)


def mask(
    inputs: NDArray[np.int64],
    documents: NDArray[Any] | None,
    keys: NDArray[np.uint64],
    rate: float,
    unit: Unit,
    tokenizer: Tokenizer,
    symbol_share: float = 0.8,
    random_share: float = 0.1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hide tokens of each row, and ask for them (Devlin et al., "BERT", 2019).

    Separators and padding are never hidden. With unit ``token`` exactly max(1, round(rate * tokens)) of a row's
    tokens are (half to even); with unit ``word`` whole words (``Tokenizer.word_starts``) are, at least one, in random
    order as long as their number comes nearer to that. A row without a token has nothing to hide.

    Args:
        inputs: [m, context] ids.
        documents: [m, context], -1 at padding, or booleans, False at padding; None where there is none.
        keys: [m] 64 bits that decide everything random in each row.
        rate: share of the tokens to hide, in (0, 1].
        unit: what is hidden or left as a whole.
        tokenizer: which ids are what.
        symbol_share: of the hidden tokens replaced by the mask, in [0, 1].
        random_share: replaced by any symbol, with the same probability each; the rest stays as it is.

    Returns:
        inputs with what is hidden, and targets [m, context] with the ids that were there, -1 elsewhere.
    """
    chosen = _chosen(inputs, documents, keys, rate, unit, tokenizer)
    places = np.arange(inputs.shape[1])
    drawn = uniform(mixed(keys[:, None] ^ _PLACEMENT, places))
    other = (uniform(mixed(keys[:, None] ^ _SYMBOL, places)) * tokenizer.separator).astype(np.int64)
    found = np.where(drawn < symbol_share, tokenizer.mask, np.where(drawn < symbol_share + random_share, other, inputs))
    return np.where(chosen, found, inputs), np.where(chosen, inputs, NOTHING)


def count(
    inputs: NDArray[np.int64],
    documents: NDArray[Any] | None,
    keys: NDArray[np.uint64],
    rate: float,
    unit: Unit,
    tokenizer: Tokenizer,
) -> NDArray[np.int64]:
    """Targets [m] that ``mask`` gives in each row; with unit ``token`` nothing is drawn for it."""
    if unit == "token":
        return _wanted(_eligible(inputs, documents, tokenizer), rate)
    found: NDArray[np.int64] = _chosen(inputs, documents, keys, rate, unit, tokenizer).sum(axis=1)
    return found


def _eligible(inputs: NDArray[np.int64], documents: NDArray[Any] | None, tokenizer: Tokenizer) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = inputs < tokenizer.separator
    if documents is None:
        return found
    return found & (documents if documents.dtype == np.bool_ else documents >= 0)


def _wanted(eligible: NDArray[np.bool_], rate: float) -> NDArray[np.int64]:
    there = eligible.sum(axis=1)
    found: NDArray[np.int64] = np.minimum(there, np.maximum(1, np.rint(rate * there))).astype(np.int64)
    return found


def _chosen(
    inputs: NDArray[np.int64],
    documents: NDArray[Any] | None,
    keys: NDArray[np.uint64],
    rate: float,
    unit: Unit,
    tokenizer: Tokenizer,
) -> NDArray[np.bool_]:
    """Which places are hidden: those whose unit has the smallest random numbers."""
    eligible = _eligible(inputs, documents, tokenizer)
    wanted = _wanted(eligible, rate)[:, None]
    places = np.arange(inputs.shape[1])
    unit_of = np.broadcast_to(places, inputs.shape)
    if unit == "word":
        starts = tokenizer.word_starts(inputs)
        unit_of = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    drawn = mixed(keys[:, None], unit_of)
    # a stable sort by unit, ineligible places last: the tokens of a unit stand together, in the order of the draws
    order = np.lexsort((drawn, ~eligible))
    unit_of, sorted_in = np.take_along_axis(unit_of, order, 1), np.take_along_axis(eligible, order, 1)
    begins = np.ones(inputs.shape, bool)
    begins[:, 1:] = (unit_of[:, 1:] != unit_of[:, :-1]) | ~sorted_in[:, 1:]
    before = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    number = np.cumsum(begins, axis=1) - 1 + np.arange(len(inputs))[:, None] * inputs.shape[1]
    sizes = np.bincount(number.ravel(), minlength=inputs.size)[number]
    taken = sorted_in & ((before == 0) | (before + sizes / 2 <= wanted)) & (wanted > 0)
    chosen = np.empty(inputs.shape, bool)
    np.put_along_axis(chosen, order, taken, 1)
    return chosen
