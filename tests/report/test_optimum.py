"""The best rate and batch of one size: in its interval as often as it says, or not identified."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaled import Array, loss_above, surface, tried

from hpo.search.report.scaling.optimum import LEAST_RATES, optimum

# --- the best rate of a size ------------------------------------------------------------------------------------------


@given(
    best=st.floats(1e-5, 1.0), bend=st.floats(0.01, 1.0), skew=st.floats(-0.02, 0.05), shift=st.floats(-1, 1),
    unit=st.floats(0.01, 100.0),
)  # fmt: skip
def test_the_lowest_point_of_a_cubic_surface_is_found_whatever_its_scale(
    best: float, bend: float, skew: float, shift: float, unit: float
) -> None:
    away = np.linspace(-1.5, 1.5, 16) + 0.4 * shift
    cost = unit * (1 + bend * away**2 + skew * bend * away**3)
    found = optimum(best * np.exp(away), None, cost)
    assert found.rate.estimate is not None
    assert found.rate.estimate.value == pytest.approx(best, rel=1e-6)
    assert found.cost is not None
    assert found.cost.estimate is not None
    assert found.cost.estimate.value == pytest.approx(unit, rel=1e-6)


def test_a_planted_best_rate_lies_in_its_interval_about_as_often_as_it_says() -> None:
    found = [optimum(*_split(tried(0.01, seed, noise=0.02))) for seed in range(1000, 1100)]
    known = [one.rate.estimate for one in found if one.rate.estimate is not None]
    assert len(known) > 70
    assert sum(one.low <= 0.01 <= one.high for one in known) >= 0.9 * len(known)
    assert float(np.median([one.high / one.low for one in known])) < 3


def _split(data: tuple[Array, Array]) -> tuple[Array, None, Array]:
    return data[0], None, data[1]


def test_the_value_at_the_best_rate_has_no_winners_curse() -> None:
    fitted, luckiest = [], []
    for seed in range(60):
        rate, cost = tried(0.01, seed, trials=40, noise=0.03)
        found = optimum(rate, None, cost)
        luckiest.append(float(cost.min()) - 2.0)
        if found.cost is not None and found.cost.estimate is not None:
            fitted.append(found.cost.estimate.value - 2.0)
    assert float(np.mean(luckiest)) < -0.02
    assert abs(float(np.mean(fitted))) < 0.012


def test_what_the_worse_half_reached_does_not_matter() -> None:
    rate, cost = tried(0.01, 3)
    worse = np.where(cost > np.sort(cost)[11], 1e9, cost)
    ours, theirs = optimum(rate, None, cost), optimum(rate, None, worse)
    assert ours.rate.estimate == theirs.rate.estimate


def test_the_same_trials_in_another_order_have_the_same_best_rate() -> None:
    rate, cost = tried(0.01, 5)
    order = np.random.default_rng(0).permutation(len(rate))
    ours, theirs = optimum(rate, None, cost).rate.estimate, optimum(rate[order], None, cost[order]).rate.estimate
    assert ours is not None
    assert ours == theirs


@pytest.mark.parametrize(
    ("rate", "cost", "told"),
    [
        (np.geomspace(1e-4, 1e-2, 20), np.linspace(2, 1, 20) ** 2, "above 0.01, the highest rate tried: search up to"),
        (np.geomspace(1e-4, 1e-2, 20), np.linspace(1, 2, 20) ** 2, "below 0.0001, the lowest rate tried: search"),
        (np.geomspace(1e-4, 1e-2, 7), np.linspace(1, 2, 7), "7 of at least 8 complete trials"),
        (np.tile([1e-3, 1e-2, 1e-1], 6), np.tile([2.0, 1.0, 2.0], 6), f"of at least {LEAST_RATES} different rates"),
        (np.geomspace(1e-4, 1e-2, 20), np.random.default_rng(0).normal(size=20), "more trials between"),
    ],
)  # fmt: skip
def test_a_best_rate_that_is_not_identified_is_told_with_what_to_search(rate: Array, cost: Array, told: str) -> None:
    found = optimum(rate, None, cost)
    assert found.rate.estimate is None
    assert found.cost is None
    assert told in found.rate.why


@pytest.mark.parametrize(("half", "noise", "most"), [(2.0, 0.01, 0.1), (3.0, 0.05, 0.1), (1.0, 0.01, 0.65)])
def test_on_a_plateau_there_is_rarely_a_best_rate(half: float, noise: float, most: float) -> None:
    found = []
    for seed in range(50):
        generator = np.random.default_rng(seed)
        away = generator.uniform(-3.5, 3.5, 24)
        cost = 2 + 0.5 * np.maximum(0.0, np.abs(away) - half) + noise * generator.standard_normal(24)
        found.append(optimum(0.01 * np.exp(away), None, cost).rate)
    told = [place.why for place in found if place.estimate is None]
    assert len(found) - len(told) <= most * len(found)
    assert any("all are alike within the noise: take any of them" in why for why in told)


def test_a_planted_best_rate_and_batch_lie_in_their_intervals_about_as_often_as_they_say() -> None:
    found = [optimum(*surface(seed)) for seed in range(1000, 1080)]
    rates = [one.rate.estimate for one in found if one.rate.estimate is not None]
    batches = [one.batch.estimate for one in found if one.batch is not None and one.batch.estimate is not None]
    assert min(len(rates), len(batches)) > 70
    assert sum(one.low <= 0.01 <= one.high for one in rates) >= 0.9 * len(rates)
    assert sum(one.low <= 256 <= one.high for one in batches) >= 0.9 * len(batches)


def test_the_best_rate_can_be_asked_for_at_a_batch() -> None:
    found = optimum(*surface(1, noise=0.0), at=1024.0)
    assert found.rate.estimate is not None
    assert found.rate.estimate.value == pytest.approx(0.02, rel=0.15)  # 0.01 x (1024 / 256) ^ 0.5


def test_a_batch_at_the_end_of_its_range_is_not_identified_and_the_rate_is() -> None:
    rate, batch, _ = surface(0)
    cost = 2 + loss_above(0.01, rate) + 0.1 * np.log(batch)
    found = optimum(rate, batch, cost, at=256.0)
    assert found.batch is not None
    assert found.batch.estimate is None
    assert "below 16, the lowest batch tried" in found.batch.why
    assert found.rate.estimate is not None
