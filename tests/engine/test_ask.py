"""Drawing recipes and writing them down, and the space in Optuna's terms."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.engine.ask import propose, record
from hpo.search.store.distributions import last, single, snap, to_distribution, to_internal
from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.errors import SpaceExhausted
from hpo.search.terms.recipe import digest
from hpo.search.terms.space import Parameter, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

RANGE = Space((Parameter("x", Float(0.0, 1.0)),))
COINS = Space((Parameter("a", Choice((0, 1))), Parameter("b", Choice((False, True)), when=(("a", (1,)),))))


class Stubborn(BaseSampler):
    """Draws jointly what it is told to, and everything else as 0.25 or the first choice."""

    def __init__(self, jointly: Mapping[str, Any] = {}) -> None:
        self.jointly = dict(jointly)
        self.groups: list[set[str]] = []

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {name: FloatDistribution(0.0, 1.0) for name in self.jointly}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self.groups.append(set(search_space))
        return {name: self.jointly[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return param_distribution.choices[0] if isinstance(param_distribution, CategoricalDistribution) else 0.25


def new_trial(study: Study) -> FrozenTrial:
    return study._storage.get_trial(study._storage.create_new_trial(study._study_id))


def draw(
    space: Space,
    make: Callable[[int], BaseSampler],
    study: Study | None = None,
    fixed: Mapping[str, Any] = {},
    **options: Any,
) -> dict[str, Scalar]:
    study = study or optuna.create_study()
    return propose(study, new_trial(study), space, fixed, make, seed=0, **options)


def test_knobs_under_the_same_condition_are_drawn_together_and_only_where_active() -> None:
    on, off = (("kind", ("on",)),), (("kind", ("off",)),)
    unit = Float(0.0, 1.0)
    space = Space(
        (
            Parameter("kind", Choice(("on", "off"))),
            Parameter("p", unit, on),
            Parameter("q", unit, off),
            Parameter("r", unit, on),
            Parameter("s", unit),
        )
    )
    sampler = Stubborn({"p": 0.1, "q": 0.2, "r": 0.3, "s": 0.4})
    assert draw(space, lambda attempt: sampler) == {"kind": "on", "p": 0.1, "r": 0.3, "s": 0.4}
    assert sampler.groups == [{"p", "r"}, {"s"}]


def test_a_value_outside_of_the_space_is_drawn_back_into_it() -> None:
    space = Space((Parameter("x", Float(0.0, 1.0)), Parameter("k", Int(1, 9, step=4)), Parameter("y", Float(2.0, 2.0))))
    assert draw(space, lambda attempt: Stubborn({"x": 1.0000001, "k": 7.2})) == {"x": 1.0, "k": 9, "y": 2.0}


def test_a_recipe_tried_before_is_drawn_again() -> None:
    tried = {digest({"x": 0.25})}
    makers: list[int] = []

    def make(attempt: int) -> BaseSampler:
        makers.append(attempt)
        return Stubborn({"x": 0.5} if attempt == 2 else {})

    assert draw(RANGE, make, tried=tried) == {"x": 0.5}
    assert makers == [0, 1, 2]


def test_a_trial_may_start_at_given_values_and_the_sampler_draws_the_rest() -> None:
    on = (("kind", ("on",)),)
    space = Space(
        (Parameter("kind", Choice(("on", "off"))), Parameter("x", Float(0.0, 1.0)), Parameter("p", Int(1, 9), on))
    )
    sampler = Stubborn({"kind": "on", "x": 0.5, "p": 2})
    assert draw(space, lambda attempt: sampler, start={"x": 0.7}) == {"kind": "on", "x": 0.7, "p": 2}
    assert draw(space, lambda attempt: sampler, start={"kind": "off", "p": 3}) == {"kind": "off", "x": 0.5}


def test_a_start_that_was_tried_before_is_left_to_the_sampler() -> None:
    tried = {digest({"x": 0.7})}
    assert draw(RANGE, lambda attempt: Stubborn(), start={"x": 0.7}, tried=tried) == {"x": 0.25}
    assert draw(RANGE, lambda attempt: Stubborn(), start={"x": 0.7}, tried=tried, repeats=True) == {"x": 0.7}


def test_a_sampler_that_proposes_the_same_three_times_is_asked_no_more() -> None:
    makers: list[int] = []

    def make(attempt: int) -> BaseSampler:
        makers.append(attempt)
        return Stubborn()

    draw(RANGE, make, tried={digest({"x": 0.25})})
    assert makers == [0, 1, 2]


def test_a_recipe_tried_before_is_drawn_again_only_if_no_repeats_are_wanted() -> None:
    assert draw(RANGE, lambda attempt: Stubborn(), tried={digest({"x": 0.25})}, repeats=True) == {"x": 0.25}


def test_fixed_knobs_belong_to_a_recipe_and_the_seed_does_not() -> None:
    tried = {digest({"x": 0.25, "epochs": 3})}
    assert draw(RANGE, lambda attempt: Stubborn(), fixed={"epochs": 4}, tried=tried) == {"x": 0.25}
    assert draw(RANGE, lambda attempt: Stubborn(), fixed={"epochs": 3, "seed": 8}, tried=tried) != {"x": 0.25}


def test_a_sampler_that_repeats_itself_gives_way_to_untried_points_drawn_by_the_seed() -> None:
    tried = {digest({"x": 0.25})}
    first, again = (draw(RANGE, lambda attempt: Stubborn(), tried=tried) for _ in range(2))
    assert first == again != {"x": 0.25}


def test_a_finite_space_is_finished_and_then_exhausted() -> None:
    study, tried = optuna.create_study(), set()
    for _ in range(3):
        point = draw(COINS, lambda attempt: Stubborn(), study, tried=tried)
        assert COINS.contains(point)
        tried.add(digest(point))
    assert len(tried) == 3
    with pytest.raises(SpaceExhausted, match="all 3 recipes"):
        draw(COINS, lambda attempt: Stubborn(), study, tried=tried)


def test_the_last_untried_point_of_a_large_finite_space_is_found() -> None:
    space = Space((Parameter("a", Int(0, 99)), Parameter("b", Int(0, 99))))
    tried = {digest(point) for point in space.points()} - {digest({"a": 73, "b": 11})}
    assert draw(space, lambda attempt: RandomSampler(seed=attempt), tried=tried) == {"a": 73, "b": 11}


def test_each_draw_sees_the_trials_that_have_ended_since_the_last() -> None:
    class Counting(Stubborn):
        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
            seen.append(sum(other.state == TrialState.COMPLETE for other in study._get_trials(use_cache=True)))
            return {}

    study, seen = optuna.create_study(), []
    for number in range(3):
        draw(RANGE, lambda attempt: Counting(), study)
        study.tell(number, 0.0)
    assert seen == [0, 1, 2]


def test_a_recorded_point_reads_back_as_it_was_written() -> None:
    space = Space(
        (
            Parameter("x", Float(0.0, 1.0, step=0.1)),
            Parameter("k", Int(1, 100, log=True)),
            Parameter("flag", Choice((1, True, None, "one"))),
        )
    )
    for flag in (1, True, None, "one"):
        study = optuna.create_study()
        trial = new_trial(study)
        point: dict[str, Scalar] = {"x": 0.3, "k": 7, "flag": flag}
        record(study, trial, space, point)
        written = study.get_trials()[0]
        assert repr(written.params) == repr(point)
        assert written.distributions == {p.name: to_distribution(p.domain) for p in space}


domains: st.SearchStrategy[Domain] = st.one_of(
    st.builds(Float, st.floats(-9, 9), st.floats(9.5, 20)),
    st.builds(Float, st.floats(1e-6, 1.0), st.floats(1.5, 9.0), log=st.just(True)),
    st.builds(Float, st.integers(-9, 9).map(lambda n: n / 10), st.floats(1, 9), step=st.sampled_from([0.1, 0.3, 0.7])),
    st.builds(Int, st.integers(-9, 9), st.integers(9, 99), step=st.integers(1, 7)),
    st.builds(Int, st.integers(1, 9), st.integers(9, 999), log=st.just(True)),
    st.builds(Choice, st.sampled_from([("a",), ("a", "b"), (1, 2.5, None), (False, True)])),
)


@given(domain=domains)
def test_a_domain_and_its_distribution_have_the_same_ends(domain: Domain) -> None:
    there = to_distribution(domain)
    assert there.single() == single(domain)
    if not isinstance(domain, Choice):
        assert isinstance(there, (FloatDistribution, IntDistribution))
        assert there.high == last(domain) == (domain.grid() or (domain.high,))[-1]


@given(domain=domains, u=st.floats(0, 1, exclude_max=True))
def test_values_are_kept_exactly_and_rounding_is_mended(domain: Domain, u: float) -> None:
    value = domain.from_unit(u)
    assert snap(domain, value) == value
    assert to_distribution(domain).to_external_repr(to_internal(domain, value)) == value
    if isinstance(value, float) and not isinstance(domain, Choice):
        assert domain.contains(snap(domain, math.nextafter(value, math.inf)))
        assert domain.contains(snap(domain, math.nextafter(value, -math.inf)))


def test_optunas_own_samplers_draw_the_values_of_a_stepped_range() -> None:
    domain = Float(-0.3, 1.0, step=0.1)
    space = Space((Parameter("x", domain),))
    rng = random.Random(0)
    values = {draw(space, lambda attempt: RandomSampler(seed=rng.randrange(1000)))["x"] for _ in range(120)}
    assert values == set(domain.grid() or ())
