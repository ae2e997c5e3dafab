"""A trial's checkpoints by the step that they hold, so that it is taken up where its record ends and nowhere else.

The objective has a folder of its own, in which it saves what it likes whenever it likes. When it yields the point of
step k, what lies there holds step k or an earlier one, and is kept as ``k``. Points reach the store up to a second
later, so a kill may leave a checkpoint ahead of the record: a run is taken up from the newest at or before the last
recorded step. The objective says by ``step`` which point comes next; what is recorded already is not told again.

::

    FOLDER/live            the objective's own
    FOLDER/000000000012    what lay there when it yielded step 12
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

SAFE = 5.0
"""Seconds after which a point is in the store for certain; older checkpoints than the newest such are removed."""

_SHARE = 20
"""Keeping a checkpoint takes at most one part in so many of a trial's time."""


class Checkpoints:
    """The checkpoints of one trial in a folder."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._live = self._folder / "live"
        self._kept: object = None
        self._next = 0.0
        self.restored = 0
        """Step of the checkpoint that the run was taken up from, 0 for its start."""

    def restore(self, done: int) -> str:
        """Make the objective's folder as it was at the newest checkpoint at or before step ``done``; gives its path."""
        steps = self._steps()
        for step in steps:
            if step > done:
                shutil.rmtree(self._of(step), ignore_errors=True)
        shutil.rmtree(self._live, ignore_errors=True)
        newest = max((step for step in steps if step <= done), default=None)
        self.restored = newest or 0
        if newest is None:
            self._live.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copytree(self._of(newest), self._live)
        self._kept = self._content()
        return str(self._live)

    def keep(self, step: int) -> None:
        """Keep what the objective has saved, now that it has yielded this step; nothing where nothing is new.

        Raises:
            OSError: the disk is full.
        """
        began = time.monotonic()
        if began < self._next or (content := self._content()) == self._kept:
            return
        new = self._folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(self._live, new)
        target = self._of(step)
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
        self._kept = content
        self._next = time.monotonic() + (time.monotonic() - began) * _SHARE
        self._drop_old()

    def _drop_old(self) -> None:
        """Leave the newest of those that are safely recorded, and all that are newer."""
        now, steps = time.time(), self._steps()
        safe = [step for step in steps[:-1] if now - self._of(step).stat().st_mtime > SAFE]
        for step in safe[:-1]:
            shutil.rmtree(self._of(step), ignore_errors=True)

    def _steps(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def _of(self, step: int) -> Path:
        return self._folder / f"{step:012d}"

    def _content(self) -> object:
        """What tells whether anything in the objective's folder has changed."""
        files = sorted(path for path in self._live.rglob("*") if path.is_file())
        stats = [(str(path), path.stat()) for path in files]
        return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
