"""Metrics that a program writes into files: TensorBoard's event files, and Lightning's ``metrics.csv``.

Files that were there before the run are none of its. An event file says which process wrote it; for others the run must
be the only one that logs into the folder, which a lock on it tells.
"""

from __future__ import annotations

import csv
import fcntl
import importlib
import io
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hpo.search.terms.errors import UserError

_EVENTS = re.compile(r"events\.out\.tfevents\.\d+\.(?:.*\.)?(?P<pid>\d+)\.\d+(?:\..*)?")
_TABLE = "metrics.csv"
_PLACES = ("step", "epoch")


class LogFiles:
    """What one run logs into a folder, file by file."""

    def __init__(self, folder: Path) -> None:
        """Look at what is there already; the folder is made where it is not.

        Raises:
            UserError: it cannot be read, or another run is the only one that may log there.
        """
        self.folder = folder
        self.group = 0
        self._news: dict[Path, Callable[[], list[dict[str, Any]]] | None] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(f"the folder of logs {folder} cannot be read: {error.strerror}") from None
        self._alone(fcntl.LOCK_SH)
        for path in self._files():
            self._news[path] = None

    def news(self) -> list[dict[str, Any]]:
        """Metrics since the last look, in the order of each file.

        Raises:
            UserError: a file cannot be told to be this run's, or tensorboard is not installed.
        """
        found: list[dict[str, Any]] = []
        for path in self._files():
            if path not in self._news:
                self._news[path] = self._reader(path)
            news = self._news[path]
            found += news() if news is not None else []
        return found

    def close(self) -> None:
        """Let others log there."""
        os.close(self._lock)

    def _files(self) -> Iterator[Path]:
        tables = self.folder.rglob(_TABLE)
        yield from sorted([*self.folder.rglob("events.out.tfevents.*"), *tables])

    def _reader(self, path: Path) -> Callable[[], list[dict[str, Any]]] | None:
        """What reads a new file on; None where it is another run's."""
        named = _EVENTS.fullmatch(path.name)
        if named is None:
            self._alone(fcntl.LOCK_EX)
        elif not self._ours(int(named["pid"])):
            return None
        return _table(path) if path.name == _TABLE else _events(path)

    def _ours(self, pid: int) -> bool:
        try:
            return pid == self.group or os.getpgid(pid) == self.group
        except ProcessLookupError:
            return False

    def _alone(self, how: int) -> None:
        try:
            fcntl.flock(self._lock, how | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"several trials log into {self.folder} at a time, and its files do not say whose they are: train with "
                "workers: 1, or have each log into a folder of its own, logs: 'runs/{seed}' with a command that says "
                "--log-dir runs/{seed}"
            ) from None


def _table(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Rows of a table that grows; it may be written anew with further columns."""
    read, last = 0, (0, 0)

    def news() -> list[dict[str, Any]]:
        nonlocal read, last
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) == last:  # it is looked at many times a row
            return []
        last = now.st_size, now.st_mtime_ns
        whole = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
        rows = list(csv.DictReader(io.StringIO(whole)))[read:]
        read += len(rows)
        return [row for one in rows if (row := dict(_cells(one)))]

    return news


def _cells(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, cell in row.items():
        try:
            value = float(cell) if isinstance(cell, str) and name and name not in _PLACES else math.nan
        except ValueError:
            continue
        if not math.isnan(value) or str(cell).lower() == "nan":
            yield name, value


def _events(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Scalars of an event file that grows."""
    try:
        loader = importlib.import_module("tensorboard.backend.event_processing.event_file_loader")
        arrays = importlib.import_module("tensorboard.util.tensor_util")
    except ImportError:
        raise UserError("event files need tensorboard: pip install 'hpo-suite[tensorboard]'") from None
    file = loader.LegacyEventFileLoader(str(path))

    def news() -> list[dict[str, Any]]:
        found = []
        for event in file.Load():
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.append({value.tag: float(value.simple_value)})
                elif value.HasField("tensor"):
                    array = arrays.make_ndarray(value.tensor)
                    found += [{value.tag: float(array)}] if array.ndim == 0 and array.dtype.kind in "fiu" else []
        return found

    return news
