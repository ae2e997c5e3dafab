"""What decisions to freeze or thaw ask of all trials, kept up to date trial by trial as they change.

So a decision among many thousands of trials costs hardly more than one among a thousand: what is ranked stays in order,
and what is compared lies in arrays. All of it follows from the trials alone, in whichever order they were taken in.
"""

from __future__ import annotations

import bisect
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.halving import promoted, rungs
from hpo.search.curves.history import Units, bends, noise_of
from hpo.search.curves.known import Known

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_ROOM = 256  # trials that there is room for at first


class Roster:
    """The trials of a study.

    Attributes:
        known: by number.
        keys: what tells the tried recipes apart.
        running: numbers of the trials in training.
        waiting: numbers of those that were paused before their first point.
        ranked: best value and number of the trials that have points, best first.
        complete: numbers of the complete trials whose values are finite, ascending.
        version: another one whenever a curve is.
    """

    def __init__(self) -> None:
        self.version = 0
        self.clear()

    def clear(self) -> None:
        """Forget all trials."""
        self.version += 1
        self.known: list[Known] = []
        self.keys: set[Any] = set()
        self.running: set[int] = set()
        self.waiting: set[int] = set()
        self.ranked: list[tuple[float, int]] = []
        self.complete: list[int] = []
        self._bests, self._firsts, self._bends = array("d"), array("d"), array("d")  # finite ones, ascending
        self._steps, self._best = np.zeros(_ROOM, dtype=np.int64), np.full(_ROOM, np.inf)
        self._paused, self._free = np.zeros(_ROOM, dtype=bool), np.zeros(_ROOM, dtype=bool)
        self._worths: dict[int, Array] = {}  # at each rung what a trial promised there; NaN where it was not
        self._unweighed: dict[int, set[int]] = {}  # trials whose worth at a rung is to be worked out
        self._ceiling = np.inf  # what the worths were worked out with

    def put(self, number: int, known: Known) -> None:
        """Take in a trial that is new, the next one by number, or has changed."""
        old = self.known[number] if number < len(self.known) else None
        if old is known:
            return
        self.known[number : number + 1] = [known]
        self._grow(number + 1)
        if old is None:
            self.keys.add(known.key)
        if old is None or old.curve is not known.curve:
            self.version += 1
            self._rank(number, old, known)
            self._bend(old, known)
        state, finite = known.trial.state, bool(np.isfinite(known.curve).all())
        _keep(self.running, number, state == "running")
        _keep(self.waiting, number, state == "paused" and not known.length)
        if state == "complete" and finite and (old is None or old.trial.state != "complete"):
            bisect.insort(self.complete, number)
        self._steps[number], self._best[number] = known.steps, known.best
        self._paused[number] = state == "paused"
        self._free[number] = state == "paused" and len(known.curve) > 0 and known.steps < known.limit
        for rung in rungs(known.steps):
            self._unweighed.setdefault(rung, set()).add(number)

    @property
    def leader(self) -> int:
        """Number of the trial with the best value; the first where none has one."""
        return self.ranked[0][1] if self._bests else 0

    def best_but(self, number: int) -> float:
        """The best value of all other trials, infinite where there is none."""
        return next((best for best, other in self.ranked[:2] if other != number), np.inf)

    def top(self, count: int) -> list[Known]:
        """The best trials that have points, best first."""
        return [self.known[number] for _, number in self.ranked[:count]]

    def units(self, share: float) -> Units:
        """The scale of the study's values."""
        return Units.ranked(self._firsts, self._bests, len(self.ranked), share)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise within curves; 0 if unknown."""
        return noise_of(self._bends)

    def free(self, judged: int | None, count: int) -> list[Known]:
        """The best trials that can be trained on, the judged one among them; best first."""
        numbers = np.flatnonzero(self._freed(judged))
        best = self._best[numbers]
        if numbers.size > count:
            kept = best <= np.partition(best, count - 1)[count - 1]
            numbers, best = numbers[kept], best[kept]
        return [self.known[number] for number in numbers[np.argsort(best, kind="stable")][:count]]

    def better_paused(self, number: int) -> int:
        """How many paused trials are better than a trial."""
        size = len(self.known)
        return int(np.count_nonzero(self._paused[:size] & (self._best[:size] < self.known[number].best)))

    def promoted(self, judged: int | None, luck: Array, ceiling: float) -> int | None:
        """Number of the trial that successive halving trains on; see ``halving.promoted``."""
        steps = self._steps[: len(self.known)]
        return promoted(steps, self._freed(judged), luck, lambda there, rung: self._worth(rung, ceiling)[there])

    def place(self, number: int, rung: int, ceiling: float) -> tuple[int, int]:
        """How many promised more at a rung than a trial that has reached it, and how many have reached it."""
        worth = self._worth(rung, ceiling)
        own = self.known[number].prospect(rung, ceiling)
        return int(np.count_nonzero(worth < own)), int(np.count_nonzero(self._steps[: len(self.known)] >= rung))

    def _freed(self, judged: int | None) -> NDArray[np.bool_]:
        free = self._free[: len(self.known)].copy()
        if judged is not None:
            known = self.known[judged]
            free[judged] = len(known.curve) > 0 and known.steps < known.limit
        return free

    def _worth(self, rung: int, ceiling: float) -> Array:
        """What the trials promised at a rung; NaN for those that have not reached it."""
        if ceiling != self._ceiling:
            self._ceiling, self._worths = ceiling, {}
            for number, known in enumerate(self.known):
                for reached in rungs(known.steps):
                    self._unweighed.setdefault(reached, set()).add(number)
        if rung not in self._worths:
            self._worths[rung] = np.full(self._best.size, np.nan)
        worth = self._worths[rung]
        for number in self._unweighed.pop(rung, ()):
            worth[number] = self.known[number].prospect(rung, ceiling)
        return worth[: len(self.known)]

    def _rank(self, number: int, old: Known | None, known: Known) -> None:
        """Put the trial where its first and best value belong."""
        if old is not None and len(old.curve):
            del self.ranked[bisect.bisect_left(self.ranked, (old.best, number))]
            _drop(self._bests, old.best)
            _drop(self._firsts, old.curve[0, 1])
        if len(known.curve):
            bisect.insort(self.ranked, (known.best, number))
            _insert(self._bests, known.best)
            _insert(self._firsts, known.curve[0, 1])

    def _bend(self, old: Known | None, known: Known) -> None:
        """Take in the trial's second differences, of which those of the points before are there already."""
        before = 0 if old is None else len(old.curve)
        if old is not None and not np.array_equal(known.curve[:before], old.curve, equal_nan=True):
            for bend in bends(old.curve[:, 1]):
                _drop(self._bends, bend)
            before = 0
        for bend in bends(known.curve[max(before - 2, 0) :, 1]):
            _insert(self._bends, bend)

    def _grow(self, count: int) -> None:
        """Make room for so many trials."""
        if count <= self._steps.size:
            return
        more = self._steps.size
        self._steps, self._best = np.pad(self._steps, (0, more)), np.pad(self._best, (0, more), constant_values=np.inf)
        self._paused, self._free = np.pad(self._paused, (0, more)), np.pad(self._free, (0, more))
        for rung, worth in self._worths.items():
            self._worths[rung] = np.pad(worth, (0, more), constant_values=np.nan)


def _keep(numbers: set[int], number: int, there: bool) -> None:
    (numbers.add if there else numbers.discard)(number)


def _insert(ordered: array[float], value: float) -> None:
    if np.isfinite(value):
        bisect.insort(ordered, float(value))


def _drop(ordered: array[float], value: float) -> None:
    if np.isfinite(value):
        del ordered[bisect.bisect_left(ordered, float(value))]
