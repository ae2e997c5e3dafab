"""Lots are spread evenly over trials in a row, so a share of them is a share of the trials."""

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms.lot import lot


def test_the_first_eight_have_none_and_the_ninth_has_the_lowest() -> None:
    assert [lot(number) for number in range(9)] == [1.0] * 8 + [0.0]


@given(st.integers(8, 100_000), st.integers(20, 200), st.floats(0.05, 1.0))
def test_of_any_trials_in_a_row_a_share_has_lots_below_it(start: int, count: int, share: float) -> None:
    found = sum(lot(number) < share for number in range(start, start + count))
    assert abs(found - share * count) < 3.0


@given(st.integers(0, 1_000_000))
def test_a_lot_is_a_place_in_0_to_1(number: int) -> None:
    assert 0.0 <= lot(number) <= 1.0
