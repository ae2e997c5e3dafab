"""Drawing the next recipe: the sampler's proposal, held to the declared space and to what was not tried yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.search.store.distributions import single, snap, to_distribution, to_internal
from hpo.search.terms.domain import Scalar
from hpo.search.terms.errors import SpaceExhausted
from hpo.search.terms.recipe import derive_seed, digest
from hpo.search.terms.space import Space

_ATTEMPTS = 20
_SAME = 3
_RANDOM_ATTEMPTS = 200


def propose(
    study: Study,
    trial: FrozenTrial,
    space: Space,
    fixed: Mapping[str, Any],
    make_sampler: Callable[[int], BaseSampler],
    *,
    seed: int,
    start: Mapping[str, Scalar] = {},
    tried: Collection[str] = (),
    repeats: bool = False,
) -> dict[str, Scalar]:
    """Draw the point that a new trial will train; a function of the recorded trials, the seed and the number.

    Where the sampler proposes a recipe that was tried before it is asked again, up to 20 times or until it has
    proposed the same one three times; then an untried point is drawn at random, and in a finite space from a list of
    what is left. Where the trial is to start at given values, the first draw has them and the sampler the rest.

    Args:
        study: the study in memory, with every trial so far.
        trial: the new trial, RUNNING and without parameters, already part of the study.
        space: what is searched.
        fixed: the other knobs.
        make_sampler: makes the sampler for an attempt, counted from 0.
        seed: the study's seed.
        start: values that some knobs are given, unless that recipe was tried before.
        tried: digests, without the seed knob, of the recipes not to be tried again.
        repeats: whether a recipe may be tried again all the same.

    Raises:
        SpaceExhausted: every recipe of a finite space was tried.
    """

    def key(point: Mapping[str, Scalar]) -> str:
        return digest({**fixed, **point}, without_seed=True)

    proposed: Counter[str] = Counter()
    for attempt in range(_ATTEMPTS):
        sampler = make_sampler(attempt)
        given = start if attempt == 0 else {}
        point = _draw(study, trial, space, fixed, sampler, given)
        if repeats or (getattr(sampler, "untried", False) and not given) or key(point) not in tried:
            return point
        proposed[key(point)] += 1
        if proposed[key(point)] == _SAME:
            break
    rng = random.Random(derive_seed(seed, "untried", trial.number))
    for _ in range(_RANDOM_ATTEMPTS):
        point = space.from_unit([rng.random() for _ in space], fixed)
        if key(point) not in tried:
            return point
    size = space.size(fixed)
    if size is None:
        raise SpaceExhausted(f"{_RANDOM_ATTEMPTS} recipes drawn at random were all tried before")
    left = [point for point in space.points(fixed) if key(point) not in tried]
    if not left:
        raise SpaceExhausted(f"all {size:,} recipes of the space were tried")
    return rng.choice(left)


def record(study: Study, trial: FrozenTrial, space: Space, point: Mapping[str, Scalar]) -> None:
    """Write a point to its trial, as Optuna parameters with their distributions."""
    for name, value in point.items():
        domain = space[name].domain
        study._storage.set_trial_param(trial._trial_id, name, to_internal(domain, value), to_distribution(domain))


def _draw(
    study: Study,
    trial: FrozenTrial,
    space: Space,
    fixed: Mapping[str, Any],
    sampler: BaseSampler,
    given: Mapping[str, Scalar],
) -> dict[str, Scalar]:
    """One draw, knob by knob; those not given that are under the same condition jointly where the sampler can."""
    # A study object remembers the trials it has listed until its own `ask`, which is not used: take a new one.
    view = Study(study_name=study.study_name, storage=study._storage, sampler=sampler)
    sampler.before_trial(view, trial)
    jointly = sampler.infer_relative_search_space(view, trial)
    drawn: dict[str, Any] = {}
    asked: set[tuple[Any, ...]] = set()
    known: dict[str, Scalar] = dict(fixed)
    point: dict[str, Scalar] = {}
    for parameter in space:
        if not parameter.active(known):
            continue
        name, domain, when = parameter.name, parameter.domain, parameter.when
        if name in given:
            point[name] = known[name] = snap(domain, given[name])
            continue
        if name in jointly and when not in asked:
            asked.add(when)
            group = {peer.name for peer in space if peer.when == when}
            drawn |= sampler.sample_relative(view, trial, {k: v for k, v in jointly.items() if k in group})
        if single(domain):
            value = domain.from_unit(0.0)
        elif name in drawn:
            value = drawn[name]
        else:
            value = sampler.sample_independent(view, trial, name, to_distribution(domain))
        point[name] = known[name] = snap(domain, value)
    return point
