"""Train every trial from start to end; the pruner alone stops any.

What it does: takes up interrupted trials first, in order of their numbers, then asks the sampler for new ones.
When to use it: with every sampler that has no policy of its own; it is what the study file's ``sampler`` and
``pruner`` mean.
Options: none.
Cost: none.
Reference: none.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from hpo.search.contracts.policy import Continue, Policy, Resume, Start, Turn, Verdict, View
from hpo.search.terms.changed import Reader
from hpo.search.terms.trial import Trial


class Straight(Policy):
    """Every started trial runs until it is complete or its pruner stops it."""

    def __init__(self) -> None:
        self._reader: Reader[Trial] = Reader(lambda trial: trial.ended)
        self._paused: list[int] = []  # a heap of the trials that were paused; some may have been taken up since
        self._held: set[int] = set()  # the same

    def next(self, view: View) -> Turn:
        """Resume the paused trial with the lowest number, else start a new one."""
        trials = view.trials
        numbers, afresh = self._reader.news(trials, view.log, trials)
        if afresh:
            self._paused, self._held = [], set()
        for number in numbers:
            if number not in self._held and trials[number].state == "paused":
                heappush(self._paused, number)
                self._held.add(number)
        while self._paused and trials[self._paused[0]].state != "paused":
            self._held.discard(heappop(self._paused))
        return Resume(self._paused[0]) if self._paused else Start()

    def judge(self, view: View, number: int) -> Verdict:
        """Go on."""
        return Continue()

    def checks(self, horizon: int) -> Iterable[int]:
        """It stops nothing."""
        return ()


def make(context: object) -> Straight:
    """Make the policy; it has no options."""
    return Straight()
