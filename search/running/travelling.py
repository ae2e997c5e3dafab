"""A trial's checkpoints on their way to a machine that shares no disk with this one, and back.

Only those in a folder travel: a location is reached from everywhere.
"""

from __future__ import annotations

import math
import shutil
import time

from hpo.search.running import carried
from hpo.search.running.checkpoints import superseded
from hpo.search.running.places import Folder, place_of


def travels(where: str | None) -> bool:
    """Whether what is kept there must be carried."""
    return where is not None and isinstance(place_of(where), Folder)


def steps(where: str) -> list[int]:
    """Steps of the checkpoints in a trial's folder, ascending."""
    return place_of(where).steps()


def newest(where: str, done: int) -> int:
    """Step of the newest checkpoint in a trial's folder at or before step ``done``, 0 where there is none."""
    return max((step for step in steps(where) if step <= done), default=0)


def pack(where: str, step: int) -> bytes:
    """A trial's checkpoint of one step as an archive.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    place = place_of(where)
    assert isinstance(place, Folder)
    return carried.pack(place.of(step))


class Arrivals:
    """Lays packed checkpoints into a trial's folder, as if they had been kept there."""

    def __init__(self, where: str) -> None:
        place = place_of(where)
        assert isinstance(place, Folder)
        self._place = place
        self._when = dict.fromkeys(place.steps(), -math.inf)

    def lay(self, step: int, packed: bytes) -> None:
        """Lay one down; older ones go when they may.

        Raises:
            OSError: the disk is full.
            Damaged: it is not whole.
        """
        target = self._place.of(step)
        new = target.with_name("carried")
        shutil.rmtree(new, ignore_errors=True)
        carried.unpack(packed, new)
        self._place.drop(step)
        new.rename(target)
        self._when[step] = time.monotonic()
        for old in superseded(self._when):
            self._place.drop(old)
            del self._when[old]
