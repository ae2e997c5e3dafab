"""Stop all but the best third of the trials at steps 1, 3, 9, 27 and so on.

What it does: at each rung a trial goes on if it is among the best ``1 / reduction_factor`` of those that have reached
the rung so far, and is stopped otherwise; the first ones, too few for that, go on if they are the best. NaN at a rung
stops the trial. With ``slack`` those just behind go on too.
When to use it: small budgets and curves whose early order says something about the final one; the default hedges it.
Where slow starters win, raise ``min_resource`` or use hyperband.
Options: ``min_resource`` = 1, step of the first rung, or below 1 the share of a complete trial's steps;
``reduction_factor`` = 3; ``slack`` = 0.0, a trial that is not among the best goes on too where it is behind the last of
them by at most this share of the distance from the best to the median at the rung: for recipes drawn at random, of
which the best of a given number is wanted, 0.3 with a first rung at 0.1 (docs/default-search.md);
``bootstrap_count`` = 0, the first so many trials at each rung are stopped there whatever they are worth; 2 spends less
on the first trials where the budget is one of steps or minutes and early points are right.
Cost: microseconds a point, whatever the number of trials.
Reference: Li et al., A system for massively parallel hyperparameter tuning (ASHA), MLSys 2020; Optuna's
SuccessiveHalvingPruner, whose defaults (first rung guessed from the first trial, factor 4) prune later.
"""

from __future__ import annotations

import math
from typing import Annotated

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.halving import Halving
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_2, POSITIVE

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    min_resource: Annotated[float, POSITIVE] = 1,
    reduction_factor: Annotated[int, AT_LEAST_2] = 3,
    bootstrap_count: Annotated[int, AT_LEAST_0] = 0,
    slack: Annotated[float, AT_LEAST_0] = 0.0,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is out of range.
    """
    if min_resource <= 0 or (min_resource > 1 and min_resource != int(min_resource)):
        raise UserError(f"min_resource is a number of steps, or a share of them below 1, got {min_resource:g}")
    if bootstrap_count < 0:
        raise UserError(f"bootstrap_count is 0 or more, got {bootstrap_count}")
    if not 0 <= slack < math.inf:
        raise UserError(f"slack is 0 or more, got {slack:g}")
    first = int(min_resource) if min_resource >= 1 else max(1, round(min_resource * (context.horizon or 1)))
    return Halving(context.horizon, reduction_factor, lambda number: first, first, bootstrap_count, slack)
