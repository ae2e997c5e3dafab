"""Every scorer of scikit-learn, of predictions that anything made: curves report those that ``scoring`` names.

A test holds the list against the scikit-learn that is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from hpo.search.terms.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORERS = (
    "val_accuracy",
    "val_adjusted_mutual_info_score",
    "val_adjusted_rand_score",
    "val_average_precision",
    "val_balanced_accuracy",
    "val_brier_score",
    "val_completeness_score",
    "val_d2_absolute_error_score",
    "val_d2_brier_score",
    "val_d2_log_loss_score",
    "val_explained_variance",
    "val_f1",
    "val_f1_macro",
    "val_f1_micro",
    "val_f1_samples",
    "val_f1_weighted",
    "val_fowlkes_mallows_score",
    "val_homogeneity_score",
    "val_jaccard",
    "val_jaccard_macro",
    "val_jaccard_micro",
    "val_jaccard_samples",
    "val_jaccard_weighted",
    "val_log_loss",
    "val_matthews_corrcoef",
    "val_max_error",
    "val_mean_absolute_error",
    "val_mean_absolute_percentage_error",
    "val_mean_gamma_deviance",
    "val_mean_poisson_deviance",
    "val_mean_squared_error",
    "val_mean_squared_log_error",
    "val_median_absolute_error",
    "val_mutual_info_score",
    "val_negative_likelihood_ratio",
    "val_normalized_mutual_info_score",
    "val_positive_likelihood_ratio",
    "val_precision",
    "val_precision_macro",
    "val_precision_micro",
    "val_precision_samples",
    "val_precision_weighted",
    "val_r2",
    "val_rand_score",
    "val_recall",
    "val_recall_macro",
    "val_recall_micro",
    "val_recall_samples",
    "val_recall_weighted",
    "val_roc_auc",
    "val_roc_auc_ovo",
    "val_roc_auc_ovo_weighted",
    "val_roc_auc_ovr",
    "val_roc_auc_ovr_weighted",
    "val_root_mean_squared_error",
    "val_root_mean_squared_log_error",
    "val_top_k_accuracy",
    "val_v_measure_score",
)
"""What its scorers report, as a curve names it: the scorer without its ``neg_``."""


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says of rows.

    Attributes:
        y: true class numbers or values [rows].
        predicted: class numbers or values [rows].
        classes: how many; 0 for values.
        probabilities: [rows, classes], None where there are none.
        ranking: decision values of class 1 [rows], or [rows, classes]; None for the probabilities.
    """

    y: NDArray[Any]
    predicted: NDArray[Any]
    classes: int = 0
    probabilities: NDArray[Any] | None = None
    ranking: NDArray[Any] | None = None

    @classmethod
    def of(cls, y: NDArray[Any], predicted: NDArray[Any]) -> Said:
        """Of probabilities [rows, classes], whose likeliest class is predicted, or of values [rows]."""
        if predicted.ndim == 1:
            return cls(y, predicted)
        return cls(y, predicted.argmax(axis=1), predicted.shape[1], predicted)


def scored(scoring: str, said: Said) -> dict[str, float]:
    """A scorer's value, under the metric's name; larger is worse of losses.

    Raises:
        UserError: the scorer is for another task, or needs probabilities that there are none of.
    """
    import warnings

    from sklearn.exceptions import UndefinedMetricWarning
    from sklearn.metrics import get_scorer

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # of a class that is never predicted: it scores 0
            value = float(get_scorer(scoring)(_foretold()(said), said.y, said.y))
    except (ValueError, AttributeError, TypeError) as error:
        what = f"{said.classes} classes" if said.classes else "a quantity"
        raise UserError(f"the metric {metric(scoring)} cannot be measured of {what}: {error}") from None
    return {metric(scoring): -value if scoring.startswith("neg_") else value}


@cache
def _foretold() -> Any:
    """A class of estimators that say what was said already, so that scikit-learn's scorers see an estimator."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
        def __init__(self, said: Any) -> None:
            self.said = said

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> Any:
            return self.said.predicted

    class Classifier(ClassifierMixin, Regressor):  # type: ignore[misc, unused-ignore]
        _estimator_type = "classifier"

        def __init__(self, said: Any) -> None:
            import numpy as np

            super().__init__(said)
            self.classes_ = np.arange(said.classes)

    class Probable(Classifier):
        def predict_proba(self, X: Any) -> Any:
            return self.said.probabilities

    class Ranking(Classifier):
        def decision_function(self, X: Any) -> Any:
            return self.said.ranking

    def estimator(said: Said) -> Any:
        if not said.classes:
            return Regressor(said)
        return (Probable if said.probabilities is not None else Classifier if said.ranking is None else Ranking)(said)

    return estimator


def names(scoring: str | None) -> tuple[str, ...]:
    """The scorers that a text names, with commas or spaces between them; each as scikit-learn calls it.

    >>> names("f1, recall"), names(None)
    (('f1', 'recall'), ())
    """
    return tuple(dict.fromkeys(re.split(r"[\s,]+", scoring.strip()))) if scoring and scoring.strip() else ()


def check(scoring: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    """These metrics as scikit-learn names its scorers of them; ``own`` are measured without one and left as they are.

    Raises:
        UserError: one is no metric.
    """
    from sklearn.metrics import get_scorer_names

    scorers, found = {metric(name): name for name in get_scorer_names()}, []
    own = {name.removeprefix("val_") for name in own}
    for name in scoring:
        if name not in own and metric(name) not in scorers:
            known = {*scorers, *own}
            raise UserError(f"scoring: there is no metric called {name!r}: {did_you_mean(name, known)}")
        found.append(name if name in own else scorers[metric(name)])
    return tuple(found)


def metric(scoring: str) -> str:
    """Name under which a scorer is reported: losses are positive, so ``neg_mean_absolute_error`` loses its ``neg_``."""
    return scoring.removeprefix("neg_")
