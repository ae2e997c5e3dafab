"""Masks hide as many tokens as asked, never a separator, the same ones in any batch; what replaces them is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hpo.objectives.text import masking, packing
from hpo.objectives.text.corpus import open_corpus
from hpo.objectives.text.mixing import mixed, shuffled, uniform
from hpo.objectives.text.tokenizers import Tokenized, tokenize

HERE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tokenized:
    folder = tmp_path_factory.mktemp("text")
    (folder / "t.txt").write_text("".join(f"the {'long ' * (i % 5)}line {i}, said he\n" for i in range(300)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        opened = open_corpus({"text": {"path": str(Path("t.txt")), "documents": "line"}}, 0)
        return tokenize(opened, "bpe", 290)


@pytest.fixture(scope="module")
def batch(made: Tokenized) -> packing.Batch:
    rows = packing.documents(made.train, 61, "window", 0)
    return rows.gather(np.arange(len(rows)))


def keys(count: int, seed: int) -> NDArray[np.uint64]:
    return mixed(seed, np.arange(count))


def eligible(batch: packing.Batch, made: Tokenized) -> NDArray[np.bool_]:
    assert batch.documents is not None
    return (batch.documents >= 0) & (batch.inputs != made.separator)


@HERE
@given(rate=st.floats(0.001, 1), seed=st.integers(0, 2**64 - 1))
def test_as_many_tokens_are_hidden_as_the_rate_says_and_no_separator_or_padding(
    made: Tokenized, batch: packing.Batch, rate: float, seed: int
) -> None:
    inputs, targets = masking.mask(batch.inputs, batch.documents, keys(len(batch.inputs), seed), rate, "token", made)
    may = eligible(batch, made)
    wanted = np.maximum(1, np.rint(rate * may.sum(1)))
    assert ((targets >= 0).sum(1) == wanted).all()
    assert may[targets >= 0].all()
    assert (targets[targets >= 0] == batch.inputs[targets >= 0]).all()
    assert (inputs[targets < 0] == batch.inputs[targets < 0]).all()
    assert (inputs != made.separator).sum() == (batch.inputs != made.separator).sum(), "none is drawn in its place"
    assert (masking.count(batch.inputs, batch.documents, keys(len(inputs), seed), rate, "token", made) == wanted).all()


def chosen_by_hand(made: Tokenized, row: list[int], valid: list[bool], key: np.uint64, rate: float) -> set[int]:
    """Places hidden as whole words."""
    starts = made.word_starts(row).tolist()
    words: dict[int, list[int]] = {}
    begin = 0
    for place, first in enumerate(starts):
        begin = place if first else begin
        if valid[place]:
            words.setdefault(begin, []).append(place)
    draws = {begin: int(mixed(np.array([key]), np.array([begin]))[0]) for begin in words}
    wanted = max(1, round(rate * sum(valid)))
    taken: set[int] = set()
    for begin in sorted(words, key=draws.__getitem__):
        if taken and len(taken) + len(words[begin]) / 2 > wanted:
            break
        taken |= set(words[begin])
    return taken


@HERE
@given(rate=st.floats(0.001, 1), seed=st.integers(0, 2**64 - 1), first=st.integers(0, 20))
def test_words_are_hidden_whole_in_random_order_up_to_the_rate(
    made: Tokenized, batch: packing.Batch, rate: float, seed: int, first: int
) -> None:
    here = slice(first, first + 3)
    inputs, documents = batch.inputs[here], batch.documents
    assert documents is not None
    own = keys(len(inputs), seed)
    _, targets = masking.mask(inputs, documents[here], own, rate, "word", made)
    may = eligible(batch, made)[here]
    for row in range(len(inputs)):
        expected = chosen_by_hand(made, inputs[row].tolist(), may[row].tolist(), own[row], rate)
        assert set(np.flatnonzero(targets[row] >= 0)) == expected
    assert (masking.count(inputs, documents[here], own, rate, "word", made) == (targets >= 0).sum(1)).all()


@pytest.mark.parametrize("unit", ["token", "word"])
def test_a_row_is_masked_the_same_in_any_batch_and_otherwise_under_another_key(
    made: Tokenized, batch: packing.Batch, unit: Any
) -> None:
    documents = batch.documents
    assert documents is not None
    own = keys(len(batch.inputs), 3)
    whole = masking.mask(batch.inputs, documents, own, 0.15, unit, made)
    order = np.array([7, 0, 7, 3])
    part = masking.mask(batch.inputs[order], documents[order], own[order], 0.15, unit, made)
    for one, other in zip(whole, part, strict=True):
        assert np.array_equal(one[order], other)
    valid = masking.mask(batch.inputs, documents >= 0, own, 0.15, unit, made)
    assert all(np.array_equal(one, other) for one, other in zip(whole, valid, strict=True))
    again = masking.mask(batch.inputs, documents, keys(len(own), 4), 0.15, unit, made)
    assert (again[1] != whole[1]).any(axis=1).all()


@pytest.mark.parametrize("unit", ["token", "word"])
def test_words_and_tokens_are_hidden_at_the_same_rate_on_average(
    made: Tokenized, batch: packing.Batch, unit: Any
) -> None:
    total = sum(
        masking.count(batch.inputs, batch.documents, keys(len(batch.inputs), seed), 0.15, unit, made).sum()
        for seed in range(20)
    )
    assert total / 20 / eligible(batch, made).sum() == pytest.approx(0.15, rel=0.03)


def test_of_the_hidden_tokens_the_shares_become_masks_random_and_themselves(
    made: Tokenized, batch: packing.Batch
) -> None:
    inputs, targets = masking.mask(
        batch.inputs,
        batch.documents,
        keys(len(batch.inputs), 0),
        1.0,
        "token",
        made,
        symbol_share=0.5,
        random_share=0.3,
    )
    hidden = targets >= 0
    assert (inputs[hidden] == made.mask).mean() == pytest.approx(0.5, abs=0.03)
    assert (inputs[hidden] == targets[hidden]).mean() == pytest.approx(0.2, abs=0.03)
    drawn = inputs[hidden & (inputs != made.mask) & (inputs != targets)]
    assert len(set(drawn.tolist())) > 0.8 * made.symbols
    assert drawn.max() < made.separator
    only = masking.mask(batch.inputs, batch.documents, keys(len(batch.inputs), 0), 0.2, "token", made, 1.0, 0.0)
    assert (only[0][only[1] >= 0] == made.mask).all()


def test_a_row_of_separators_has_nothing_to_hide(made: Tokenized) -> None:
    inputs = np.full((2, 5), made.separator)
    for unit in ("token", "word"):
        found, targets = masking.mask(inputs, None, keys(2, 0), 0.5, unit, made)  # type: ignore[arg-type]
        assert (found == inputs).all()
        assert (targets == -1).all()
        assert masking.count(inputs, None, keys(2, 0), 0.5, unit, made).tolist() == [0, 0]  # type: ignore[arg-type]


def test_mixed_is_splitmix64() -> None:
    assert [int(x) for x in mixed(1234567, np.arange(3))] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423,
    ]  # fmt: skip
    numbers = uniform(mixed(5, np.arange(100_000)))
    assert 0 <= numbers.min() <= numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.005)


@given(st.integers(0, 200), st.integers(0, 2**64 - 1))
def test_shuffled_is_an_order_of_all(count: int, seed: int) -> None:
    assert sorted(shuffled(count, seed).tolist()) == list(range(count))
