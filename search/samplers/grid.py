"""Try every recipe of a finite space exactly once.

What it does: enumerates all combinations, those of knobs under conditions only where they are active, in an order
shuffled by the study's seed, and proposes the first that no complete, pruned, running or waiting trial has. When
all were proposed, those that only ever failed are tried again. Nothing is left: the search ends. With ``repeats``
it goes round again instead.
When to use it: small spaces of choices, integers and stepped ranges that are to be covered completely.
Options: ``retries`` = 1, how often a recipe that failed is tried again.
Cost: about 2 milliseconds a recipe at 1,000 trials, growing with trials and combinations; a million of these at most.
Reference: complete factorial design; Bergstra and Bengio, JMLR 2012, on what it wastes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import TrialState

from hpo.search.errors import SpaceExhausted, UserError
from hpo.search.recipe import derive_seed
from hpo.search.samplers import SamplerContext
from hpo.search.samplers.common.declared import Points
from hpo.search.space import Choice, Domain, Scalar, Space

REQUIRES = ("finite",)

_LARGEST = 1_000_000
_Key: TypeAlias = tuple[float | None, ...]


def make(context: SamplerContext, *, retries: int = 1) -> BaseSampler:
    """Make the sampler."""

    def choose(study: Study) -> Mapping[str, Scalar]:
        grid = _grid(_Frozen(context.space, context.fixed), context.study_seed)
        taken, failed = _history(study, context)
        if context.repeats:
            return grid[min(grid, key=lambda key: taken[key] + failed[key])]
        fresh = next((key for key in grid if not taken[key] and not failed[key]), None)
        if fresh is None:
            fresh = next((key for key in grid if not taken[key] and failed[key] <= retries), None)
        if fresh is None:
            raise SpaceExhausted(f"all {len(grid)} recipes of the grid were tried")
        return grid[fresh]

    return Points(context.space, choose, seed=context.seed, untried=True)


class _Frozen:
    """A space with what its conditions refer to, as a cache key that tells True from 1."""

    def __init__(self, space: Space, fixed: Mapping[str, Scalar]) -> None:
        self.space = space
        self.fixed = {name: fixed[name] for p in space for name, _ in p.when if name in fixed}
        self._text = repr((space, self.fixed))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@lru_cache(maxsize=4)
def _grid(frozen: _Frozen, seed: int) -> dict[_Key, dict[str, Scalar]]:
    """All points by key, in the study's order."""
    if frozen.space.size(frozen.fixed, _LARGEST) is None:
        raise UserError(
            f"a grid has a step or a list of values for every knob and at most {_LARGEST:,} combinations: "
            "give ranges steps or wider ones, or take the sampler qmc or random"
        )
    points = list(frozen.space.points(frozen.fixed))
    random.Random(derive_seed(seed, "grid")).shuffle(points)
    return {_key(frozen.space, point): point for point in points}


def _history(study: Study, context: SamplerContext) -> tuple[Counter[_Key], Counter[_Key]]:
    """How many trials each point has: those that stand, and those that failed."""
    taken: Counter[_Key] = Counter()
    failed: Counter[_Key] = Counter()
    for trial in study.get_trials(deepcopy=False):
        if trial.params and trial.number != context.number:
            (failed if trial.state == TrialState.FAIL else taken)[_key(context.space, trial.params)] += 1
    return taken, failed


def _key(space: Space, point: Mapping[str, Scalar]) -> _Key:
    """The point's place in every knob, None where it is not active: the same however the point was written."""
    return tuple(_place(p.domain, point[p.name]) if p.name in point else None for p in space)


def _place(domain: Domain, value: Scalar) -> float:
    if isinstance(domain, Choice):
        return domain.index(value) if domain.contains(value) else -1.0
    assert isinstance(value, (int, float))
    return float(f"{value:.12g}")
