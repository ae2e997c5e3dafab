"""Lanes that wait to be taken up again: in memory up to a limit, beyond it on disk, the longest paused first.

A lane on disk is its tensors in the safetensors format and a few numbers that stay in memory. Its model is built anew
from the recipe when it comes back; then everything that training has changed is put in its place, to the last bit.
What cannot be kept, or not be read back, is trained again from its recipe up to where it was.

The file has no name, so it is gone when the process is, however that ends.
"""

from __future__ import annotations

import contextlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from hpo.objectives.trainer.lane import Lane
from hpo.search.terms.job import Job

FOLDER = Path(".hpo")
"""Where the file lives, beside the study's other scratch files: what /tmp holds may be memory itself."""

_REBUILT = ("setup", "rows")
"""What of a lane its recipe and its tensors give back."""


@dataclass(frozen=True)
class _Stored:
    """A lane on disk: its numbers, and where its tensors are."""

    facts: Mapping[str, Any]
    place: int
    size: int
    checksum: int


class Paused:
    """Lanes by trial number."""

    def __init__(self, limit: int, make: Callable[[Job], Lane], tell: Callable[[str], None]) -> None:
        """Hold no lane yet.

        Args:
            limit: bytes held in memory at most.
            make: builds a lane that has not been trained yet.
            tell: takes what the user should know.
        """
        self._limit, self._make, self._tell = limit, make, tell
        self._held: dict[int, Lane] = {}
        self._bytes = 0
        self._stored: dict[int, _Stored] = {}
        self._file = _Heap()

    def put(self, lane: Lane) -> None:
        """Take in a lane that stands in no cohort's matrix any more."""
        self._held[lane.number] = lane
        self._bytes += _size(lane)
        while self._bytes > self._limit:
            oldest = self._held.pop(next(iter(self._held)))
            self._bytes -= _size(oldest)
            self._store(oldest)

    def take(self, job: Job) -> Lane:
        """The trial's lane as it was; a fresh one where it is not here."""
        if (held := self._held.pop(job.number, None)) is not None:
            self._bytes -= _size(held)
            return held
        lane = self._make(job)
        stored = self._stored.pop(job.number, None)
        if stored is not None:
            tensors = self._load(stored)
            if tensors is not None:
                vars(lane).update(stored.facts)
                device = lane.setup.data.device
                lane.rows = {name: value.to(device) for name, value in tensors["rows"].items()}
                lane.setup.network.restore(tensors["network"])
        return lane

    def drop(self, number: int) -> None:
        """Forget a trial."""
        if (held := self._held.pop(number, None)) is not None:
            self._bytes -= _size(held)
        if (stored := self._stored.pop(number, None)) is not None:
            self._file.free(stored.place, stored.size)

    def clear(self) -> None:
        """Forget all trials and give the space back."""
        self._held.clear()
        self._stored.clear()
        self._bytes = 0
        self._file.close()

    def _store(self, lane: Lane) -> None:
        network = lane.setup.network.state()
        if network is None:
            self._tell("more trials are paused than fit in memory: some train again up to where they were")
            return
        named = {f"rows.{name}": value for name, value in lane.rows.items()}
        named |= {f"network.{name}": value for name, value in network.items()}
        blob = save({name: value.detach().cpu().clone().contiguous() for name, value in named.items()})
        try:
            place = self._file.write(blob)
        except OSError as error:
            self._tell(
                f"paused trials cannot go to disk ({error.strerror or error}): they train again up to where they were"
            )
            return
        facts = {name: value for name, value in vars(lane).items() if name not in _REBUILT}
        self._stored[lane.number] = _Stored(facts, place, len(blob), zlib.crc32(blob))

    def _load(self, stored: _Stored) -> dict[str, dict[str, Tensor]] | None:
        try:
            blob = self._file.read(stored.place, stored.size)
        except OSError:
            blob = b""
        self._file.free(stored.place, stored.size)
        if zlib.crc32(blob) != stored.checksum:
            self._tell("a paused trial could not be read back from disk: it trains again up to where it was")
            return None
        parts: dict[str, dict[str, Tensor]] = {"rows": {}, "network": {}}
        for name, value in load(blob).items():
            part, _, own = name.partition(".")
            parts[part][own] = value
        return parts


def _size(lane: Lane) -> int:
    return sum(row.nbytes for row in lane.rows.values()) + lane.setup.network.held


class _Heap:
    """Byte strings in an unnamed file; a place that was freed is taken again by one of the same size."""

    def __init__(self) -> None:
        self._file: FileIO | None = None
        self._end = 0
        self._free: defaultdict[int, list[int]] = defaultdict(list)

    def write(self, blob: bytes) -> int:
        """Write and return the place.

        Raises:
            OSError: the disk is full, or nothing can be written there.
        """
        if self._file is None:
            FOLDER.mkdir(exist_ok=True)
            self._file = TemporaryFile(buffering=0, dir=FOLDER)  # noqa: SIM115  lives as long as the lanes
        free = self._free[len(blob)]
        place = free[-1] if free else self._end
        self._file.seek(place)
        left = memoryview(blob)
        while left:
            left = left[self._file.write(left) :]
        if free:
            free.pop()
        else:
            self._end += len(blob)
        return place

    def read(self, place: int, size: int) -> bytes:
        """Read what was written; less where the file has lost it."""
        assert self._file is not None
        self._file.seek(place)
        blob = bytearray()
        while len(blob) < size and (part := self._file.read(size - len(blob))):
            blob += part
        return bytes(blob)

    def free(self, place: int, size: int) -> None:
        """Give a place back."""
        self._free[size].append(place)

    def close(self) -> None:
        """Give up everything."""
        file, self._file = self._file, None
        self._end = 0
        self._free.clear()
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
