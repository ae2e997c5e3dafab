"""Arrays in files, read here and there without piling up in this process."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_READ = 64 << 20
"""Bytes of pages that may have come in before all are given back."""
_AROUND = 64 << 10
"""Bytes that the kernel maps around a page that is touched."""


class Pages:
    """Numbers of a mapped file.

    Pages that were touched count as memory of the process until the system needs them, so a process that has read all
    of a large file looks as if it held it, and a limit on its memory may end it. Giving them back costs little: they
    stay in the system's cache.
    """

    def __init__(self, numbers: NDArray[Any]) -> None:
        """Take an array; one that is no mapped file, or a small one, is read as it is."""
        self._numbers = numbers
        mapped = getattr(numbers, "_mmap", None)
        self._mapped = mapped if isinstance(mapped, mmap.mmap) and numbers.nbytes > MOST_READ else None
        self._read = 0

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The numbers at these places, in the shape of ``places``."""
        found: NDArray[Any] = np.asarray(self._numbers)[places]
        if self._mapped is not None and places.size:
            runs = len(places) if places.ndim > 1 else 1 + int((np.diff(places) != 1).sum())
            self._read += runs * _AROUND + places.size * self._numbers.itemsize
            if self._read > MOST_READ:
                self._mapped.madvise(mmap.MADV_DONTNEED)
                self._read = 0
        return found


class Column:
    """An array in a file of which slices are read, and nothing is kept."""

    def __init__(self, path: Path, kind: type[np.generic]) -> None:
        """Open a file of numbers, which may be removed from then on.

        Raises:
            OSError: there is none.
        """
        self._file, self._kind = os.open(path, os.O_RDONLY | os.O_CLOEXEC), np.dtype(kind)
        self._count = os.fstat(self._file).st_size // self._kind.itemsize

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """The numbers of a slice, without a step."""
        low, high, _ = part.indices(self._count)
        size = self._kind.itemsize
        return np.frombuffer(os.pread(self._file, max(0, high - low) * size, low * size), self._kind)
