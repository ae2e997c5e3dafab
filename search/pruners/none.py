"""Train every trial to its end.

What it does: nothing.
When to use it: curves that say nothing about their end, such as cross-validation folds in random order, or as the
baseline for other pruners.
Options: none.
Cost: none.
Reference: none.
"""

from __future__ import annotations

from optuna.pruners import BasePruner, NopPruner

from hpo.search.contracts.pruner import PrunerContext


def make(context: PrunerContext) -> BasePruner:
    """Make the pruner."""
    return NopPruner()
