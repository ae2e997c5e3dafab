"""Where the documents of files lie: found in one pass, checked on the way, as arrays of byte offsets on disk.

Plain files stay where they are; what is gzipped or JSON Lines is written out once as flat UTF-8. Lines end in ``\\n``
or ``\\r\\n``. A document is never empty and never white space only.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.data.texts import Texts, is_json_lines
from hpo.objectives.text import cache
from hpo.objectives.text.checking import Checked, NotText, json_text
from hpo.objectives.text.paging import Column
from hpo.search.terms.errors import DataError

CHUNK = 4 << 20
"""Bytes that are read at a time."""

_LETTER = ~np.isin(np.arange(256), list(b" \t\n\v\f\r"))


@dataclass(frozen=True, eq=False)
class Index:
    """Documents of a corpus.

    Attributes:
        paths: flat UTF-8 files.
        first: [files + 1] documents before each file.
        starts: [documents] byte offset of each in its file; slices are read from disk.
        ends: [documents] offset after its last byte.
        left_out: files that were no text.
    """

    paths: tuple[Path, ...]
    first: NDArray[np.int64]
    starts: Column | NDArray[np.int64]
    ends: Column | NDArray[np.int64]
    left_out: int


def index(found: Texts, contents: list[str]) -> tuple[str, Index]:
    """Name in the cache and index of the documents, read from there or made.

    Args:
        found: the files.
        contents: digest of each.

    Raises:
        DataError: a file is no UTF-8, is damaged, or lacks the field; or there is no document at all.
    """
    kinds = [_flat_name(number, path) for number, path in enumerate(found.paths)]
    name = f"index-{cache.key(contents, kinds, found.documents, found.field)}"
    folder, header = cache.folder(name, lambda aside: _build(found, aside))
    starts, ends = (Column(folder / f"{what}.i64", np.int64) for what in ("starts", "ends"))
    paths = tuple(folder / kind if kind else path for kind, path in zip(kinds, found.paths, strict=True))
    return name, Index(paths, np.array(header["first"], np.int64), starts, ends, header["left_out"])


def _flat_name(number: int, path: Path) -> str:
    """Name of what a file is written out to; empty where it is read as it is."""
    if is_json_lines(path):
        return f"{number}.json.utf8"
    return f"{number}.utf8" if path.suffix.lower() == ".gz" else ""


def _build(found: Texts, aside: Path) -> dict[str, Any]:
    first, left_out = [0], 0
    progress = cache.Progress(f"reading {found.name}", sum(path.stat().st_size for path in found.paths))
    with (aside / "starts.i64").open("wb") as starts, (aside / "ends.i64").open("wb") as ends:
        for number, path in enumerate(found.paths):
            blocks = _documents(path, aside / _flat_name(number, path), found, progress)
            count = 0
            try:
                for block in list(blocks) if found.doubtful else blocks:
                    count += len(block[0])
                    starts.write(block[0].astype(np.int64).tobytes())
                    ends.write(block[1].astype(np.int64).tobytes())
            except NotText:
                if not found.doubtful:
                    raise
                left_out += 1
            first.append(first[-1] + count)
    progress.end()
    if not first[-1]:
        raise DataError(f"{found.name} holds no document: there is nothing in it but white space")
    return {"first": first, "left_out": left_out}


Block = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Starts and ends of documents."""


def _documents(path: Path, flat: Path, found: Texts, progress: cache.Progress) -> Iterator[Block]:
    """Starts and ends of a file's documents, in order, in blocks."""
    if is_json_lines(path):
        yield from _json_lines(path, flat, found.field, progress)
        return
    with _opened(path) as file:
        kinds: dict[str, type[_Finder]] = {"file": _Whole, "line": _LineByLine, "blank": _Between}
        finder = kinds[found.documents]()
        check, out = Checked(path), None
        if path.suffix.lower() == ".gz":
            out = flat.open("wb")
        try:
            while chunk := file.read(CHUNK):
                check.add(chunk)
                if out is not None:
                    out.write(chunk)
                yield finder.add(chunk)
                progress.add(len(chunk))
        finally:
            if out is not None:
                out.close()
        check.end()
        yield finder.end()


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it is gzipped.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    try:
        file: Any = gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    with file:
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is damaged or cut off ({error}): copy or download it again") from None


def json_documents(path: Path, field: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Number from 1, text in UTF-8 and all of each line of a file of JSON Lines; a blank line has an empty text.

    Raises:
        DataError: a line is no JSON object or lacks the field, or the file cannot be read.
    """
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            yield number, json_text(path, number, line, field), line


class _Finder(Protocol):
    """Finds documents in a file that it is given a chunk at a time."""

    def add(self, chunk: bytes) -> Block:
        """Documents that end in the chunk."""

    def end(self) -> Block:
        """Those that the file ends."""


def _block(starts: Any = (), ends: Any = ()) -> Block:
    return np.asarray(starts, np.int64), np.asarray(ends, np.int64)


class _Whole:
    """The file is one document."""

    def __init__(self) -> None:
        self._start, self._size, self._filled = 0, 0, False

    def add(self, chunk: bytes) -> Block:
        if not self._size and chunk.startswith(codecs.BOM_UTF8):
            self._start = len(codecs.BOM_UTF8)
        self._filled = self._filled or not chunk[self._start if not self._size else 0 :].isspace()
        self._size += len(chunk)
        return _block()

    def end(self) -> Block:
        return _block([self._start], [self._size]) if self._filled and self._size > self._start else _block()


class _LineByLine:
    """Each line that is not blank is a document."""

    def __init__(self) -> None:
        self._start, self._size, self._filled, self._last = 0, 0, False, 0

    def add(self, chunk: bytes) -> Block:
        starts, ends, filled = self.lines(chunk)
        return starts[filled], ends[filled]

    def end(self) -> Block:
        starts, ends, filled = self.rest()
        return starts[filled], ends[filled]

    def lines(self, chunk: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Start and end of each line that ends in the chunk, and whether it is not blank."""
        data = np.frombuffer(chunk, np.uint8)
        before = 0
        if not self._size and chunk.startswith(codecs.BOM_UTF8):
            self._start = before = len(codecs.BOM_UTF8)
        breaks = np.flatnonzero(data == ord("\n"))
        inside = np.concatenate([[before], breaks + 1])
        filled = np.zeros(len(inside), bool)
        here = inside < len(data)
        filled[here] = np.logical_or.reduceat(_LETTER[data], inside[here])
        filled[0] |= self._filled
        starts = self._size + inside
        starts[0] = self._start
        returned = (breaks > 0) & (data[breaks - 1] == ord("\r"))
        if breaks.size and breaks[0] == 0:
            returned[0] = self._last == ord("\r")
        ends = self._size + breaks - returned
        self._start, self._filled, self._last = int(starts[-1]), bool(filled[-1]), int(data[-1])
        self._size += len(chunk)
        return starts[:-1], ends, filled[:-1]

    def rest(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """The last line where nothing ends it."""
        starts, ends = _block([self._start], [self._size])
        return starts, ends, np.array([self._filled])


class _Between:
    """What stands between blank lines is a document."""

    def __init__(self) -> None:
        self._lines, self._open, self._end = _LineByLine(), False, 0

    def add(self, chunk: bytes) -> Block:
        return self._runs(*self._lines.lines(chunk))

    def end(self) -> Block:
        starts, ends = self._runs(*self._lines.rest())
        return _block(starts, np.append(ends, self._end) if self._open else ends)

    def _runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64], filled: NDArray[np.bool_]) -> Block:
        """Starts of runs that begin in these lines, ends of those that end in them: they pair up over the file."""
        if not len(starts):
            return _block()
        before = np.concatenate([[self._open], filled[:-1]])
        previous = np.concatenate([[self._end], ends[:-1]])
        self._open = bool(filled[-1])
        self._end = int(ends[-1])
        return starts[filled & ~before], previous[~filled & before]


def _json_lines(path: Path, flat: Path, field: str, progress: cache.Progress) -> Iterator[Block]:
    """Write out the text of each line; each is a document."""
    starts, ends, size = list[int](), list[int](), 0
    with flat.open("wb") as out:
        for _, text, line in json_documents(path, field):
            progress.add(len(line))
            if not text.isspace() and text:
                out.write(text)
                starts.append(size)
                size += len(text)
                ends.append(size)
            if len(starts) >= 1 << 16:
                yield _block(starts, ends)
                starts, ends = [], []
    yield _block(starts, ends)
