"""What is made of a text once and kept on disk: folders under ``.hpo/text``, each whole or not there.

A folder is written aside and renamed; of several processes that want the same one, one makes it and the others wait.
Its header has what its files were when they were written, and a digest of itself, so a damaged, truncated or changed
folder is noticed and made again. Files of gigabytes are not read for that each time: of one as large and as old as it
was written, a sample of blocks is compared, which small files are whole; of one with another time, as a copy has it or
what somebody wrote to, all of it, once in a process. Everything here may be deleted whenever nothing runs.
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

VERSION = 2
"""Of what is written; another one makes everything again."""

_HEADER = "header.json"
_BLOCK, _SAMPLED = 1 << 14, 64
"""Bytes of a block, and how many of a large file are compared: its first, its last, and others evenly between."""

_proved: set[tuple[str, int, int, int]] = set()  # files of another time that were read whole, as they were then
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
            files = {file.name: _facts(file) for file in sorted(aside.iterdir())}
            text = json.dumps({"told": told, "files": files})
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
        if not all(_is_as_written(path / name, facts) for name, facts in found["files"].items()):
            return None
        told: dict[str, Any] = found["told"]
        return told
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _facts(file: Path) -> dict[str, Any]:
    """What a file is, as the header keeps it."""
    found = file.stat()
    return {"size": found.st_size, "time": found.st_mtime_ns, "sample": _sample(file), "digest": _digest(file)}


def _is_as_written(file: Path, facts: Mapping[str, Any]) -> bool:
    found = file.stat()
    if found.st_size != facts["size"] or _sample(file) != facts["sample"]:
        return False
    if found.st_mtime_ns == facts["time"]:
        return True
    known = (str(file), found.st_ino, found.st_size, found.st_mtime_ns)
    if known not in _proved and _digest(file) != facts["digest"]:
        return False
    _proved.add(known)
    return True


def _sample(file: Path) -> str:
    """Digest of some blocks of a file, of all of a small one."""
    digest, blocks = hashlib.sha256(), -(-file.stat().st_size // _BLOCK)
    chosen = range(blocks) if blocks <= _SAMPLED else (i * (blocks - 1) // (_SAMPLED - 1) for i in range(_SAMPLED))
    with file.open("rb") as opened:
        for block in chosen:
            opened.seek(block * _BLOCK)
            digest.update(opened.read(_BLOCK))
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
