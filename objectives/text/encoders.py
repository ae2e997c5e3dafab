"""From text to numbers: bytes, characters, or pairs of bytes merged by frequency.

An encoder numbers its symbols from 0; the two last ones are the separator of documents and the mask of masked language
models, which stand for no text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.text.cache import Progress
from hpo.objectives.text.corpus import Corpus
from hpo.objectives.text.reading import cut
from hpo.search.terms.errors import UserError

TOKENIZERS = ("bytes", "char", "bpe")

MOST_CHARACTERS = 65_000
"""Kinds of characters with a symbol of their own, so that a number fits into 16 bits."""
TRAINED_ON = 64 << 20
"""Bytes of text that pairs are counted in at most: more changes no merge that matters, and takes minutes."""

FILE = "tokenizer.json"
"""What an encoder is saved in, as plain JSON: characters, or vocabulary and merges."""

_PIECE = 1 << 16
_UNKNOWN = 4


@dataclass(frozen=True, eq=False)
class Symbols:
    """What the symbols stand for.

    Attributes:
        spelled: UTF-8 of each; empty for separator and mask.
        lengths: [symbols] bytes of text that each stands for.
    """

    spelled: list[bytes]
    lengths: NDArray[np.int64]


class Encoder(Protocol):
    """A tokenizer that is fitted."""

    symbols: Symbols

    def encode(self, texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Symbols of some texts in one row, without separators, and how many each text has."""

    def written(self) -> str | None:
        """JSON text from which ``loaded`` makes the same encoder; None where its name says all."""


class Bytes:
    """A byte is its own symbol; 254 and 255 never occur in UTF-8 and are separator and mask."""

    def __init__(self) -> None:
        spelled = [*(bytes([value]) for value in range(254)), b"", b""]
        self.symbols = Symbols(spelled, np.array([1] * 254 + [0, 0], np.int64))

    def encode(self, texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """See ``Encoder``."""
        return np.frombuffer(b"".join(texts), np.uint8), np.array([len(text) for text in texts], np.int64)

    def written(self) -> None:
        """See ``Encoder``."""


class Characters:
    """A symbol for each kind of character, four for unknown ones of one to four bytes.

    With one for each length the bytes of a text are still the sum over its symbols.
    """

    def __init__(self, kinds: NDArray[np.uint32]) -> None:
        """Take the code points, in order."""
        spelled = [chr(kind).encode() for kind in kinds.tolist()]
        lengths = [*map(len, spelled), 1, 2, 3, 4, 0, 0]
        self.symbols = Symbols([*spelled, *["\ufffd".encode()] * _UNKNOWN, b"", b""], np.array(lengths, np.int64))
        self._table = np.empty(0x110000, np.uint16)
        for low, high, count in ((0, 0x80, 0), (0x80, 0x800, 1), (0x800, 0x10000, 2), (0x10000, 0x110000, 3)):
            self._table[low:high] = len(kinds) + count
        self._table[kinds] = np.arange(len(kinds), dtype=np.uint16)
        self.unknown = range(len(kinds), len(kinds) + _UNKNOWN)
        self._kinds = kinds

    @classmethod
    def fitted(cls, corpus: Corpus) -> tuple[Characters, list[str]]:
        """For the characters of the training part, the most frequent ones where there are too many; and notes."""
        counts = np.zeros(0x110000, np.int64)
        for batch, _ in corpus.batches("train"):
            counts += np.bincount(code_points(b"".join(batch)), minlength=len(counts))
        there = int((counts > 0).sum())
        kinds = np.argsort(-counts, kind="stable")[: min(MOST_CHARACTERS, there)]
        rare = there - len(kinds)
        notes = [f"{rare:,} of {there:,} kinds of characters are rare and have no symbol of their own"] if rare else []
        return cls(np.sort(kinds).astype(np.uint32)), notes

    def written(self) -> str:
        """See ``Encoder``."""
        return json.dumps({"characters": "".join(map(chr, self._kinds.tolist()))}, ensure_ascii=False) + "\n"

    def encode(self, texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """See ``Encoder``."""
        joined = b"".join(texts)
        counts = [len(text) for text in texts] if joined.isascii() else [len(text.decode()) for text in texts]
        return self._table[code_points(joined)], np.array(counts, np.int64)


def code_points(text: bytes) -> NDArray[Any]:
    """Unicode code points of UTF-8 text."""
    if text.isascii():
        return np.frombuffer(text, np.uint8)
    return np.frombuffer(text.decode().encode("utf-32-le"), np.uint32)


class Pairs:
    """Byte-level byte pair encoding (Sennrich et al. 2016; Radford et al. 2019), by the package ``tokenizers``."""

    def __init__(self, model: str) -> None:
        """Take the tokenizer as JSON, as the package writes it."""
        self._model = model
        self._tokenizer: Any = None
        vocabulary = json.loads(model)["model"]["vocab"]
        letters = {letter: value for value, letter in enumerate(_letters())}
        spelled = [b""] * (len(vocabulary) + 2)
        for token, number in vocabulary.items():
            spelled[number] = bytes(letters[letter] for letter in token)
        self.symbols = Symbols(spelled, np.array([len(text) for text in spelled], np.int64))

    @classmethod
    def fitted(cls, corpus: Corpus, vocabulary: int) -> tuple[Pairs, list[str]]:
        """For the training part; and notes.

        Args:
            corpus: the text.
            vocabulary: symbols in all, separator and mask among them.
        """
        needs_package()
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary - 2,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[],
        )
        share = min(1.0, TRAINED_ON / corpus.bytes["train"])
        with _parallel():
            tokenizer.train_from_iterator(_sampled(corpus, share), trainer)
        found, notes = tokenizer.get_vocab_size() + 2, []
        if share < 1:
            notes.append(f"the pairs of bpe are counted in {share:.1%} of the training text, spread over all of it")
        if found < vocabulary:
            notes.append(f"bpe finds {found} symbols in the training text, not {vocabulary}: every word is one already")
        return cls(tokenizer.to_str()), notes

    def written(self) -> str:
        """See ``Encoder``; ``tokenizers.Tokenizer.from_file`` reads it too."""
        return self._model

    def encode(self, texts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """See ``Encoder``."""
        if self._tokenizer is None:
            needs_package()
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_str(self._model)
        parts, owners = list[str](), list[int]()
        for owner, text in enumerate(texts):
            for part in _parts(text):
                parts.append(part.decode())
                owners.append(owner)
        with _parallel():
            found = self._tokenizer.encode_batch_fast(parts, add_special_tokens=False)
        rows = [np.array(encoding.ids, np.uint32) for encoding in found]
        counts = np.bincount(owners, [len(row) for row in rows], len(texts)).astype(np.int64)
        return np.concatenate(rows) if rows else np.empty(0, np.uint32), counts


def needs_package() -> None:
    """Say what is missing for byte pair encoding.

    Raises:
        UserError: the package is not installed.
    """
    if find_spec("tokenizers") is None:
        raise UserError(
            "tokenizer bpe needs the package tokenizers: pip install 'hpo-suite[text]', or choose bytes or char"
        )


def _sampled(corpus: Corpus, share: float) -> Iterator[str]:
    """A share of the training text, spread evenly over it."""
    progress = Progress(f"counting pairs in {corpus.name}", corpus.bytes["train"])
    for number, (batch, _) in enumerate(corpus.batches("train")):
        progress.add(sum(map(len, batch)))
        if int((number + 1) * share) > int(number * share):
            for text in batch:
                yield from (part.decode() for part in _parts(text))
    progress.end()


def _parts(text: bytes) -> Iterator[bytes]:
    """A long text in pieces that are encoded at the same time; their tokens are those of the whole."""
    start = 0
    while len(text) - start > _PIECE:
        place = cut(text[start : start + _PIECE + 1], _PIECE)
        yield text[start : start + place]
        start += place
    yield text[start:]


def _letters() -> list[str]:
    """The character that byte-level BPE writes for each byte (Radford et al. 2019, ``bytes_to_unicode``)."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(value if value in printed else next(others)) for value in range(256)]


_threads_of: int | None = None


@contextmanager
def _parallel() -> Iterator[None]:
    """Let ``tokenizers`` use the cores within this, and no thread of its own outside.

    Its threads do not live on in a forked process, which would wait for them for ever; and while they may be used it
    prints a warning at every fork.
    """
    global _threads_of
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    if before is None or _threads_of is not None:
        if _threads_of is None:
            _threads_of = os.getpid()
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if _threads_of == os.getpid() else "false"
    try:
        yield
    finally:
        if _threads_of is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"


def loaded(tokenizer: str, folder: Path) -> Encoder:
    """The encoder that was saved in a folder.

    Raises:
        OSError: its file cannot be read.
        ValueError, KeyError, TypeError: the file describes no such encoder.
    """
    if tokenizer == "bytes":
        return Bytes()
    text = (folder / FILE).read_text(encoding="utf-8")
    if tokenizer == "char":
        return Characters(code_points(json.loads(text)["characters"].encode()).astype(np.uint32))
    return Pairs(text)


def save(encoder: Encoder, folder: Path) -> list[Path]:
    """Write what ``loaded`` needs; gives the files."""
    text = encoder.written()
    if text is None:
        return []
    (folder / FILE).write_text(text, encoding="utf-8")
    return [folder / FILE]


def fitted(tokenizer: str, corpus: Corpus, vocabulary: int) -> tuple[Encoder, list[str]]:
    """Fit an encoder to the training part; gives notes too."""
    if tokenizer == "char":
        return Characters.fitted(corpus)
    if tokenizer == "bpe":
        return Pairs.fitted(corpus, vocabulary)
    return Bytes(), []
