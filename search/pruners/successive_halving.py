"""Stop all but the best third of the trials at steps 1, 3, 9, 27 and so on.

What it does: at each rung a trial goes on if it is among the best ``1 / reduction_factor`` of those that have reached
the rung so far, and is stopped otherwise; the first ones, too few for that, go on if they are the best. NaN at a rung
stops the trial.
When to use it: the default; small budgets and curves whose early order says something about the final one. Where slow
starters win, raise ``min_resource`` or use hyperband.
Options: ``min_resource`` = 1, step of the first rung; ``reduction_factor`` = 3; ``bootstrap_count`` = 0, the first so
many trials at each rung are stopped there whatever they are worth. 2 halves the regret where the budget is one of steps
or minutes, and is the default there; under a budget of trials what it saves would be saved only.
Cost: microseconds a point, whatever the number of trials.
Reference: Li et al., A system for massively parallel hyperparameter tuning (ASHA), MLSys 2020; Optuna's
SuccessiveHalvingPruner, whose defaults (first rung guessed from the first trial, factor 4) prune later.
"""

from __future__ import annotations

from typing import Annotated

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.halving import Halving
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, AT_LEAST_2

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    min_resource: Annotated[int, AT_LEAST_1] = 1,
    reduction_factor: Annotated[int, AT_LEAST_2] = 3,
    bootstrap_count: Annotated[int, AT_LEAST_0] = 0,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is out of range.
    """
    if min_resource < 1:
        raise UserError(f"min_resource is 1 or more, got {min_resource}")
    if bootstrap_count < 0:
        raise UserError(f"bootstrap_count is 0 or more, got {bootstrap_count}")
    return Halving(context.horizon, reduction_factor, lambda number: min_resource, min_resource, bootstrap_count)
