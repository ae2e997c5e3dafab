"""Values in steps: the decimals that were written, the ends exactly, whatever their size."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hpo.search.terms.domain import Float, Int
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.steps import Steps

counts = st.integers(1, 400)
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(low=st.integers(-(10**12), 10**12), step=st.integers(1, 10**9), exponent=st.integers(-300, 290), count=counts)
def test_decimal_steps_are_the_decimals_that_one_would_write(low: int, step: int, exponent: int, count: int) -> None:
    written = [float(f"{low + i * step}e{exponent}") for i in range(count + 1)]
    steps = Steps(written[0], written[-1], float(f"{step}e{exponent}"))
    assert [steps.at(i) for i in range(len(steps))] == written
    assert steps.distinct


@given(ends=st.tuples(finite, finite).map(sorted), count=counts)
def test_a_range_divided_in_doubles_begins_and_ends_where_it_was_told_to(ends: list[float], count: int) -> None:
    low, high = ends
    step = (high - low) / count
    assume(math.isfinite(step) and step >= 4 * math.ulp(max(abs(low), abs(high))))
    steps = Steps(low, high, step)
    values = [steps.at(i) for i in range(len(steps))]
    assert len(values) == count + 1
    assert (values[0], values[-1]) == (low, high)
    assert values == sorted(set(values))
    for i, value in enumerate(values):
        assert abs(Fraction(value) - (Fraction(low) + i * Fraction(step))) <= Fraction(step) / 2


@st.composite
def ranges(draw: st.DrawFn) -> Steps:
    """Any range with any step that tells its values apart; at most a thousand of them."""
    low, high = sorted(draw(st.tuples(finite, finite)))
    assume(math.isfinite(high - low))
    step = draw(st.floats((high - low) / 1000, high - low) | st.integers(1, 999).map(lambda n: (high - low) / n))
    assume(step > 0)
    steps = Steps(low, high, step)
    assume(steps.distinct)
    return steps


@given(steps=ranges(), data=st.data())
def test_every_value_lies_in_the_range_and_has_its_own_index(steps: Steps, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(steps) - 1))
    value = steps.at(index)
    assert steps.low <= value <= steps.high
    assert steps.index(value) == steps.nearest(value) == index
    assert struct.pack("d", value) != struct.pack("d", -0.0)
    domain = Float(steps.low, steps.high, step=steps.step)
    assert domain.count() == len(steps) == Space((Parameter("a", domain),)).size()
    assert domain.from_unit(domain.to_unit(value)) == domain.nearest(value) == value


@given(steps=ranges(), value=finite)
def test_the_nearest_value_is_the_nearest(steps: Steps, value: float) -> None:
    index = steps.nearest(value)
    inside = Fraction(min(max(value, steps.low), steps.high))
    best = min(abs(inside - Fraction(steps.at(i))) for i in range(len(steps)))
    assert abs(inside - Fraction(steps.at(index))) == best


@given(steps=ranges(), data=st.data())
def test_values_that_were_rounded_to_twelve_digits_are_recognised(steps: Steps, data: st.DataObject) -> None:
    known = steps.at(data.draw(st.integers(0, len(steps) - 1)))
    rounded = float(f"{known:.12g}")
    assume(math.isfinite(rounded))
    found = steps.at(steps.index(rounded))
    assert abs(Fraction(found) - Fraction(rounded)) <= abs(Fraction(known) - Fraction(rounded))


@given(value=st.floats() | st.integers() | st.integers(10**400, 10**401))
def test_what_is_no_step_is_refused(value: float) -> None:
    domain = Float(0.0, 1.0, step=0.25)
    stands = -1 < value < 2 and any(abs(value - known) <= 0.25e-6 for known in (0, 0.25, 0.5, 0.75, 1))
    assert domain.contains(value) == stands


@pytest.mark.parametrize(
    ("low", "high", "step", "count", "some"),
    [
        (0.0, 0.6666666666666666, 0.3333333333333333, 3, {1: 0.3333333333333333}),
        (0.0, 1.0, 0.3333333333333333, 4, {2: 0.6666666666666666, 3: 1.0}),
        (0.0, 2.0, 0.666666666667, 4, {3: 2.0}),
        (0.0, math.pi, math.pi / 6, 7, {3: math.pi / 2, 6: math.pi}),
        (-math.pi, math.pi, math.pi / 6, 13, {0: -math.pi, 6: 0.0, 9: math.pi / 2, 12: math.pi}),
        (-1.0, 1.0, 0.3333333333333333, 7, {2: -0.3333333333333333, 3: 0.0}),
        (0.0, 1.0, 0.333333333333, 4, {1: 0.333333333333, 3: 1.0}),
        (1.7e9, 1.7e9 + 1, 2**-10, 1025, {1: 1.7e9 + 2**-10, 1024: 1.7e9 + 1}),
        (-0.3, 0.3, 0.1, 7, {2: -0.1, 3: 0.0, 4: 0.1}),
        (0.0, 1.0, 0.3, 4, {3: 0.9}),
        (0.1, 0.1234567890123, 0.0000000000001, 234567890124, {1: 0.1000000000001}),
        (-1e300, 1e300, 1e299, 21, {10: 0.0}),
        (-0.0, 0.5, 0.25, 3, {0: 0.0}),
    ],
)
def test_each_range_has_these_values(low: float, high: float, step: float, count: int, some: dict[int, float]) -> None:
    steps = Steps(low, high, step)
    assert len(steps) == count
    assert {index: steps.at(index) for index in some} == some
    assert steps.at(0) == low


def test_a_condition_names_the_value_that_its_number_stands_for() -> None:
    for written in (0.3, 0.1 + 0.2, 0.300000000000000001):
        space = Space(
            (
                Parameter("a", Float(-0.3, 0.3, step=0.1)),
                Parameter("n", Int(1, 4), when=(("a", (written, 0)),)),
                Parameter("m", Int(0, 1), when=(("n", (2.0,)),)),
            )
        )
        assert space["n"].when == (("a", (0.3, 0.0)),)
        assert repr(space["m"].when) == "(('n', (2,)),)"
        assert space.size() == len(list(space.points())) == 5 + 2 * (3 + 2)
        assert space.point_of({"a": 0.1 + 0.2, "n": 1.0}) == {"a": 0.3, "n": 1}
        assert space.point_of({"a": 5.55111512313e-17, "n": 3}) == {"a": 0.0, "n": 3}


@given(n=st.integers(-(2**53), 2**53), step=st.integers(1, 2**53))
def test_integers_of_any_size_find_their_place(n: int, step: int) -> None:
    domain = Int(-(2**53), 2**53, step=step)
    value = domain.nearest(n)
    assert domain.at(domain.index(value)) == value == domain.nearest(float(n))
    assert abs(int(str(value)) - n) <= step / 2 or value == domain.at(domain.count() - 1)
