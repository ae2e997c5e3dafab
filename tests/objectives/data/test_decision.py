"""A threshold is the best cut for what it is tuned for, and what it is worth is told by rows that did not choose it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.data.decision import TUNABLE, Costs, best_cut, cross_fitted, decided
from hpo.objectives.data.judge import UNTUNED, Judge
from hpo.objectives.data.scorers import Said, scored
from hpo.search.terms.errors import UserError

ROWS = st.integers(0, 2**32 - 1)
COSTS = Costs(1.0, 5.0)


def drawn(seed: int, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 4 == 0
    return y.astype(np.int64), np.round(np.clip(rng.normal(0.3 + 0.2 * y, 0.2), 0, 1), 2)


def worth(metric: str, y: np.ndarray, chosen: np.ndarray) -> float:
    if metric == "cost":
        return -COSTS.mean(y, chosen)
    return scored(metric, Said(y, chosen, 2))[metric]


@pytest.mark.parametrize("metric", TUNABLE)
@settings(max_examples=8, deadline=None)
@given(seed=ROWS)
def test_no_cut_is_better_than_the_best_one(metric: str, seed: int) -> None:
    y, probability = drawn(seed)
    best = worth(metric, y, decided(probability, best_cut(y, probability, metric, COSTS)))
    assert all(worth(metric, y, decided(probability, cut)) <= best + 1e-9 for cut in np.linspace(0, 1, 41))


def test_a_cut_lies_between_two_probabilities_so_that_rounding_decides_nothing() -> None:
    y, probability = drawn(1)
    assert best_cut(y, probability, "f1", COSTS) not in probability


def test_what_a_row_is_decided_by_does_not_follow_from_its_own_target() -> None:
    y, probability = drawn(2, rows=100)
    noise = np.random.default_rng(0).random(100)  # tells nothing, so no honest estimate is above a half by much
    own = worth("balanced_accuracy", y, decided(noise, best_cut(y, noise, "balanced_accuracy", COSTS)))
    fitted = worth("balanced_accuracy", y, cross_fitted(y, noise, "balanced_accuracy", COSTS))
    assert fitted < own
    assert worth("balanced_accuracy", y, cross_fitted(y, probability, "balanced_accuracy", COSTS)) > 0.5


def test_the_metrics_without_a_threshold_stand_beside_those_with_one() -> None:
    y, probability = drawn(3, rows=200)
    probability = probability / 2  # far from sure of what is rare
    said = Said.of(y, np.stack([1 - probability, probability], axis=1))
    plain = Judge(scoring="f1").held_out(said)
    found = Judge(scoring="f1", threshold="tuned").held_out(said)
    assert found["f1"] > plain["f1"] + 0.1
    assert found["f1" + UNTUNED] == plain["f1"]
    assert found["average_precision"] == plain["average_precision"]
    assert 0 < found["threshold"] < 0.5


def test_tuned_means_costs_where_they_differ_and_the_first_metric_that_can_be_tuned_for() -> None:
    assert Judge(threshold="tuned").tuned_for == "balanced_accuracy"
    assert Judge(scoring="roc_auc, f1", threshold="tuned").tuned_for == "f1"
    assert Judge(scoring="f1", threshold="tuned", false_negative=5.0).tuned_for == "cost"
    assert Judge(threshold=0.2).tuned_for is None


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        (Judge(threshold="recall"), "nothing to tune for"),
        (Judge(scoring="f2"), "no metric called 'f2'"),
        (Judge(threshold="f1"), "threshold is for two classes, and there are 3"),
        (Judge(scoring="cost"), "two classes"),
    ],
)
def test_what_cannot_be_judged_is_refused(judge: Judge, told: str) -> None:
    with pytest.raises(UserError, match=told):
        judge.check("classification", 3)


def test_of_equally_good_cuts_the_one_nearest_to_what_the_costs_ask_for_is_taken() -> None:
    y, probability = np.array([0] * 6 + [1] * 6), np.array([0.01] * 6 + [0.99] * 6)
    costs = Costs(false_positive=1.0, false_negative=9.0)
    assert best_cut(y, probability, "f1", costs) == pytest.approx(0.5)
    assert best_cut(y, probability, "cost", costs) == pytest.approx(0.255)  # a tenth, but off the end of the gap
