"""A corpus: text cut into documents, and these split into training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.data import texts
from hpo.objectives.text import cache
from hpo.objectives.text.indexing import Index, index
from hpo.objectives.text.mixing import mixed
from hpo.objectives.text.paging import Column
from hpo.objectives.text.parts import PARTS, ROWS, Corpus, PartName
from hpo.objectives.text.reading import near_break
from hpo.search.terms.errors import DataError

__all__ = ["PARTS", "Corpus", "PartName", "open_corpus"]

FEWEST = 20
"""Documents from which on a corpus is split by documents."""


def open_corpus(spec: Any, split_seed: int) -> Corpus:
    """Find the documents of a corpus and split them.

    Of at least 20 documents, shares of 0.1 each (``validation``, ``test``) are drawn by the seed, at least one document
    each. A corpus of fewer documents is cut along its text instead, each cut at the next line end, or space where lines
    are long: first training, then validation, then test. With ``test: 0`` there is no test part. Documents of
    validation and test whose text, without white space around it, also occurs in training stay where they are, and a
    note counts them; parts of a text that was cut are not compared, as a note says.

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
        parts: Column | NDArray[np.int8] = Column(folder / "parts.i8", np.int8)
        notes += told["notes"]
    else:
        key = cache.key(name, shares)
        count = len(documents.starts)
        notes.append(
            f"{found.name} has {count} document{'s' * (count > 1)}, fewer than {FEWEST}: the text is cut into "
            "training, validation and test in this order, and what occurs in two of them is not counted"
        )
        if not all(map(texts.is_json_lines, found.paths)):
            notes[-1] += "; documents: blank or documents: line splits it by documents"
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


def _counts(documents: Index, parts: Column | NDArray[np.int8]) -> dict[str, dict[str, int]]:
    sizes, counts = dict.fromkeys(map(str, PARTS), 0), dict.fromkeys(map(str, PARTS), 0)
    for low in range(0, len(parts), ROWS):
        here = slice(low, low + ROWS)
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
    parts = Column(aside / "parts.i8", np.int8)
    folder, _ = cache.folder(name.replace("index", "hashes"), lambda other: _hashes(documents, other))
    hashes = Column(folder / "hashes.u64", np.uint64)
    counts = _counts(documents, parts)
    known = _of_part(hashes, parts, 0, counts["documents"]["train"])
    notes = []
    for code, part in enumerate(PARTS[1:], 1):
        own = _of_part(hashes, parts, code, counts["documents"][part])
        twice = int((known[np.searchsorted(known, own).clip(max=len(known) - 1)] == own).sum())
        if twice:
            notes.append(
                f"{twice} of {len(own)} {part} documents ({twice / len(own):.1%}) also occur in training, word for "
                "word: their scores tell what is remembered, not what is learned"
            )
    return {**counts, "notes": notes}


def _of_part(hashes: Column, parts: Column, code: int, count: int) -> NDArray[np.uint64]:
    """The hashes of a part, sorted."""
    found, place = np.empty(count, np.uint64), 0
    for low in range(0, len(parts), ROWS):
        chosen = hashes[low : low + ROWS][parts[low : low + ROWS] == code]
        found[place : place + len(chosen)] = chosen
        place += len(chosen)
    found.sort()
    return found


def _drawn(count: int, seed: int) -> Iterator[NDArray[np.uint64]]:
    """A random number for each document, in blocks."""
    for low in range(0, count, ROWS):
        yield mixed(seed & 0xFFFFFFFFFFFFFFFF, np.arange(low, min(low + ROWS, count)))


def _marks(count: int, seed: int, validation: int, test: int) -> tuple[np.uint64, np.uint64]:
    """Below the first number lie as many as go into validation, between the two as many as go into test."""
    drawn = np.empty(count, np.uint64)
    for place, block in enumerate(_drawn(count, seed)):
        drawn[place * ROWS :][: len(block)] = block
    drawn.partition([validation, validation + test])
    return drawn[validation], drawn[validation + test]


def _hashes(documents: Index, aside: Path) -> dict[str, Any]:
    """A hash of each document's text without white space around it."""
    everyone = np.zeros(len(documents.starts), np.int8)
    total = _counts(documents, everyone)["bytes"]["train"]
    progress = cache.Progress("comparing documents", total)
    everything = Corpus("", "", "", (), {"train": total}, {}, documents, everyone)
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


def how_read(spec: Any) -> dict[str, str]:
    """How documents are found in the files of a corpus, as far as its specification says: ``documents``, ``field``."""
    options = spec["text"] if isinstance(spec, Mapping) and "text" in spec else {}
    return {name: options[name] for name in ("documents", "field") if options.get(name) is not None}


def documents_of(how: Mapping[str, str], path: Path) -> Iterator[str]:
    """Documents of another file, read as those of a corpus are, one in memory at a time.

    Args:
        how: as ``how_read`` gives it of the corpus.
        path: the file: plain, gzipped or JSON Lines.

    Raises:
        DataError: it is no text, or lacks the field.
    """
    kept = {name: value for name, value in how.items() if name != "field" or texts.is_json_lines(path)}
    found = texts.texts({"text": {**kept, "path": str(path)}})
    name, documents = index(found, texts.file_digests(found.paths))
    count = len(documents.starts)
    whole = Corpus(found.name, "", name, (), {"train": sum(path.stat().st_size for path in documents.paths)}, {},
                   documents, np.zeros(count, np.int8))  # fmt: skip
    return whole.texts("train")


def _along_the_text(name: str, documents: Index, validation: float, test: float) -> tuple[Index, NDArray[np.int8]]:
    """Cut a few documents, one after the other, into three parts."""
    starts, ends = documents.starts[:].tolist(), documents.ends[:].tolist()
    files = np.repeat(np.arange(len(documents.paths)), np.diff(documents.first)).tolist()
    total = sum(ends) - sum(starts)
    marks = [(1 - validation - test) * total, (1 - test) * total if test else total]
    rows, done, code = list[tuple[int, int, int, int]](), 0, 0
    for file, start, end in zip(files, starts, ends, strict=True):
        with documents.paths[file].open("rb") as opened:
            while code < 2 and done + end - start > marks[code]:
                place = start + max(0, int(marks[code]) - done)
                cut = near_break(opened, place, end)
                if cut > start:
                    rows.append((file, start, cut, code))
                done, start, code = done + cut - start, cut, code + 1
        if end > start:
            rows.append((file, start, end, code))
            done += end - start
    found = {row[3] for row in rows}
    if found != ({0, 1, 2} if test else {0, 1}):
        raise DataError(
            f"{name} has too little text to be cut into training, validation"
            f"{' and test' if test else ''}: it has {total} bytes"
        )
    table = np.array(rows, np.int64)
    first = np.searchsorted(table[:, 0], np.arange(len(documents.paths) + 1))
    return Index(documents.paths, first.astype(np.int64), table[:, 1], table[:, 2], documents.left_out), table[
        :, 3
    ].astype(np.int8)
