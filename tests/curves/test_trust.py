"""What complete curves say of early points, and of forecasts."""

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.curves.single import LIBRARY, Library, forecast
from hpo.search.curves.trust import HOPELESS, Calibration, evidence, tilted

HORIZON = 27


def falling(level: float) -> Any:
    """A curve whose order never changes."""
    return np.array([(t, level + math.exp(-t / 3)) for t in range(1, HORIZON + 1)])


def crossing(rate: float) -> Any:
    """What falls fast ends high."""
    return np.array(
        [(t, 1.0 - rate * (1 - 0.3**t) - 2.0 * (1 - rate) * (t / HORIZON) ** 4) for t in range(1, HORIZON + 1)]
    )


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12, unique=True))
def test_early_points_are_trusted_where_they_order_curves_as_their_ends_and_not_where_they_do_the_opposite(
    levels: list[float],
) -> None:
    levels = [i + level / 2 for i, level in enumerate(levels)]
    assert evidence([falling(level) for level in levels]) > 0
    assert evidence([crossing(level / len(levels)) for level in levels]) < 0


def test_less_than_two_curves_say_nothing() -> None:
    assert evidence([]) == evidence([falling(1.0)]) == 0.0


@given(st.floats(0.05, 0.95), st.floats(-9, 9), st.floats(0, 9))
def test_a_share_moves_with_the_odds_and_stays_between_its_bounds(share: float, odds: float, more: float) -> None:
    moved, further = (tilted(share, each, 0.02, 0.98) for each in (odds, odds + more))
    assert 0.02 <= moved <= further <= 0.98


def test_a_forecast_alone_never_makes_a_trial_hopeless() -> None:
    """Whatever it says: five complete curves have to be there, none of which ended so far below its own."""
    calibration, early = Calibration(), falling(9.0)[:9]
    for count in range(12):
        complete = {n: falling(0.1 * n) for n in range(count)}
        seen = forecast(early, HORIZON, Library.of(list(complete.values()), HORIZON))
        chance = calibration.hopeless(seen, 0.0, complete, 9 / HORIZON)
        assert calibration.may_stop(count) == (count >= 5)
        assert (chance is None) == (count < 5)  # this one starts far above all, each of which fell as it does


def test_where_curves_ended_below_their_forecasts_so_may_another() -> None:
    calibration = Calibration()
    late = [
        np.column_stack([np.arange(1, HORIZON + 1), np.r_[np.full(HORIZON - 2, 1.0 + n), -2.0, -3.0]]) for n in range(8)
    ]
    complete = dict(enumerate(late))
    seen = forecast(late[-1][:9] + np.array([0, 0.5]), HORIZON, Library.of([], HORIZON))
    assert calibration.chance(seen, 0.0, complete, 9 / HORIZON) > HOPELESS


@given(st.integers(0, 3 * LIBRARY))
def test_the_more_complete_curves_the_less_is_a_doubt_worth(count: int) -> None:
    assert Calibration().may_stop(count) <= Calibration().may_stop(count + 1)
