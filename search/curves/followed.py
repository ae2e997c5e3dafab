"""The states and lengths of a study's trials, followed as they change: what a decision to freeze or thaw depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from hpo.search.contracts.policy import View
from hpo.search.terms.changed import Reader
from hpo.search.terms.trial import Trial

_UNKNOWN_HORIZON = 32

_Fact: TypeAlias = "tuple[str, int]"


class Followed:
    """The trials of a study as far as decisions depend on them, brought up to date at every look.

    Attributes:
        points: recorded in all.
    """

    def __init__(self) -> None:
        self._reader: Reader[Trial] = Reader(lambda trial: trial.ended)
        self._facts: list[_Fact] = []  # state and length of every trial
        self._before: dict[int, _Fact | None] = {}  # what they were at the last mark, where that is something else
        self._renewed: set[int] = set()
        self.points = 0
        self._longest = self._longest_complete = 0

    def look(self, view: View) -> Followed:
        """Take in what changed."""
        numbers, afresh = self._reader.news(view.trials, view.log, view.trials)
        if afresh:
            del self._facts[len(view.trials) :]
            self.points = self._longest = self._longest_complete = 0
        for number in numbers:
            trial = view.trials[number]
            # Pruning the judged trial does not make another decision of it.
            fact = ("left" if trial.state in ("paused", "pruned") else trial.state, len(trial.curve))
            old = self._facts[number] if number < len(self._facts) else None
            self.points += fact[1] - (0 if afresh or old is None else old[1])
            if fact != old:
                self._before.setdefault(number, old)
                self._facts[number : number + 1] = [fact]
            if trial.curve:
                self._longest = max(self._longest, trial.curve[-1][0])
                if trial.state == "complete":
                    self._longest_complete = max(self._longest_complete, trial.curve[-1][0])
            self._renewed.add(number)
        return self

    def renewed(self, known: int) -> Sequence[int]:
        """Numbers of the trials that changed since the last call, and of all but the first ``known``, ascending."""
        numbers, self._renewed = self._renewed, set()
        return sorted(numbers.union(range(known, len(self._facts))))

    def mark(self) -> None:
        """Compare with how it is now from here on."""
        self._before = {}

    def same(self, then: int | None, now: int | None) -> bool:
        """Whether nothing has changed since the mark; the trial judged ``then``, or ``now``, counts as left."""
        for number in {*self._before, *(n for n in (then, now) if n is not None)}:
            fact = self._facts[number]
            before = self._before.get(number, fact)
            if before is None or before[1] != fact[1]:
                return False
            if ("left" if number == then else before[0]) != ("left" if number == now else fact[0]):
                return False
        return True

    def horizon(self, view: View) -> int:
        """Steps of a complete trial."""
        if view.horizon is not None:
            return view.horizon
        if self._longest_complete:
            return self._longest_complete
        longest = max(self._longest, 1)
        return min(max(_UNKNOWN_HORIZON, 1 << (2 * longest - 1).bit_length()), 2**63 - 1)  # no step is larger
