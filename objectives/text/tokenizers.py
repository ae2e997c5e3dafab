"""A corpus as numbers: tokens of training and validation in memory-mapped files, fitted to the training part alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo.objectives.data import texts
from hpo.objectives.text import cache, encoders
from hpo.objectives.text.corpus import Corpus, PartName
from hpo.search.terms.errors import NoTestPart, UserError, did_you_mean

TOKENIZERS = encoders.TOKENIZERS

_CHARACTERS = (128, 1920, 61440, 1048576)
"""Characters whose UTF-8 has one, two, three and four bytes; surrogates are none."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """One part of a corpus as numbers.

    Attributes:
        ids: [n] of uint8, uint16 or uint32, memory-mapped: separator, first document, separator, ..., last document,
            separator; so there are n - 1 targets.
        starts: [documents + 1] places of the separators, memory-mapped.
        bytes: of the text in UTF-8; separators have none.
    """

    ids: NDArray[Any]
    starts: NDArray[np.int64]
    bytes: int

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.starts) - 1


class Tokenizer:
    """A fitted tokenizer, with or without the text that it was fitted to.

    Attributes:
        name: ``bytes``, ``char`` or ``bpe``.
        symbols: ids are in 0 .. symbols - 1; separator and mask are the last two.
        separator: stands before, between and behind documents.
        mask: of masked language models.
        lengths: [symbols] bytes of text that each stands for, 0 for separator and mask. Over a part they sum to its
            ``bytes`` exactly: of characters there is an unknown one for each length of UTF-8.
        unspelled: [symbols] nats that tell which of the characters of its length an unknown one is, all equally likely;
            0 for symbols that say what they are.
    """

    def __init__(self, name: str, encoder: encoders.Encoder) -> None:
        """Take the encoder of that name."""
        self.name, self.encoder = name, encoder
        self._spelled, self.lengths = encoder.symbols.spelled, encoder.symbols.lengths
        self.unspelled = np.zeros(len(self._spelled))
        for size, number in enumerate(getattr(encoder, "unknown", ()), 1):
            known = sum(len(text) == size for text in self._spelled[: number - size + 1])
            self.unspelled[number] = math.log(max(1, _CHARACTERS[size - 1] - known))
        self.symbols = len(self._spelled)
        self.separator, self.mask = self.symbols - 2, self.symbols - 1
        spaces = [(text[:1].isspace(), text[-1:].isspace()) for text in self._spelled]
        self._begins_blank, self._ends_blank = np.array(spaces, bool).T

    @classmethod
    def saved(cls, name: str, folder: Path) -> Tokenizer:
        """The one that ``save`` wrote into a folder.

        Raises:
            UserError: it is missing or damaged, or there is no such tokenizer.
        """
        if name not in TOKENIZERS:
            raise UserError(f"there is no tokenizer called {name!r}: {did_you_mean(str(name), TOKENIZERS)}")
        try:
            return cls(name, encoders.loaded(name, folder))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise UserError(f"{folder / encoders.FILE} cannot be read as a tokenizer: {why}") from None

    def save(self, folder: Path) -> list[Path]:
        """Write it as plain JSON; gives the files, none where its name says all."""
        return encoders.save(self.encoder, folder)

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text, without separators.

        Args:
            text: any; empty gives no ids.
        """
        found: NDArray[Any] = self.encoder.encode([text.encode()])[0].astype(_kind(self.symbols))
        return found

    def tokens(self, documents: Sequence[str]) -> Tokens:
        """Documents as numbers, held in memory, with a separator before, between and behind them."""
        pieces, starts, size = list[NDArray[Any]](), [0], 0
        for text in documents:
            ids = self.encode(text).astype(np.int64)
            pieces += [np.array([self.separator]), ids]
            starts.append(starts[-1] + 1 + len(ids))
            size += len(text.encode())
        return Tokens(np.concatenate([*pieces, [self.separator]]), np.array(starts), size)

    def decode(self, ids: ArrayLike) -> str:
        """Text of ids; separators and masks have none, what is no UTF-8 becomes U+FFFD, as unknown characters do."""
        spelled = self._spelled
        return b"".join([spelled[number] for number in np.asarray(ids).ravel().tolist()]).decode("utf-8", "replace")

    def word_starts(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Whether each token begins a word: a run of ASCII white space with what follows up to the next.

        So words are the same stretches of text for every tokenizer. A token begins one if it begins with white space
        and the token before does not end with such, or if it comes first in its row or after a separator. Separators
        and masks begin none.

        Args:
            ids: [..., n].
        """
        found = np.asarray(ids)
        starts: NDArray[np.bool_] = self._begins_blank[found]
        starts[..., 1:] &= ~self._ends_blank[found[..., :-1]]
        starts[..., 1:] |= found[..., :-1] == self.separator
        starts[..., :1] = True
        starts &= found < self.separator
        return starts


class Tokenized(Tokenizer):
    """A tokenizer with what it makes of the corpus that it was fitted to.

    Attributes:
        digest: twelve hex digits that name corpus, split and tokenizer.
        notes: what the user should know, the corpus' own among them.
        own_notes: without those.
        train: tokens of the training part.
        validation: tokens of the validation part.
    """

    def __init__(self, corpus: Corpus, name: str, key: str, folder: Path, header: dict[str, Any]) -> None:
        """Open what ``tokenize`` has made."""
        super().__init__(name, encoders.loaded(name, folder))
        self._corpus, self._key = corpus, key
        self.digest = key.rpartition("-")[2][:12]
        self.own_notes: tuple[str, ...] = tuple(header["notes"])
        self.notes: tuple[str, ...] = (*corpus.notes, *self.own_notes)
        self.train = self._opened(folder, "train", header["train"])
        self.validation = self._opened(folder, "validation", header["validation"])

    def test(self, most_bytes: int = 0) -> Tokens:
        """Tokens of the test part, made when first asked for.

        Args:
            most_bytes: of the beginning only, cut as ``scored`` does; 0 for all of it.

        Raises:
            DataError: the corpus has none.
        """
        if not self._corpus.documents["test"]:
            raise NoTestPart(f"{self._corpus.name} has no test part: leave out test: 0, or name a share")
        whole = not 0 < most_bytes < self._corpus.bytes["test"]
        return self._part("test", 0 if whole else most_bytes)

    def scored(self, most_bytes: int) -> Tokens:
        """The beginning of the validation text, the same text for every tokenizer.

        Args:
            most_bytes: it is cut at a line end at or before so many bytes, but after one line at least; a document's
            end
                is one. 0, or more than there is: all of it.
        """
        if not 0 < most_bytes < self.validation.bytes:
            return self.validation
        return self._part("validation", most_bytes)

    def _part(self, part: PartName, most_bytes: int) -> Tokens:
        name = f"{self._key}-{part}-{most_bytes}"

        def make(aside: Path) -> dict[str, Any]:
            return _write(aside, part, self._corpus, self.encoder, most_bytes, self._corpus.name)

        folder, header = cache.folder(name, make)
        return self._opened(folder, part, header)

    def _opened(self, folder: Path, part: str, header: dict[str, Any]) -> Tokens:
        ids = np.memmap(folder / f"{part}.ids", _kind(self.symbols), "r")
        return Tokens(ids, np.memmap(folder / f"{part}.starts", np.int64, "r"), header["bytes"])


def tokenize(corpus: Corpus, tokenizer: str, vocabulary: int) -> Tokenized:
    """Fit a tokenizer to the training part and number training and validation with it; kept under ``.hpo/text``.

    Args:
        corpus: the documents.
        tokenizer: ``bytes``; ``char``, the characters of the training part; ``bpe``, byte-level pairs.
        vocabulary: symbols of ``bpe`` in all, at least 258; the others have as many as they need.

    Raises:
        UserError: there is no such tokenizer, the vocabulary is too small, or a package is missing.
        DataError: the text cannot be read, or the tokens cannot be kept.
    """
    if tokenizer not in TOKENIZERS:
        raise UserError(f"there is no tokenizer called {tokenizer!r}: {did_you_mean(str(tokenizer), TOKENIZERS)}")
    parts: list[object] = [corpus.key, tokenizer]
    if tokenizer == "bpe":
        encoders.needs_package()
        if vocabulary < texts.FEWEST_PAIRS:
            raise UserError(
                f"vocabulary {vocabulary} is too small for bpe: 256 bytes, separator and mask take {texts.FEWEST_PAIRS}"
            )
        parts += [vocabulary, version("tokenizers")]
    name = f"tokens-{cache.key(*parts)}"

    def make(aside: Path) -> dict[str, Any]:
        encoder, notes = encoders.fitted(tokenizer, corpus, vocabulary)
        encoders.save(encoder, aside)
        train = _write(aside, "train", corpus, encoder, 0, corpus.name)
        validation = _write(aside, "validation", corpus, encoder, 0, "")
        if validation["unknown"]:
            notes.append(
                f"{validation['unknown']:,} of {validation['ids']:,} characters of validation do not occur in training "
                "and are unknown"
            )
        return {"notes": notes, "train": train, "validation": validation}

    folder, header = cache.folder(name, make)
    return Tokenized(corpus, tokenizer, name, folder, header)


def _kind(symbols: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds the ids."""
    return np.uint8 if symbols <= 1 << 8 else np.uint16 if symbols <= 1 << 16 else np.uint32


def _write(
    aside: Path, part: PartName, corpus: Corpus, encoder: encoders.Encoder, most_bytes: int, told: str
) -> dict[str, Any]:
    """Write the tokens of a part, a few MB at a time."""
    symbols = len(encoder.symbols.spelled)
    separator, kind = symbols - 2, _kind(symbols)
    unknown = getattr(encoder, "unknown", range(0))
    count = size = unknowns = 0
    progress = cache.Progress(f"tokenizing {told}", corpus.bytes[part]) if told else None
    with (aside / f"{part}.ids").open("wb") as ids, (aside / f"{part}.starts").open("wb") as starts:
        for batch, goes_on in corpus.batches(part, most_bytes):
            found, counts = encoder.encode(batch)
            found, places = _separated(found.astype(kind, copy=False), counts, goes_on, separator)
            ids.write(found.tobytes())
            starts.write((count + places).astype(np.int64).tobytes())
            count += len(found)
            size += sum(map(len, batch))
            if unknown:
                unknowns += int(((found >= unknown.start) & (found < unknown.stop)).sum())
            if progress:
                progress.add(sum(map(len, batch)))
        ids.write(np.array([separator], kind).tobytes())
        starts.write(np.array([count], np.int64).tobytes())
    if progress:
        progress.end()
    return {"bytes": size, "ids": count + 1, "unknown": unknowns}


def _separated(
    ids: NDArray[Any], counts: NDArray[np.int64], goes_on: bool, separator: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Ids with a separator before each document, and the places of the separators."""
    if goes_on:
        return ids, np.empty(0, np.int64)
    before = np.cumsum(counts) - counts
    places: NDArray[np.int64] = before + np.arange(len(counts))
    found = np.empty(len(ids) + len(counts), ids.dtype)
    inside = np.ones(len(found), bool)
    inside[places] = False
    found[inside] = ids
    found[places] = separator
    return found, places


__all__: Sequence[str] = ["TOKENIZERS", "Tokenized", "Tokenizer", "Tokens", "tokenize"]
