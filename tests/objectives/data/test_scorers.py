"""The scorers that curves may hold are those of the scikit-learn that is installed, with its values and directions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, get_scorer_names

from hpo.objectives.data.scorers import SCORERS, Said, metric, scored
from hpo.search.studyfile.goals import better
from hpo.search.terms.errors import UserError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
CLASSES = (X[:, 0] + RNG.normal(size=60) > 0).astype(np.int64)
VALUES = np.exp(X[:, 0] + RNG.normal(size=60))  # above 0, as some metrics want them


class Positive(Ridge):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.maximum(super().predict(X), 0.1)


def test_every_scorer_is_listed_once_and_nothing_else() -> None:
    assert sorted(SCORERS) == sorted({f"val_{metric(name)}" for name in get_scorer_names()})


@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, of scores that these targets make no sense of
@pytest.mark.parametrize("scoring", get_scorer_names())
def test_a_scorer_says_of_predictions_what_it_says_of_the_estimator_that_made_them(scoring: str) -> None:
    classifier, regressor = LogisticRegression().fit(X, CLASSES), Positive().fit(X, VALUES)
    pairs = [
        (classifier, Said.of(CLASSES, classifier.predict_proba(X))),
        (regressor, Said(VALUES, regressor.predict(X))),
    ]
    for estimator, said in pairs:
        try:
            expected = get_scorer(scoring)(estimator, X, said.y)
        except (ValueError, AttributeError, TypeError):
            with pytest.raises(UserError):
                scored(scoring, said)
        else:
            np.testing.assert_equal(abs(scored(scoring, said)[metric(scoring)]), abs(expected))


@pytest.mark.parametrize("scoring", get_scorer_names())
def test_a_goal_knows_the_direction_in_which_a_scorer_gets_better(scoring: str) -> None:
    told = better(f"val_{metric(scoring)}", "")
    sign = get_scorer(scoring)._sign
    assert told in ("", "maximize" if sign > 0 else "minimize")
