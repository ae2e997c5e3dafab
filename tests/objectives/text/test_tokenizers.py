"""Tokens are the text: exact round trips, sums of bytes, the same words and the same scored text for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from corpora import SENTENCES, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.objectives.text import cache, encoders, parts, reading
from hpo.objectives.text.corpus import open_corpus
from hpo.objectives.text.tokenizers import TOKENIZERS, Tokenized, tokenize
from hpo.search.terms.errors import DataError, UserError

HERE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=TOKENIZERS)
def made(request: pytest.FixtureRequest) -> Tokenized:
    return tokenize(lines(), request.param, 300)


def test_parts_are_documents_between_separators_and_their_bytes_are_summed_exactly(made: Tokenized) -> None:
    texts = lines()
    for part, tokens in (("train", made.train), ("validation", made.validation), ("test", made.test())):
        assert tokens.ids[0] == tokens.ids[-1] == made.separator
        assert np.array_equal(np.flatnonzero(tokens.ids == made.separator), tokens.starts)
        assert made.lengths[tokens.ids].sum() == tokens.bytes == texts.bytes[part]
        assert tokens.documents == texts.documents[part]
        for place, text in enumerate(texts.texts(part)):  # type: ignore[arg-type]
            ids = tokens.ids[tokens.starts[place] + 1 : tokens.starts[place + 1]]
            assert made.decode(ids) == text
            assert np.array_equal(made.encode(text), ids)
        assert tokens.ids.max() < made.symbols
        assert not (tokens.ids == made.mask).any()


def test_numbers_take_the_smallest_type_and_are_mapped_not_held(made: Tokenized) -> None:
    assert isinstance(made.train.ids, np.memmap)
    assert made.train.ids.dtype == (np.uint8 if made.symbols <= 256 else np.uint16)
    assert (made.separator, made.mask) == (made.symbols - 2, made.symbols - 1)
    assert len(made.lengths) == made.symbols


@HERE
@given(text=st.text(max_size=200))
def test_bytes_and_bpe_give_any_text_back(text: str) -> None:
    for tokenizer in ("bytes", "bpe"):
        made = tokenize(lines(), tokenizer, 300)
        ids = made.encode(text)
        assert made.decode(ids) == text
        assert made.lengths[ids].sum() == len(text.encode())
        noisy = np.insert(ids.astype(np.int64), 0, [made.separator, made.mask])
        assert made.decode(noisy) == text


@HERE
@given(text=st.text(max_size=60))
def test_unknown_characters_keep_their_bytes(text: str) -> None:
    made = tokenize(lines(), "char", 0)
    ids = made.encode(text)
    assert len(ids) == len(text)
    assert made.lengths[ids].sum() == len(text.encode())
    known = set("".join(lines().texts("train")))
    assert made.decode(ids) == "".join(letter if letter in known else "\ufffd" for letter in text)


def test_unknown_characters_of_validation_are_counted_in_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"plain {i} {chr(0x4E00 + i)}" for i in range(40)]
    made = tokenize(lines(texts), "char", 0)
    (note,) = made.notes
    assert note.startswith("4 of ")
    assert "characters of validation do not occur in training" in note
    monkeypatch.setattr(encoders, "MOST_CHARACTERS", 10)
    few = tokenize(lines([text + "." for text in texts]), "char", 0)
    assert few.symbols == 10 + 4 + 2
    assert "kinds of characters are rare and have no symbol of their own" in few.notes[0]
    assert few.lengths[few.train.ids].sum() == few.train.bytes


def test_a_tokenizer_learns_from_the_training_part_alone() -> None:
    path = Path("t.txt")

    def made(last: str, tokenizer: str) -> tuple[list[int], int]:
        path.write_text("abc abc abd\n" * 18 + last * 2)
        found = tokenize(open_corpus({"text": {"path": str(path)}}, 0), tokenizer, 264)
        return found.train.ids.tolist(), found.symbols

    for tokenizer in TOKENIZERS:
        assert made("xyz xyz xyz\n", tokenizer) == made("abc abc abc\n", tokenizer)


def test_bpe_has_the_symbols_asked_for_or_says_that_there_are_no_more() -> None:
    assert tokenize(lines(), "bpe", 270).symbols == 270
    plenty = tokenize(lines(), "bpe", 4096)
    assert plenty.symbols < 4096
    assert f"bpe finds {plenty.symbols} symbols" in plenty.notes[-1]
    assert tokenize(lines(), "bpe", 258).symbols == 258
    assert len(tokenize(lines(), "bpe", 270).train.ids) < len(tokenize(lines(), "bytes", 0).train.ids)


def test_bpe_counts_pairs_in_a_spread_sample_of_a_large_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "TRAINED_ON", 1000)
    monkeypatch.setattr(parts, "_BATCH", 100)
    monkeypatch.setattr(reading, "REGION", 100)
    made = tokenize(lines(), "bpe", 270)
    assert "of the training text, spread over all of it" in made.notes[0]
    text = "".join(encoders._sampled(lines(), 0.5))
    assert 0.4 < len(text.encode()) / lines().bytes["train"] < 0.6


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_long_document_in_pieces_has_the_tokens_of_the_whole(tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{i}  \n\n  def {'x' * (i % 7)}\t():\u3000\n {'é ' * (i % 3)}\n\nreturn\n" for i in range(80))
    Path("one.txt").write_text(text)
    opened = open_corpus({"text": {"path": "one.txt"}}, 0)
    whole = tokenize(opened, tokenizer, 300)
    expected = whole.encode("".join(opened.texts("train")))
    assert np.array_equal(whole.train.ids[1:-1], expected)
    for module in (parts, reading):
        monkeypatch.setattr(module, "PIECE", 90)
    monkeypatch.setattr(encoders, "_PIECE", 70)
    monkeypatch.setattr(cache, "VERSION", -1)
    again = tokenize(open_corpus({"text": {"path": "one.txt"}}, 0), tokenizer, 300)
    assert again.digest != whole.digest
    assert np.array_equal(again.train.ids, whole.train.ids)
    assert again.decode(again.validation.ids) == "".join(opened.texts("validation"))


@pytest.mark.parametrize("few", [True, False])
@HERE
@given(most=st.integers(0, 700))
def test_what_is_scored_is_the_same_beginning_for_every_tokenizer(few: bool, most: int) -> None:
    opened = lines(SENTENCES[: 8 if few else 80], validation=0.5, test=0)
    texts = list(opened.texts("validation"))
    found = {name: tokenize(opened, name, 300) for name in TOKENIZERS}
    scored = {name: made.scored(most) for name, made in found.items()}
    text, size = found["bytes"].decode(scored["bytes"].ids), scored["bytes"].bytes
    count = scored["bytes"].documents
    assert found["bpe"].decode(scored["bpe"].ids) == text
    assert len(found["char"].decode(scored["char"].ids)) == len(text)
    assert "".join(texts).startswith(text)
    assert len(text.encode()) == size
    for name, tokens in scored.items():
        assert found[name].lengths[tokens.ids].sum() == tokens.bytes == size
        assert tokens.documents == count
    if most == 0 or most >= opened.bytes["validation"]:
        assert text == "".join(texts)
        return
    ends = [0]  # where lines and documents end
    for one in texts:
        base = ends[-1]
        for line in one.splitlines(keepends=True):
            base += len(line.encode())
            ends.append(base)
    fits = [end for end in ends[1:] if end <= most]
    assert size == (fits[-1] if fits else ends[1])
    assert count == sum(1 for i in range(len(texts)) if len("".join(texts[:i]).encode()) < size)


def words_by_hand(made: Tokenized, ids: list[int]) -> list[bool]:
    """Whether each token begins a word, from the text."""
    found, before = list[bool](), ""
    for number in ids:
        text = made._spelled[number].decode("utf-8", "replace")
        if number >= made.separator:
            found.append(False)
            before = "" if number == made.separator else "x"
            continue
        blank = text[:1] in " \t\n\v\f\r"
        found.append(before == "" or (blank and before[-1] not in " \t\n\v\f\r"))
        before = text
    return found


def test_words_begin_with_white_space_and_are_the_same_stretches_for_every_tokenizer() -> None:
    opened, stretches = lines(), set()
    for name in TOKENIZERS:
        made = tokenize(opened, name, 300)
        ids = made.validation.ids
        starts = made.word_starts(ids)
        assert starts.tolist() == words_by_hand(made, ids.tolist())
        places = np.cumsum(made.lengths[ids]) - made.lengths[ids]
        stretches.add(tuple(places[starts].tolist()))
        rows = np.stack([ids[:20], ids[3:23]])
        assert made.word_starts(rows).tolist() == [words_by_hand(made, row) for row in rows.tolist()]
    assert len(stretches) == 1


def test_a_mask_before_a_word_does_not_begin_it() -> None:
    made = tokenize(lines(), "bytes", 0)
    ids = [made.separator, *made.encode("a b"), made.mask, *made.encode("c d"), made.separator, *made.encode("e")]
    assert made.word_starts(ids).nonzero()[0].tolist() == [1, 2, 6, 9]


def test_a_corpus_without_a_test_part_has_no_test_tokens() -> None:
    made = tokenize(lines(test=0), "bytes", 0)
    with pytest.raises(DataError, match="has no test part"):
        made.test()


@pytest.mark.parametrize(
    ("tokenizer", "vocabulary", "said"),
    [
        ("bit", 0, "no tokenizer called 'bit'"),
        ("byte", 0, "did you mean 'bytes'"),
        ("bpe", 257, "vocabulary 257 is too small for bpe"),
    ],
)
def test_a_wrong_tokenizer_is_told(tokenizer: str, vocabulary: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        tokenize(lines(), tokenizer, vocabulary)


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'hpo-suite\[text\]', or choose bytes or char"):
        tokenize(lines(), "bpe", 300)
    assert tokenize(lines(), "char", 0).symbols
