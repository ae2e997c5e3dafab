"""A corpus: documents of text in training, validation and test, read from disk as they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.data import texts
from hpo.objectives.text import cache
from hpo.objectives.text.indexing import Index, index
from hpo.objectives.text.mixing import mixed
from hpo.objectives.text.reading import PIECE, first_break, last_break, pieces, regions
from hpo.search.terms.errors import DataError

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")

FEWEST = 20
"""Documents from which on a corpus is split by documents."""

_BATCH = 2 << 20
_ROWS = 1 << 16

Batch = tuple[list[bytes], bool]
"""Documents in UTF-8, and whether the first of them goes on the document before instead of starting one."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents in three parts; nothing of the text is held in memory.

    Attributes:
        name: what messages call it.
        digest: twelve hex digits that name what its files hold, as ``data.digest`` does.
        key: names digest, split and options.
        notes: what the user should know.
        bytes: of UTF-8 text, by part.
        documents: by part; of a corpus cut along the text, documents or pieces of such.
    """

    name: str
    digest: str
    key: str
    notes: tuple[str, ...]
    bytes: dict[str, int]
    documents: dict[str, int]
    _index: Index
    _parts: NDArray[np.int8]
    _stamps: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def texts(self, part: PartName) -> Iterator[str]:
        """Documents of a part, in the order of the corpus, one in memory at a time."""
        for number, starts, ends in self._spans(part, 0):
            with self._open(number) as file:
                for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                    file.seek(start)
                    yield file.read(end - start).decode()

    def batches(self, part: PartName, most_bytes: int = 0) -> Iterator[Batch]:
        """Documents of a part in order, a few MB at a time, in UTF-8.

        A long document comes in pieces, cut where no tokenizer joins anything (see ``reading.cut``).

        Args:
            part: which.
            most_bytes: only the beginning of the text, cut at a line end at or before so many bytes but after one line
                at least; 0: all of it.
        """
        batch, size = _empty(), 0
        for number, starts, ends in self._spans(part, most_bytes):
            with self._open(number) as file:
                for low, high in regions(starts, ends):
                    if high - low == 1 and ends[low] - starts[low] > PIECE:
                        if batch:
                            yield batch, False
                            batch, size = _empty(), 0
                        for count, piece in enumerate(pieces(file, int(starts[low]), int(ends[low]))):
                            yield [piece], count > 0
                        continue
                    base = int(starts[low])
                    file.seek(base)
                    region = file.read(int(ends[high - 1]) - base)
                    places = zip((starts[low:high] - base).tolist(), (ends[low:high] - base).tolist(), strict=True)
                    batch += [region[start:end] for start, end in places]
                    size += int((ends[low:high] - starts[low:high]).sum())
                    if size >= _BATCH:
                        yield batch, False
                        batch, size = _empty(), 0
        if batch:
            yield batch, False

    def _spans(self, part: PartName, most_bytes: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """File, starts and ends of documents, some thousand at a time."""
        code, left = PARTS.index(part), most_bytes if 0 < most_bytes < self.bytes[part] else -1
        first = self._index.first
        taken = False
        for number in range(len(self._index.paths)):
            for low in range(int(first[number]), int(first[number + 1]), _ROWS):
                here = slice(low, min(low + _ROWS, int(first[number + 1])))
                chosen = np.flatnonzero(self._parts[here] == code)
                starts, ends = self._index.starts[here][chosen], self._index.ends[here][chosen]
                if not len(chosen):
                    continue
                if left >= 0:
                    sizes = np.cumsum(ends - starts)
                    whole = int(np.searchsorted(sizes, left, "right"))
                    if whole < len(sizes):
                        rest = left - (int(sizes[whole - 1]) if whole else 0)
                        end = self._line_end(number, int(starts[whole]), int(ends[whole]), rest, taken or whole > 0)
                        ends = np.append(ends[:whole], end)
                        starts = starts[: whole + 1]
                        if end == starts[-1]:
                            starts, ends = starts[:-1], ends[:-1]
                        if len(starts):
                            yield number, starts, ends
                        return
                    left -= int(sizes[-1])
                taken = True
                yield number, starts, ends

    def _line_end(self, number: int, start: int, end: int, most: int, may_be_nothing: bool) -> int:
        """Where to cut a document: after the last line end within so many bytes, else after its first line."""
        with self._open(number) as file:
            found = last_break(file, start, start + most)
            if found is None:
                return start if may_be_nothing else first_break(file, start, end)
        return found

    def _open(self, number: int) -> Any:
        path = self._index.paths[number]
        try:
            file = path.open("rb")
            facts = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read any more: {error.strerror or error}") from None
        stamp = (facts.st_size, facts.st_mtime_ns)
        if self._stamps.setdefault(path, stamp) != stamp:
            file.close()
            raise DataError(f"{path} has changed since it was opened: start again")
        return file


def _empty() -> list[bytes]:
    return []


def open_corpus(spec: Any, split_seed: int) -> Corpus:
    """Find the documents of a corpus and split them.

    Of at least 20 documents, shares of 0.1 each (``validation``, ``test``) are drawn by the seed, at least one document
    each. A corpus of fewer documents is cut along its text instead, each cut at the next line end: first training, then
    validation, then test. With ``test: 0`` there is no test part. Documents of validation and test whose text, without
    white space around it, also occurs in training stay where they are, and a note counts them.

    Args:
        spec: ``stdlib`` or ``{text: options}``; relative paths start from the working directory.
        split_seed: decides the split and nothing else.

    Raises:
        DataError: a mistake in the specification, a file that is no text, or too little text to split.
    """
    found = texts.texts(spec)
    contents = texts.file_digests(found.paths)
    name, documents = index(found, contents)
    shares = [found.validation, found.test]
    notes = []
    if documents.left_out:
        notes.append(f"{found.name}: {documents.left_out} of {len(found.paths)} files are not UTF-8 and are left out")
    by_documents = len(documents.starts) >= FEWEST
    if by_documents:
        key = cache.key(name, split_seed, shares)
        folder, told = cache.folder(
            f"split-{key}", lambda aside: _by_documents(documents, name, shares, split_seed, aside)
        )
        parts: NDArray[np.int8] = np.memmap(folder / "parts.i8", np.int8, "r")
        notes += told["notes"]
    else:
        key = cache.key(name, shares)
        count = len(documents.starts)
        notes.append(
            f"{found.name} has {count} document{'s' * (count > 1)}, fewer than {FEWEST}: the text is cut into "
            "training, validation and test in this order; documents: blank or documents: line splits it by documents"
        )
        documents, parts = _along_the_text(found.name, documents, found.validation, found.test)
        told = _counts(documents, parts)
    return Corpus(
        name=found.name,
        digest=texts.digest_of(contents),
        key=key,
        notes=tuple(notes),
        bytes=told["bytes"],
        documents=told["documents"],
        _index=documents,
        _parts=parts,
    )


def _counts(documents: Index, parts: NDArray[np.int8]) -> dict[str, dict[str, int]]:
    sizes, counts = dict.fromkeys(map(str, PARTS), 0), dict.fromkeys(map(str, PARTS), 0)
    for low in range(0, len(parts), _ROWS):
        here = slice(low, low + _ROWS)
        lengths = documents.ends[here] - documents.starts[here]
        for code, part in enumerate(PARTS):
            chosen = parts[here] == code
            sizes[part] += int(lengths[chosen].sum())
            counts[part] += int(chosen.sum())
    return {"bytes": sizes, "documents": counts}


def _by_documents(documents: Index, name: str, shares: list[float], seed: int, aside: Path) -> dict[str, Any]:
    """Draw validation and test: the documents with the smallest random numbers."""
    count = len(documents.starts)
    validation, test = (max(1, round(share * count)) if share else 0 for share in shares)
    if validation + test >= count:
        raise DataError(f"validation {shares[0]:g} and test {shares[1]:g} of {count} documents leave none to train on")
    low, high = _marks(count, seed, validation, test)
    with (aside / "parts.i8").open("wb") as out:
        for drawn in _drawn(count, seed):
            out.write(np.where(drawn < low, 1, np.where(drawn < high, 2, 0)).astype(np.int8).tobytes())
    parts: NDArray[np.int8] = np.fromfile(aside / "parts.i8", np.int8)
    folder, _ = cache.folder(name.replace("index", "hashes"), lambda other: _hashes(documents, other))
    hashes: NDArray[np.uint64] = np.memmap(folder / "hashes.u64", np.uint64, "r")
    known = hashes[parts == 0]
    known.sort()
    notes = []
    for code, part in enumerate(PARTS[1:], 1):
        own = hashes[parts == code]
        twice = int((known[np.searchsorted(known, own).clip(max=len(known) - 1)] == own).sum())
        if twice:
            notes.append(
                f"{twice} of {len(own)} {part} documents ({twice / len(own):.1%}) also occur in training, word for "
                "word: their scores tell what is remembered, not what is learned"
            )
    return {**_counts(documents, parts), "notes": notes}


def _drawn(count: int, seed: int) -> Iterator[NDArray[np.uint64]]:
    """A random number for each document, in blocks."""
    for low in range(0, count, _ROWS):
        yield mixed(seed & 0xFFFFFFFFFFFFFFFF, np.arange(low, min(low + _ROWS, count)))


def _marks(count: int, seed: int, validation: int, test: int) -> tuple[np.uint64, np.uint64]:
    """Below the first number lie as many as go into validation, between the two as many as go into test."""
    drawn = np.empty(count, np.uint64)
    for place, block in enumerate(_drawn(count, seed)):
        drawn[place * _ROWS :][: len(block)] = block
    drawn.partition([validation, validation + test])
    return drawn[validation], drawn[validation + test]


def _hashes(documents: Index, aside: Path) -> dict[str, Any]:
    """A hash of each document's text without white space around it."""
    total = int((documents.ends - documents.starts).sum())
    progress = cache.Progress("comparing documents", total)
    everything = Corpus("", "", "", (), {"train": total}, {}, documents, np.zeros(len(documents.starts), np.int8))
    with (aside / "hashes.u64").open("wb") as out:
        running, spaces = hashlib.blake2b(digest_size=8), b""
        pending = False
        for batch, goes_on in everything.batches("train"):
            if pending and not goes_on:
                out.write(running.digest())
                pending = False
            if len(batch) == 1:  # perhaps the beginning of a long document
                if not goes_on:
                    running, spaces = hashlib.blake2b(digest_size=8), b""
                    text = batch[0].lstrip()
                else:
                    text = spaces + batch[0]
                body = text.rstrip()
                running.update(body)
                spaces, pending = text[len(body) :], True
            else:
                out.write(b"".join([hashlib.blake2b(text.strip(), digest_size=8).digest() for text in batch]))
            progress.add(sum(map(len, batch)))
        if pending:
            out.write(running.digest())
    progress.end()
    return {}


def _along_the_text(name: str, documents: Index, validation: float, test: float) -> tuple[Index, NDArray[np.int8]]:
    """Cut a few documents, one after the other, into three parts."""
    starts, ends = documents.starts.tolist(), documents.ends.tolist()
    files = np.repeat(np.arange(len(documents.paths)), np.diff(documents.first)).tolist()
    total = sum(ends) - sum(starts)
    marks = [(1 - validation - test) * total, (1 - test) * total if test else total]
    rows, done, code = list[tuple[int, int, int, int]](), 0, 0
    for file, start, end in zip(files, starts, ends, strict=True):
        with documents.paths[file].open("rb") as opened:
            while code < 2 and done + end - start > marks[code]:
                place = start + max(0, int(marks[code]) - done)
                cut = first_break(opened, place, end)
                if cut > start:
                    rows.append((file, start, cut, code))
                done, start, code = done + cut - start, cut, code + 1
        if end > start:
            rows.append((file, start, end, code))
            done += end - start
    found = {row[3] for row in rows}
    if found != ({0, 1, 2} if test else {0, 1}):
        raise DataError(
            f"{name} has too little text, or too few lines, to be cut into training, validation"
            f"{' and test' if test else ''}: it has {total} bytes"
        )
    table = np.array(rows, np.int64)
    first = np.searchsorted(table[:, 0], np.arange(len(documents.paths) + 1))
    return Index(documents.paths, first.astype(np.int64), table[:, 1], table[:, 2], documents.left_out), table[
        :, 3
    ].astype(np.int8)
