"""The documents of a corpus by part, read from disk as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.text.indexing import Index
from hpo.objectives.text.paging import Column
from hpo.objectives.text.reading import PIECE, first_break, last_break, pieces, regions
from hpo.search.terms.errors import DataError

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")

_BATCH = 1 << 20
ROWS = 1 << 16
"""Documents whose places are looked at together."""

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
    _parts: Column | NDArray[np.int8]
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
            for low in range(int(first[number]), int(first[number + 1]), ROWS):
                here = slice(low, min(low + ROWS, int(first[number + 1])))
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
