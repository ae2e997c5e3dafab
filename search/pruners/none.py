"""Train every trial to its end.

What it does: nothing.
When to use it: curves that say nothing about their end, such as cross-validation folds in random order, or as the
baseline for other pruners.
Options: none.
Cost: none.
Reference: none.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpo.search.contracts.policy import Continue, View
from hpo.search.contracts.pruner import Answer, Pruner, PrunerContext

DISCLAIMS = ("ever prunes",)


class _Never(Pruner):
    def judge(self, view: View, number: int) -> Answer:
        """Let it go on."""
        return Continue()

    def checks(self, horizon: int) -> Iterable[int]:
        """It stops nothing."""
        return ()


def make(context: PrunerContext) -> Pruner:
    """Make the pruner."""
    return _Never()
