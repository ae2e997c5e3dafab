"""A trial's checkpoints by the step that they hold, so that it is taken up where its record ends and nowhere else.

The objective has a folder of its own, in which it saves what it likes whenever it likes. When it yields the point of
step k, what lies there holds step k or an earlier one, and is kept as ``k``. Points reach the store up to a second
later, so a kill may leave a checkpoint ahead of the record: a run is taken up from the newest at or before the last
recorded step. The objective says by ``step`` which point comes next; what is recorded already is not told again.

Where several processes train a trial, what rank 0 saves is kept. Every other one has a folder of its own with what was
kept; what it saves there is nobody's.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

from hpo.search.running.carried import Damaged
from hpo.search.running.places import in_words, place_of
from hpo.search.terms.errors import Advice
from hpo.search.terms.keeping import Keeping

SAFE = 5.0
"""Seconds after which a point is in the store for certain; older checkpoints than the newest such are removed."""

_SHARE = 20
"""Keeping a checkpoint takes at most one part in so many of a trial's time."""


class Checkpoints:
    """The checkpoints of one trial: ``where`` is a folder or a location, see ``places``."""

    def __init__(
        self, where: str | Path, keeping: Keeping = Keeping(), rank: int = 0,  # noqa: B008 # it is frozen
    ) -> None:  # fmt: skip
        self._place = place_of(str(where), rank)
        self._keeping, self._rank = keeping, rank
        self._last: object = None
        self._next = 0.0
        self._when: dict[int, float] = {}  # those that are kept, by step, and since when on the monotonic clock
        self.restored = 0
        """Step of the checkpoint that the run was taken up from, 0 for its start."""

    def restore(self, done: int) -> str:
        """Make the objective's folder as it was at the newest checkpoint at or before step ``done``; gives its path.

        One that cannot be read is warned about: the run then goes on from an earlier one, or starts again.
        """
        live = self._place.live
        self.restored = 0
        self._when.clear()
        try:
            self._lay_newest(done)
        except OSError as error:
            _warn(f"a checkpoint could not be read, so its trial trains again from the start: {in_words(error)}")
            shutil.rmtree(live, ignore_errors=True)
        live.mkdir(parents=True, exist_ok=True)
        self._last = self._content()
        return str(live)

    def keep(self, step: int) -> None:
        """Keep what the objective has saved, now that it has yielded this step; nothing where nothing is new.

        What cannot be kept is warned about: the trial goes on, and taken up again it starts from an earlier one.
        """
        began = time.monotonic()
        due = not self._rank and step - max(self._when, default=0) >= self._keeping.every
        if not due or began < self._next or (content := self._content()) == self._last:
            return
        try:
            self._check_size()
            self._place.keep(step, self._place.live)
            self._last = content
            self._when[step] = time.monotonic()
        except OSError as error:
            _warn(f"a checkpoint could not be kept: {in_words(error)}")
        else:
            self._drop_old()
        finally:
            self._next = time.monotonic() + (time.monotonic() - began) * _SHARE

    @property
    def gone(self) -> str:
        """The objective's own folder where somebody has taken it away under it; else empty."""
        return "" if self._place.live.is_dir() else str(self._place.live)

    def leave(self) -> None:
        """The training has ended: remove what is of no use to another run."""
        self._place.leave()

    def _lay_newest(self, done: int) -> None:
        live = self._place.live
        shutil.rmtree(live, ignore_errors=True)
        steps = self._place.steps()
        for step in steps:
            if step > done and not self._rank:
                with contextlib.suppress(OSError):  # it would be as good when the record has reached it
                    self._place.drop(step)
        for step in reversed([step for step in steps if step <= done]):
            try:
                self._place.lay(step)
            except Damaged:  # killed on its way
                shutil.rmtree(live, ignore_errors=True)
                if not self._rank:
                    self._place.drop(step)
                continue
            self.restored = step
            self._when = {known: -math.inf for known in steps if known <= step}
            return

    def _check_size(self) -> None:
        limit = self._keeping.limit
        size = sum(path.stat().st_size for path in self._place.live.rglob("*") if path.is_file()) / 2**20
        if limit is not None and size > limit:
            raise OSError(
                f"it has {size:.3g} MiB, more than checkpoints: {{limit: {limit:g}}} allows; raise the limit or save "
                "less, else a trial that is interrupted trains again from its start"
            )

    def _drop_old(self) -> None:
        """Leave the newest of those that are safely recorded, and all that are newer."""
        with contextlib.suppress(OSError):  # they are still known the next time
            for step in superseded(self._when):
                self._place.drop(step)
                del self._when[step]

    def _content(self) -> object:
        """What tells whether anything in the objective's folder has changed."""
        files = sorted(path for path in self._place.live.rglob("*") if path.is_file())
        stats = [(str(path), path.stat()) for path in files]
        return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def superseded(when: Mapping[int, float]) -> list[int]:
    """Steps that no run will be taken up from: older than the newest whose point is in the store for certain.

    Args:
        when: those that are kept, and since when on the monotonic clock.
    """
    now = time.monotonic()
    return [step for step in sorted(when)[:-1] if now - when[step] > SAFE][:-1]


def _warn(text: str) -> None:
    warnings.warn(text, Advice, stacklevel=4)
