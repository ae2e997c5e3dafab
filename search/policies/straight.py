"""Train every trial from start to end; the pruner alone stops any.

What it does: takes up interrupted trials first, in order of their numbers, then asks the sampler for new ones.
When to use it: with every sampler that has no policy of its own; it is what the study file's ``sampler`` and
``pruner`` mean.
Options: none.
Cost: none.
Reference: none.
"""

from __future__ import annotations

from hpo.search.contracts.policy import Continue, Policy, Resume, Start, Turn, Verdict, View


class Straight(Policy):
    """Every started trial runs until it is complete or its pruner stops it."""

    def __init__(self) -> None:
        self._seen = 0
        self._open: list[int] = []  # of the trials seen, those that had not ended: no turn looks at all of them

    def next(self, view: View) -> Turn:
        """Resume the paused trial with the lowest number, else start a new one."""
        trials = view.trials
        known = [*self._open, *range(self._seen, len(trials))]
        self._open = [number for number in known if trials[number].state in ("running", "paused")]
        self._seen = len(trials)
        paused = [number for number in self._open if trials[number].state == "paused"]
        return Resume(paused[0]) if paused else Start()

    def judge(self, view: View, number: int) -> Verdict:
        """Go on."""
        return Continue()


def make(context: object) -> Straight:
    """Make the policy; it has no options."""
    return Straight()
