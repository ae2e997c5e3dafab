"""Stop a trial whose best value so far is worse than the median of the complete trials at the same step.

What it does: compares the trial's best value up to now with what the complete trials had at this step; a trial that
has had nothing but NaN is stopped.
When to use it: many full trainings fit the budget and curves seldom cross; with small budgets it acts too late, and
successive-halving finds better recipes.
Options: ``n_startup_trials`` = 5, complete trials before the first is stopped; ``n_warmup_steps`` = 0, steps at which
none is; ``interval_steps`` = 1, steps between checks; ``n_min_trials`` = 1, complete trials that must have reached the
step.
Cost: microseconds a point, whatever the number of trials.
Reference: Golovin et al., Google Vizier, KDD 2017, section 3.2; Optuna's MedianPruner.
"""

from __future__ import annotations

from typing import Annotated

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.percentile import Percentile
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    n_startup_trials: Annotated[int, AT_LEAST_0] = 5,
    n_warmup_steps: Annotated[int, AT_LEAST_0] = 0,
    interval_steps: Annotated[int, AT_LEAST_1] = 1,
    n_min_trials: Annotated[int, AT_LEAST_1] = 1,
) -> Pruner:
    """Make the pruner."""
    return Percentile(context.horizon, 50.0, n_startup_trials, n_warmup_steps, interval_steps, n_min_trials)
