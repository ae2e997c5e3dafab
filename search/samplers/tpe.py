"""Model where good trials lie and where the others do, and propose what tells them apart.

What it does: splits the trials into the best tenth (25 at most; for several goals by non-dominated rank, then by the
volume they dominate) and the rest, estimates the density of each with one kernel per trial, draws ``n_ei_candidates``
from the first and proposes the one with the largest ratio of the two. Knobs under the same condition are modelled
jointly. Pruned trials rank behind complete ones, those that came furthest first; for several goals they belong to the
rest. So do running ones, which keeps parallel proposals apart. Of more than 3,000 in the rest as many are taken, evenly
from the first to the last; the best are never thinned.
When to use it: the default; tens to thousands of trials, knobs of any kind, conditions.
Options: ``n_startup_trials`` = 10, trials drawn at random first; ``n_ei_candidates`` = 24; ``multivariate`` = none,
whether knobs are modelled jointly: yes for one goal, no for several where not said; ``unpruned`` = 0.0, share of the
trials that are drawn from the complete ones alone, at random before four are complete: as if nothing had ever been
pruned, for early points may mislead, and then what lies near the pruned ones is not bad. The default is 0.2, of the
same lots by which its pruner holds trials on. For one goal.
Cost: about 3 milliseconds a recipe at 100 trials, 4 at 1,000, and no more from 3,000 on than there; for several goals
more, at 5,000 trials three times as much and growing.
Reference: Bergstra et al., Algorithms for hyper-parameter optimization, NeurIPS 2011; Watanabe, Tree-structured Parzen
estimator: understanding its algorithm components, 2023; for several goals Ozaki et al., J. Artif. Intell. Res. 2022.
Proposes what Optuna's TPESampler proposes, but for ``unpruned``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.samplers.common.declared import Declared, distributions
from hpo.search.samplers.common.history import LEADING, Rows, Table, table_of
from hpo.search.samplers.common.indexed import Indexed
from hpo.search.samplers.common.parzen import Parzen, value_at
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, FRACTION
from hpo.search.terms.lot import lot

_REST = 3_000
"""So many of the trials that are not among the best are looked at."""

_FEW = 4
"""Complete trials from which on something is drawn from complete ones alone."""


def make(
    context: SamplerContext,
    *,
    n_startup_trials: Annotated[int, AT_LEAST_0] = 10,
    n_ei_candidates: Annotated[int, AT_LEAST_1] = 24,
    multivariate: bool | None = None,
    unpruned: Annotated[float, FRACTION] = 0.0,
) -> BaseSampler:
    """Make the sampler.

    Raises:
        UserError: the share is out of range.
    """
    if not 0 <= unpruned <= 1:
        raise UserError(f"unpruned is a share of the trials, 0 to 1, got {unpruned:g}")
    apart = len(context.directions) == 1 and lot(context.number) < unpruned
    if multivariate is None:
        multivariate = len(context.directions) == 1
    jointly = distributions(context.space, conditional=True) if multivariate else {}
    return Declared(_Tpe(context, n_startup_trials, n_ei_candidates, apart=apart), jointly)


class _Tpe(BaseSampler):
    """TPE for one draw: the trials are split once, then knobs are drawn in groups.

    ``apart`` says that complete trials alone are seen.
    """

    def __init__(self, context: SamplerContext, startup: int, candidates: int, *, apart: bool) -> None:
        self._space = context.space
        self._seed = context.seed
        self._startup = startup
        self._candidates = candidates
        self._apart = apart
        self._rng = np.random.RandomState(context.seed)
        self._random: Indexed | None = None
        self._split: tuple[Table, Rows, Rows] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Leave it to the caller."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the given knobs jointly, or none of them while there are too few trials."""
        if self._early(study):
            return {}
        return self._propose(study, trial, tuple(search_space))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one knob by itself."""
        if not self._early(study):
            return self._propose(study, trial, (param_name,))[param_name]
        if self._random is None:
            self._random = Indexed(RandomSampler(seed=self._seed), self._space)
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _early(self, study: Study) -> bool:
        """Whether there are too few trials to tell good from bad."""
        table = table_of(study, self._space)
        return table.complete().size < _FEW if self._apart else table.ended() < self._startup

    def _propose(self, study: Study, trial: FrozenTrial, names: Sequence[str]) -> dict[str, Any]:
        if self._split is None:
            table = table_of(study, self._space)
            best = _one_goal(table, apart=self._apart) if len(study.directions) == 1 else _several_goals(study, table)
            others = table.others(best, without=trial.number)
            self._split = table, best, _thinned(np.intersect1d(others, table.complete()) if self._apart else others)
        table, best, rest = self._split
        domains = {name: self._space[name].domain for name in names}
        good = Parzen(table.columns(names, best), domains, ageing=len(study.directions) == 1)
        bad = Parzen(table.columns(names, rest), domains)
        points = good.sample(self._rng, self._candidates)
        chosen = int(np.argmax(good.log_density(points) - bad.log_density(points)))
        return {name: value_at(domain, points[name][chosen].item()) for name, domain in domains.items()}


def _one_goal(table: Table, *, apart: bool) -> Rows:
    """Rows of the best tenth of the ended trials, or of the complete ones, 25 at most."""
    known = table.complete().size if apart else table.ended()
    return table.leading(min(math.ceil(0.1 * known), LEADING))


def _several_goals(study: Study, table: Table) -> Rows:
    """Rows of the best tenth of the ended trials.

    Ranking by dominance, ties broken by hypervolume, is long and of little use elsewhere: it is Optuna's own.
    """
    from optuna.samplers._tpe.sampler import _split_complete_trials_multi_objective

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = min(math.ceil(0.1 * table.ended()), len(trials))
    below, _ = _split_complete_trials_multi_objective(trials, study, best)
    return np.array([trial.number for trial in below], dtype=np.int64)


def _thinned(rows: Rows) -> Rows:
    """At most ``_REST`` rows, taken evenly: the density is that of all, at a cost that grows no more."""
    return rows if len(rows) <= _REST else rows[np.arange(_REST) * len(rows) // _REST]
