"""Move a normal distribution over the numeric knobs towards the better half of each generation.

What it does: covariance matrix adaptation on the unit cube of the numbers that are always active; each
``population_size`` ended trials move, stretch and turn the distribution. Pruned trials count behind the complete ones,
those that came furthest first. When the distribution has collapsed the search starts again elsewhere with twice the
population. Choices and knobs under conditions are drawn at random.
When to use it: hundreds of trials, 3 to 50 numeric knobs that interact, a smooth goal.
Options: ``population_size`` = none, 4 + 3 ln(knobs) where not given; ``sigma0`` = 0.17, the first standard deviation as
a share of each range.
Cost: 1 millisecond a recipe at 1,000 trials, 2 at 10,000; replayed from the recorded trials when a search is resumed.
Reference: Hansen, The CMA evolution strategy: a tutorial, 2016; restarts after Auger and Hansen, A restart CMA
evolution strategy with increasing population size, CEC 2005.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import cmaes
import numpy as np
from numpy.typing import NDArray
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.samplers.common.declared import Points
from hpo.search.samplers.common.history import table_of
from hpo.search.store.distributions import single
from hpo.search.terms.domain import Choice, Domain, Scalar
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_2, POSITIVE
from hpo.search.terms.recipe import derive_seed

REQUIRES = ("number", "one goal")

_COLLAPSED = 1e-3  # of each range, all of a generation

_evolutions: WeakKeyDictionary[BaseStorage, dict[str, _Evolution]] = WeakKeyDictionary()


def make(
    context: SamplerContext,
    *,
    population_size: Annotated[int | None, AT_LEAST_2] = None,
    sigma0: Annotated[float, POSITIVE] = 0.17,
) -> BaseSampler:
    """Make the sampler.

    Raises:
        UserError: no number is always active, or an option is out of range.
    """
    domains = {
        parameter.name: parameter.domain
        for parameter in context.space
        if not (parameter.when or single(parameter.domain) or isinstance(parameter.domain, Choice))
    }
    if not domains:
        raise UserError("the sampler cmaes needs a float or int knob without a condition: take tpe or random")
    if population_size is not None and population_size < 4:
        raise UserError(f"the sampler cmaes needs a population_size of 4 or more, got {population_size}")
    if sigma0 <= 0:
        raise UserError(f"the sampler cmaes needs a positive sigma0, got {sigma0}")

    def choose(study: Study) -> Mapping[str, Scalar]:
        key = repr((study._study_id, context.space.text, context.study_seed, population_size, sigma0))
        known = _evolutions.setdefault(study._storage, {})
        table = table_of(study, context.space)
        ranked = table.having(list(domains), table.ranked())
        if key not in known or not known[key].led_to(ranked):
            known[key] = _Evolution(domains, population_size, sigma0, context.study_seed)
        known[key].advance(ranked, table.columns(list(domains), ranked))
        return known[key].draw(context.seed)

    return Points(context.space, choose, seed=context.seed)


class _Evolution:
    """The distribution after whole generations of ended trials, in order of their numbers."""

    def __init__(self, domains: Mapping[str, Domain], population: int | None, sigma: float, seed: int) -> None:
        self._domains = domains
        self._sigma = sigma
        self._seed = seed
        self._restarts = 0
        self._told: list[int] = []
        self._optimizer = self._start(np.full(len(domains), 0.5), population)

    def led_to(self, ranked: NDArray[np.int64]) -> bool:
        """Whether the generations told so far are the first of these trials."""
        return bool(self._told == np.sort(ranked)[: len(self._told)].tolist())

    def advance(self, ranked: NDArray[np.int64], columns: Mapping[str, NDArray[np.float64]]) -> None:
        """Tell the generations that are complete since.

        Args:
            ranked: trial numbers, best first.
            columns: per knob the trials' values, in order of trial number.
        """
        rows = np.sort(ranked)
        places = np.argsort(ranked)  # in the ranking, of each trial in order of number
        while len(rows) - len(self._told) >= self._optimizer.population_size:
            start = len(self._told)
            generation = range(start, start + self._optimizer.population_size)
            solutions = [(self._unit(columns, i), float(places[i])) for i in generation]
            self._optimizer.tell(solutions)
            self._told += rows[generation.start : generation.stop].tolist()
            if np.ptp([x for x, _ in solutions], axis=0).max() < _COLLAPSED or self._optimizer.should_stop():
                self._restarts += 1
                rng = np.random.default_rng(derive_seed(self._seed, "cmaes", self._restarts))
                self._optimizer = self._start(rng.random(len(self._domains)), 2 * self._optimizer.population_size)

    def draw(self, seed: int) -> dict[str, Scalar]:
        """Draw from the distribution."""
        self._optimizer.reseed_rng(seed)
        u = self._optimizer.ask()
        return {name: domain.from_unit(float(x)) for (name, domain), x in zip(self._domains.items(), u, strict=True)}

    def _unit(self, columns: Mapping[str, NDArray[np.float64]], i: int) -> NDArray[np.float64]:
        return np.array([domain.to_unit(float(columns[name][i])) for name, domain in self._domains.items()])

    def _start(self, mean: NDArray[np.float64], population: int | None) -> Any:
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        return cmaes.CMA(mean=mean, sigma=self._sigma, bounds=bounds, population_size=population, seed=0)
