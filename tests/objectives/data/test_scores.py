"""Metrics on numpy equal scikit-learn's."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from hpo.objectives.data import scores


def named(found: Iterable[str], y: Any, predicted: Any) -> dict[str, float]:
    """Scikit-learn's metrics of these names, where it has them."""
    theirs = {name: getattr(metrics, name, getattr(metrics, f"{name}_score", None)) for name in found}
    return {name: function(y, predicted) for name, function in theirs.items() if function is not None}


@given(st.integers(2, 5), st.integers(10, 80), st.integers(0, 1000))
def test_classification_metrics_equal_scikit_learns(classes: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, rows)])
    # rounded, so that there are ties
    raw = np.round(rng.dirichlet(np.ones(classes), len(y)), 1) + 1e-3
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    found = scores.classification(y, predicted, classes, probabilities=probabilities)
    assert tuple(f"val_{name}" for name in found) == scores.CLASSIFICATION
    ranks = probabilities[:, 1] if classes == 2 else probabilities
    one_hot = np.eye(classes)[y]
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(y, predicted, average="macro", zero_division=0)
    wanted = {
        "accuracy": metrics.accuracy_score(y, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted),
        "precision_macro": precision,
        "recall_macro": recall,
        "f1_macro": f1,
        "matthews_corrcoef": metrics.matthews_corrcoef(y, predicted),
        "roc_auc": metrics.roc_auc_score(y, ranks, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(y if classes == 2 else one_hot, ranks),
        "log_loss": metrics.log_loss(y, probabilities),
    }
    others = named(set(found) - set(wanted), y, predicted)
    assert found == pytest.approx(wanted | others, abs=1e-12)
    assert (scores.confusion_matrix(y, predicted, classes) == metrics.confusion_matrix(y, predicted)).all()


@given(st.integers(3, 60), st.integers(0, 1000))
def test_regression_metrics_equal_scikit_learns(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, predicted = rng.normal(5, 3, rows), rng.normal(5, 3, rows)
    found = scores.regression(y, predicted)
    assert tuple(f"val_{name}" for name in found) == scores.REGRESSION
    rmse, mae = metrics.root_mean_squared_error(y, predicted), metrics.mean_absolute_error(y, predicted)
    wanted = {"rmse": rmse, "mae": mae, **named(set(found) - {"rmse", "mae"}, y, predicted)}
    assert found == pytest.approx(wanted)


def test_decision_values_rank_without_being_probabilities() -> None:
    y, decision = np.array([0, 0, 1, 1]), np.array([-2.0, 0.5, 0.4, 3.0])
    found = scores.classification(y, (decision > 0).astype(int), 2, ranking=decision)
    assert found["roc_auc"] == 0.75
    assert "log_loss" not in found


def test_a_class_without_rows_is_left_out_of_the_means() -> None:
    y = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
    found = scores.classification(y, probabilities.argmax(axis=1), 3, probabilities=probabilities)
    assert found["roc_auc"] == found["f1_macro"] == found["balanced_accuracy"] == 1.0


def test_not_a_number_is_no_ranking() -> None:
    y = np.array([0, 1, 1])
    found = scores.classification(y, np.array([0, 1, 0]), 2, ranking=np.array([0.1, np.nan, 0.3]))
    assert "roc_auc" not in found
