"""What is made of a text once and kept on disk: folders under ``.hpo/text``, each whole or not there.

A folder is written aside and renamed; of several processes that want the same one, one makes it and the others wait.
Its header has the sizes of its files and a digest of itself, so a damaged or truncated folder is noticed and made
again without reading all of it. Everything here may be deleted whenever nothing runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo.objectives.data.texts import FOLDER
from hpo.search.terms.errors import DISK_FAILS, DataError, OutputError

VERSION = 1
"""Of what is written; another one makes everything again."""

_HEADER = "header.json"
_TOLD_AFTER = 1.5


def key(*parts: object) -> str:
    """Sixteen hex digits that name what is made of these parts."""
    return hashlib.sha256(json.dumps([VERSION, *parts]).encode()).hexdigest()[:16]


def folder(name: str, make: Callable[[Path], Mapping[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """A folder of the cache and its header; made where it is missing or damaged.

    Args:
        name: what it is called: a word and a ``key``.
        make: writes its files into an empty folder and returns what the header says beside their sizes, as plain data.

    Raises:
        OutputError: the disk is full, or fails.
        DataError: it cannot be written for another reason; or whatever ``make`` raises.
    """
    path = FOLDER.absolute() / name
    header = _read(path)
    if header is None:
        try:
            header = _make(path, make)
        except OSError as error:
            if error.filename is not None and not Path(error.filename).absolute().is_relative_to(
                FOLDER.absolute().parent
            ):
                raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
            raised = OutputError if error.errno in DISK_FAILS else DataError
            raise raised(
                f"what is made of a text cannot be kept in {FOLDER.absolute()} ({error.strerror}): "
                "make room there, or start in another folder"
            ) from None
    return path, header


def _make(path: Path, make: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path.with_name(f"{path.name}.lock")):
        header = _read(path)  # another process may have made it meanwhile
        if header is not None:
            return header
        aside = path.with_name(f"{path.name}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            aside.mkdir()
            told = dict(make(aside))
            sizes = {file.name: file.stat().st_size for file in sorted(aside.iterdir())}
            text = json.dumps({"told": told, "sizes": sizes})
            header = {"text": text, "digest": hashlib.sha256(text.encode()).hexdigest()}
            (aside / _HEADER).write_text(json.dumps(header), encoding="utf-8")
            for file in aside.iterdir():  # else a power cut could leave a whole name for half a file
                _sync(file)
            shutil.rmtree(path, ignore_errors=True)
            aside.rename(path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return told


def _read(path: Path) -> dict[str, Any] | None:
    """What the header says; None where the folder is missing, or not as it was written."""
    try:
        header = json.loads((path / _HEADER).read_bytes())
        if hashlib.sha256(header["text"].encode()).hexdigest() != header["digest"]:
            return None
        found = json.loads(header["text"])
        if any((path / name).stat().st_size != size for name, size in found["sizes"].items()):
            return None
        told: dict[str, Any] = found["told"]
        return told
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; the kernel gives it back when its holder ends, however that ends."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class Progress:
    """How far a reading of a text is, on stderr once it takes longer than a second or two.

    On a terminal a line that counts, elsewhere one line, so that no log fills up.
    """

    def __init__(self, doing: str, total: int) -> None:
        """Start at nothing.

        Args:
            doing: such as ``tokenizing stdlib``.
            total: bytes that there are.
        """
        self._doing, self._total = doing, max(1, total)
        self._start = self._last = time.monotonic()
        self._done, self._shown = 0, ""

    def add(self, count: int) -> None:
        """Count bytes that are done."""
        self._done += count
        now = time.monotonic()
        if now - self._start < _TOLD_AFTER or now - self._last < 0.2:
            return
        self._last = now
        if sys.stderr.isatty():
            self._shown = f"{self._doing}: {min(99, 100 * self._done // self._total)} %"
            print(f"\r{self._shown}", end="", file=sys.stderr, flush=True)
        elif not self._shown:
            self._shown = f"{self._doing} ({self._total / 1e6:,.0f} MB)"
            print(self._shown, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away that counts."""
        if self._shown and sys.stderr.isatty():
            print("\r" + " " * len(self._shown) + "\r", end="", file=sys.stderr, flush=True)
