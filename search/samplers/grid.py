"""Try every recipe of a finite space exactly once.

What it does: numbers all combinations, those of knobs under conditions only where they are active, in an order
shuffled by the study's seed, and proposes the first that no complete, pruned, running or waiting trial has. When
all were proposed, those that failed are tried once more. Nothing is left: the search ends. With ``repeats`` it goes
round again instead.
When to use it: small spaces of choices, integers and stepped ranges that are to be covered completely.
Options: none.
Cost: about 1 millisecond a recipe at 1,000 trials and 11 at 10,000; ten million combinations at most.
Reference: complete factorial design; Bergstra and Bengio, JMLR 2012, on what it wastes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.contracts.sampler import TRIES, SamplerContext
from hpo.search.samplers.common.declared import Points
from hpo.search.samplers.common.lattice import Lattice
from hpo.search.terms.domain import Scalar
from hpo.search.terms.errors import SpaceExhausted, UserError
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.space import Space

REQUIRES = ("finite",)
DISCLAIMS = ("better than random",)

_LARGEST = 10_000_000

_grids: WeakKeyDictionary[BaseStorage, dict[str, _Grid]] = WeakKeyDictionary()


def make(context: SamplerContext) -> BaseSampler:
    """Make the sampler."""

    def choose(study: Study) -> Mapping[str, Scalar]:
        known = _grids.setdefault(study._storage, {})
        key = repr((study._study_id, context.space, context.fixed, context.study_seed))
        if key not in known:
            known[key] = _Grid(context.space, context.fixed, derive_seed(context.study_seed, "grid"))
        trials = study.get_trials(deepcopy=False)
        return known[key].next(trials[: context.number] + trials[context.number + 1 :], context.repeats)

    return Points(context.space, choose, seed=context.seed, untried=True)


class _Grid:
    """All points in the study's order, and which of them the trials that have a point are at."""

    def __init__(self, space: Space, fixed: Mapping[str, Scalar], seed: int) -> None:
        if any(parameter.domain.count() is None for parameter in space):
            raise UserError("a grid needs a step or a list of values for every knob: take the sampler qmc or random")
        self._lattice = Lattice(space, fixed)
        if self._lattice.size > _LARGEST:
            raise UserError(
                f"a grid has at most {_LARGEST:,} combinations, not {self._lattice.size:,}: "
                "give fewer values, or take the sampler qmc or random"
            )
        self._order = np.random.default_rng(seed).permutation(self._lattice.size)
        self._numbers: dict[int, int | None] = {}

    def next(self, trials: Sequence[FrozenTrial], repeats: bool) -> dict[str, Scalar]:
        """The first point in order that is due, given the other trials."""
        taken: Counter[int] = Counter()
        failed: Counter[int] = Counter()
        for trial in trials:
            number = self._number(trial)
            if number is not None:
                (failed if trial.state == TrialState.FAIL else taken)[number] += 1
        if repeats:
            return self._lattice.point(min(self._order.tolist(), key=lambda number: taken[number] + failed[number]))
        for number in self._order:
            if number not in taken and number not in failed:
                return self._lattice.point(int(number))
        for number in self._order:
            if number not in taken and failed[number] < TRIES:
                return self._lattice.point(int(number))
        raise SpaceExhausted(f"all {self._lattice.size:,} recipes of the grid were tried")

    def _number(self, trial: FrozenTrial) -> int | None:
        if trial.number not in self._numbers and trial.params:
            self._numbers[trial.number] = self._lattice.number(trial.params)
        return self._numbers.get(trial.number)
