"""Spaces: every value drawn lies in them, every point of a finite one is counted once."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.space import Parameter, Space

UNIT = st.floats(0, 1, exclude_max=True)
ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
FLOATS = st.one_of(
    ENDS.map(lambda ends: Float(*ends)),
    st.tuples(ENDS, st.integers(1, 50)).map(lambda t: Float(*t[0], step=(t[0][1] - t[0][0]) / t[1])),
    st.tuples(st.floats(1e-9, 1), st.floats(1.5, 1e6)).map(lambda t: Float(t[0], t[0] * t[1], log=True)),
)
INTS = st.one_of(
    st.tuples(st.integers(-1000, 1000), st.integers(0, 500), st.integers(1, 60)).map(
        lambda t: Int(t[0], t[0] + t[1], step=t[2])
    ),
    st.tuples(st.integers(1, 100), st.integers(0, 10_000)).map(lambda t: Int(t[0], t[0] + t[1], log=True)),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=2))
CHOICES = st.lists(SCALARS, min_size=1, max_size=5, unique_by=lambda v: (v, type(v))).map(lambda v: Choice(tuple(v)))
DOMAINS: st.SearchStrategy[Domain] = st.one_of(FLOATS, INTS, CHOICES)


@settings(max_examples=50)
@given(DOMAINS, UNIT)
def test_what_is_drawn_can_be_drawn(domain: Domain, u: float) -> None:
    value = domain.from_unit(u)
    assert domain.contains(value)
    assert 0 <= domain.to_unit(value) <= 1


@settings(max_examples=50)
@given(st.one_of(INTS, CHOICES, FLOATS.filter(lambda f: f.step is not None)))
def test_the_values_of_a_finite_domain_are_as_many_as_it_says_and_find_their_way_back(domain: Domain) -> None:
    values = list(domain.grid() or ())
    assert len(values) == domain.count()
    for value in values[:20] + values[-20:]:
        assert domain.contains(value)
        assert domain.from_unit(min(domain.to_unit(value), 1 - 1e-12)) == value


@settings(max_examples=50)
@given(INTS)
def test_every_integer_of_a_range_has_a_share(domain: Int) -> None:
    drawn = {domain.from_unit((i + 0.5) / 20_000) for i in range(20_000)} if not domain.log else set(domain.grid())
    assert drawn == set(domain.grid())


def test_a_range_without_steps_has_no_count() -> None:
    assert Float(0.0, 1.0).count() is None
    assert Float(0.0, 1.0).grid() is None
    assert Float(1.0, 1.0).count() == 1


def test_steps_that_do_not_add_up_in_binary_are_found() -> None:
    domain = Float(0.0, 1.0, step=0.1)
    assert domain.grid() == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert domain.contains(0.1 + 0.2)
    assert not domain.contains(0.35)


@pytest.mark.parametrize("value", [True, "3", None, math.nan, math.inf, -math.inf, 2.5, 11])
def test_an_int_range_holds_whole_numbers_of_its_own_only(value: Scalar) -> None:
    assert not Int(1, 10).contains(value)


def test_true_is_not_one() -> None:
    assert not Choice((1, 0)).contains(True)
    assert Choice((True, 1)).index(1) == 1


def test_a_range_of_quadrillions_costs_nothing() -> None:
    space = Space((Parameter("n", Int(0, 2**53)), Parameter("m", Int(0, 9))))
    assert space.size() is None
    assert space.size(limit=10**20) == (2**53 + 1) * 10
    assert Int(0, 2**53).contains(12345)


def test_conditions_decide_what_a_point_holds() -> None:
    space = Space(
        (
            Parameter("optimizer", Choice(("sgd", "adam"))),
            Parameter("momentum", Float(0.0, 1.0), when=(("optimizer", ("sgd",)),)),
        )
    )
    assert space.from_unit([0.0, 0.5]) == {"optimizer": "sgd", "momentum": 0.5}
    assert space.from_unit([0.9, 0.5]) == {"optimizer": "adam"}
    assert not space.contains({"optimizer": "sgd"})
    assert not space.contains({"optimizer": "adam", "momentum": 0.5})


def test_a_condition_may_name_a_fixed_knob() -> None:
    space = Space((Parameter("x", Int(0, 1), when=(("mode", ("on",)),)),))
    assert space.size({"mode": "on"}) == 2
    assert space.size({"mode": "off"}) == space.size() == 1
    assert space.contains({}, {"mode": "off"})


@st.composite
def finite_spaces(draw: st.DrawFn) -> Space:
    parameters: list[Parameter] = []
    for i in range(draw(st.integers(1, 4))):
        domain = draw(st.one_of(CHOICES, st.integers(0, 3).map(lambda high: Int(0, high))))
        when = []
        for earlier in parameters:
            if draw(st.booleans()):
                known = list(earlier.domain.grid() or ())
                when.append((earlier.name, tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=2)))))
        parameters.append(Parameter(f"p{i}", domain, tuple(when)))
    return Space(tuple(parameters))


@settings(max_examples=50)
@given(finite_spaces())
@example(Space((Parameter("p0", Choice(("\0",))), Parameter("p1", Int(1, 1), when=(("p0", ("\0",)),)))))
def test_size_counts_the_points_and_each_is_new(space: Space) -> None:
    points = list(space.points())
    assert space.size() == len(points)
    assert all(space.contains(point) for point in points)
    assert len({repr(sorted(point.items())) for point in points}) == len(points)


@settings(max_examples=50)
@given(finite_spaces(), st.data())
def test_every_point_drawn_is_one_of_the_points(space: Space, data: st.DataObject) -> None:
    point = space.from_unit([data.draw(UNIT) for _ in space])
    assert space.contains(point)
    assert repr(point) in {repr(known) for known in space.points()}


def test_points_of_an_infinite_space_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="rate is a continuous range"):
        list(itertools.islice(Space((Parameter("rate", Float(0.0, 1.0)),)).points(), 1))
