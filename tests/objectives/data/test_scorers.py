"""The scorers that objective sklearn lists are those of the scikit-learn that is installed."""

from __future__ import annotations

import math

import pytest
from sklearn.metrics import get_scorer_names

from hpo.objectives import sklearn
from hpo.objectives.data.scorers import SCORERS, metric
from hpo.search.terms.errors import UserError


def test_every_scorer_is_listed_once_and_nothing_else() -> None:
    assert sorted(SCORERS) == sorted({f"val_{metric(name)}" for name in get_scorer_names()})


@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, of scores that these targets make no sense of
@pytest.mark.parametrize("scoring", get_scorer_names())
def test_a_curve_under_a_scorer_holds_nothing_that_is_not_listed(scoring: str) -> None:
    recipes = (
        {"estimator": "SGDRegressor", "data": "diabetes", "epochs": 1},
        {"estimator": "SGDClassifier", "data": "breast_cancer", "epochs": 1, "loss": "log_loss"},
    )
    for recipe in recipes:
        try:
            (point,) = sklearn.train(**recipe, scoring=scoring)
        except (UserError, ValueError, AttributeError):
            continue  # a scorer of another task
        if f"val_{metric(scoring)}" in point and not math.isnan(point[f"val_{metric(scoring)}"]):
            assert set(point) <= set(sklearn.METRICS)
            return
    pytest.skip("a scorer of several labels at a time")
