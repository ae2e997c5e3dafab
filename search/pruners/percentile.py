"""Stop a trial whose best value so far is outside of the best percentage of the complete trials.

What it does: as median, with any percentage in the place of 50: 25 keeps a trial only while it would be among the
best quarter.
When to use it: to prune harder (below 50) or more gently (above) than the median does.
Options: ``percentile`` = 25.0; ``n_startup_trials`` = 5, complete trials before the first is stopped;
``n_warmup_steps`` = 0, steps at which none is; ``interval_steps`` = 1, steps between checks; ``n_min_trials`` = 1,
complete trials that must have reached the step.
Cost: microseconds a point, whatever the number of trials.
Reference: Golovin et al., Google Vizier, KDD 2017, section 3.2; Optuna's PercentilePruner.
"""

from __future__ import annotations

from typing import Annotated

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.percentile import Percentile
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, PERCENT

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    percentile: Annotated[float, PERCENT] = 25.0,
    n_startup_trials: Annotated[int, AT_LEAST_0] = 5,
    n_warmup_steps: Annotated[int, AT_LEAST_0] = 0,
    interval_steps: Annotated[int, AT_LEAST_1] = 1,
    n_min_trials: Annotated[int, AT_LEAST_1] = 1,
) -> Pruner:
    """Make the pruner."""
    return Percentile(context.horizon, percentile, n_startup_trials, n_warmup_steps, interval_steps, n_min_trials)
