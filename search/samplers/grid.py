"""Try every recipe of a finite space exactly once.

What it does: numbers all combinations, those of knobs under conditions only where they are active, in an order
shuffled by the study's seed, and proposes the first that no complete, pruned, running or waiting trial has. When
all were proposed, those that failed are tried once more. Nothing is left: the search ends. With ``repeats`` it goes
round again instead.
When to use it: small spaces of choices, integers and stepped ranges that are to be covered completely.
Options: none.
Cost: below a millisecond a recipe, with ``repeats`` one pass over the combinations; ten million of them at most.
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
from hpo.search.store.recorder import log_of, trials_of
from hpo.search.terms.changed import Log, Reader
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
        key = repr((study._study_id, context.space.text, context.fixed, context.study_seed))
        if key not in known:
            known[key] = _Grid(context.space, context.fixed, derive_seed(context.study_seed, "grid"))
        known[key].update(trials_of(study), log_of(study))
        return known[key].next(context.repeats)

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
        self._reader: Reader[FrozenTrial] = Reader(lambda trial: trial.state.is_finished())
        self._forget()

    def _forget(self) -> None:
        self._taken: Counter[int] = Counter()  # places, by their number in the lattice
        self._failed: Counter[int] = Counter()
        self._open: dict[int, int] = {}  # places of the trials that have not ended
        self._untouched = 0  # the first in order that no trial has been at, or one before it

    def update(self, trials: Sequence[FrozenTrial], log: Log | None) -> None:
        """Read the trials that are new or have changed; one that has no knobs yet is nowhere."""
        numbers, afresh = self._reader.news(trials, log)
        if afresh:
            self._forget()
        for number in numbers:
            trial = trials[number]
            ended, failed = trial.state.is_finished(), trial.state == TrialState.FAIL
            place = self._open.pop(number, None)
            if place is None:
                place = self._lattice.number(trial.params) if trial.params else None
                if place is None:
                    continue
            else:
                self._taken[place] -= 1
            (self._failed if failed else self._taken)[place] += 1
            if not ended:
                self._open[number] = place

    def next(self, repeats: bool) -> dict[str, Scalar]:
        """The first point in order that is due."""
        taken, failed = self._taken, self._failed
        if repeats:
            return self._lattice.point(min(self._order.tolist(), key=lambda place: taken[place] + failed[place]))
        order = self._order
        while self._untouched < len(order) and taken[place := int(order[self._untouched])] + failed[place]:
            self._untouched += 1
        if self._untouched < len(order):
            return self._lattice.point(int(order[self._untouched]))
        for place in order:
            if not taken[place] and failed[place] < TRIES:
                return self._lattice.point(int(place))
        raise SpaceExhausted(f"all {self._lattice.size:,} recipes of the grid were tried")
