"""Rows hold every token once as a target, never one of another document, and are what a plain loop makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.text import packing
from hpo.objectives.text.tokenizers import Tokens
from hpo.search.terms.errors import UserError

HERE = settings(max_examples=50)

SEPARATOR = 254

DOCUMENTS = st.lists(st.integers(1, 40), min_size=1, max_size=25)
CONTEXTS = st.integers(1, 17)
TRUNCATE = st.sampled_from(["head", "tail", "window"])


def tokens(lengths: list[int]) -> Tokens:
    """Documents of these lengths; each token is another number, as far as a byte can tell."""
    ids, starts = [SEPARATOR], [0]
    for length in lengths:
        ids += [(len(ids) + i) % 250 for i in range(length)] + [SEPARATOR]
        starts.append(len(ids) - 1)
    return Tokens(np.array(ids, np.uint16), np.array(starts, np.int64), sum(lengths))


def pieces_by_hand(found: Tokens, context: int, truncate: str) -> list[tuple[list[int], list[int]]]:
    """Inputs and targets of every piece that documents give."""
    ids, pieces = found.ids.tolist(), []
    for low, high in zip(found.starts.tolist(), found.starts.tolist()[1:], strict=False):
        inputs, targets = ids[low:high], ids[low + 1 : high + 1]
        if truncate == "head":
            pieces.append((inputs[:context], targets[:context]))
        elif truncate == "tail":
            pieces.append((inputs[-context:], targets[-context:]))
        else:
            pieces += [(inputs[i : i + context], targets[i : i + context]) for i in range(0, len(inputs), context)]
    return pieces


def pieces_in(batch: packing.Batch) -> list[tuple[list[int], list[int]]]:
    """Pieces as the document numbers divide the rows, in order; checks that padding is padding."""
    assert batch.documents is not None
    found = []
    for inputs, targets, documents in zip(*batch, strict=True):
        padding = documents < 0
        assert (inputs[padding] == SEPARATOR).all()
        assert (targets[padding] == -1).all()
        assert not padding[:1].any()
        assert (np.diff(padding.astype(int)) >= 0).all(), "padding stands at the end"
        numbers = documents[~padding]
        assert (np.diff(numbers) >= 0).all()
        assert set(numbers) == set(range(len(set(numbers))))
        found += [(inputs[documents == n].tolist(), targets[documents == n].tolist()) for n in sorted(set(numbers))]
    return found


@HERE
@given(DOCUMENTS, CONTEXTS, TRUNCATE, st.integers(0, 5))
def test_packed_rows_hold_every_piece_once_and_whole(
    lengths: list[int], context: int, truncate: Any, seed: int
) -> None:
    found = tokens(lengths)
    rows = packing.documents(found, context, truncate, seed)
    batch = rows.gather(np.arange(len(rows)))
    assert sorted(pieces_in(batch)) == sorted(pieces_by_hand(found, context, truncate))
    assert (batch.targets >= 0).sum(axis=1).tolist() == rows.targets_in(np.arange(len(rows))).tolist()
    assert rows.useful == pytest.approx((batch.documents >= 0).mean())  # type: ignore[operator]


@HERE
@given(DOCUMENTS, CONTEXTS, TRUNCATE)
def test_padded_rows_are_the_pieces_in_order(lengths: list[int], context: int, truncate: Any) -> None:
    found = tokens(lengths)
    rows = packing.padded(found, context, truncate)
    batch = rows.gather(np.arange(len(rows)))
    assert pieces_in(batch) == pieces_by_hand(found, context, truncate)
    assert (batch.targets >= 0).sum(axis=1).tolist() == rows.targets_in(np.arange(len(rows))).tolist()


@HERE
@given(DOCUMENTS, CONTEXTS, st.integers(0, 5), st.data())
def test_rows_come_as_asked_for_in_any_order_and_twice(
    lengths: list[int], context: int, seed: int, drawn: st.DataObject
) -> None:
    rows = packing.documents(tokens(lengths), context, "window", seed)
    everything = rows.gather(np.arange(len(rows)))
    index = drawn.draw(st.lists(st.integers(0, len(rows) - 1), max_size=7))
    for whole, part in zip(everything, rows.gather(index), strict=True):
        assert whole is not None
        assert part is not None
        assert np.array_equal(whole[np.array(index, int)], part)


@HERE
@given(st.lists(st.integers(1, 30), min_size=40, max_size=90), st.integers(0, 5))
def test_packing_fills_rows_better_than_padding_and_the_seed_decides_the_order(lengths: list[int], seed: int) -> None:
    found = tokens(lengths)
    rows = packing.documents(found, 64, "window", seed)
    assert len(rows) <= len(packing.padded(found, 64, "window"))
    assert rows.useful >= 0.5
    again = packing.documents(found, 64, "window", seed)
    assert np.array_equal(rows.gather([0]).inputs, again.gather([0]).inputs)


@HERE
@given(DOCUMENTS, CONTEXTS, st.data())
def test_a_stream_makes_every_token_behind_its_phase_a_target_once(
    lengths: list[int], context: int, drawn: st.DataObject
) -> None:
    found = tokens(lengths)
    targets = len(found.ids) - 1
    if (targets + 1) // 2 < context:
        with pytest.raises(UserError, match="too few"):
            packing.stream(found, context)
        return
    phase = drawn.draw(st.integers(0, context - 1))
    rows = packing.stream(found, context, phase)
    batch = rows.gather(np.arange(len(rows)))
    kept = len(rows) * context
    assert targets - phase - context < kept <= targets - phase
    assert batch.documents is None
    assert batch.inputs.ravel().tolist() == found.ids[phase : phase + kept].tolist()
    assert batch.targets.ravel().tolist() == found.ids[phase + 1 : phase + kept + 1].tolist()
    assert rows.targets_in([0, 0]).tolist() == [context, context]
    assert np.array_equal(rows.at([phase]).inputs, batch.inputs[:1])


def scored_by_hand(found: Tokens, bounds: list[tuple[int, int]], batch: packing.Batch, context: int) -> None:
    """Every target once, each with half a context before it or all that its stretch has."""
    seen = []
    ids = found.ids.tolist()
    documents = np.zeros_like(batch.inputs) if batch.documents is None else batch.documents
    for inputs, targets, numbers in zip(batch.inputs, batch.targets, documents, strict=True):
        for number in sorted(set(numbers[numbers >= 0])):
            own, asked = inputs[numbers == number].tolist(), targets[numbers == number].tolist()
            scored = [place for place, target in enumerate(asked) if target >= 0]
            for place in scored:
                seen.append((own[: place + 1], asked[place]))
    expected = [target for low, high in bounds for target in ids[low + 1 : high + 1]]
    assert sorted(target for _, target in seen) == sorted(expected)
    fewest = context - max(1, context // 2)
    short = sum(1 for before, _ in seen if len(before) <= fewest)
    assert short <= sum(min(high - low, fewest) for low, high in bounds)


@HERE
@given(DOCUMENTS, CONTEXTS)
def test_sliding_windows_score_every_token_once_with_half_a_context(lengths: list[int], context: int) -> None:
    found = tokens(lengths)
    rows = packing.sliding(found, context)
    batch = rows.gather(np.arange(len(rows)))
    assert batch.documents is None
    scored_by_hand(found, [(0, len(found.ids) - 1)], batch, context)
    assert rows.targets_in(np.arange(len(rows))).sum() == len(found.ids) - 1
    in_order = batch.targets[batch.targets >= 0]
    assert in_order.tolist() == found.ids[1:].tolist()


@HERE
@given(DOCUMENTS, CONTEXTS)
def test_sliding_by_documents_scores_every_token_once_and_crosses_none(lengths: list[int], context: int) -> None:
    found = tokens(lengths)
    rows = packing.sliding_documents(found, context)
    batch = rows.gather(np.arange(len(rows)))
    bounds = list(zip(found.starts.tolist(), found.starts.tolist()[1:], strict=False))
    scored_by_hand(found, bounds, batch, context)
    assert (batch.targets >= 0).sum(axis=1).tolist() == rows.targets_in(np.arange(len(rows))).tolist()
    assert batch.documents is not None
    inside = batch.documents[:, 1:] == batch.documents[:, :-1]
    assert not ((batch.inputs[:, 1:] == SEPARATOR) & inside & (batch.documents[:, 1:] >= 0)).any()
