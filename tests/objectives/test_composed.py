"""Estimators made of others, boosting of other packages, and training rows that are evened out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.objectives import models, sklearn
from hpo.objectives.estimators.build import build
from hpo.objectives.estimators.curves import Prepared
from hpo.objectives.estimators.resampling import resampled
from hpo.search.studyfile.reader import read
from hpo.search.terms.errors import StudyFileError, UserError

VOTING = {"estimators": {"linear": "LogisticRegression", "tree": "DecisionTreeClassifier"}}


def run(**recipe: Any) -> tuple[list[dict[str, float]], Any]:
    points, training = [], sklearn.train(**recipe)
    while True:
        try:
            points.append(next(training))
        except StopIteration as end:
            return points, end.value


def test_each_estimator_inside_takes_its_own_parameters_and_the_seed() -> None:
    parameters = {**VOTING, "voting": "soft", "linear__C": 0.1, "tree__max_depth": 2}
    built = build("VotingClassifier", parameters, "classification", 7, "the data")
    named = dict(built.estimators)
    assert (named["linear"].C, named["tree"].max_depth, built.voting) == (0.1, 2, "soft")
    assert named["linear"].random_state == named["tree"].random_state == 7


@pytest.mark.parametrize(
    "recipe",
    [
        {"estimator": "VotingClassifier", **VOTING, "tree__max_depth": 2},
        {
            "estimator": "StackingClassifier",
            "estimators": ["GaussianNB"],
            "final_estimator": "LogisticRegression",
            "final_estimator__C": 2.0,
            "cv": 2,
        },
        {"estimator": "Pipeline", "steps": {"pca": "PCA", "model": "SVC"}, "pca__n_components": 2, "model__C": 3.0},
    ],
    ids=lambda recipe: recipe["estimator"],
)
def test_what_is_made_of_others_trains_and_comes_back_out_of_its_folder(recipe: dict[str, Any], tmp_path: Path) -> None:
    points, fitted = run(data="iris", folds=2, **recipe)
    assert points[-1]["val_accuracy"] > 0.8
    fitted.save(tmp_path)
    held_out = fitted.dataset.test.X
    expected = fitted.predicted("test").values.argmax(axis=1)
    np.testing.assert_array_equal(models.opened(tmp_path, None).numbers(held_out), expected)


def study(**fixed: Any) -> dict[str, Any]:
    return {
        "objective": "sklearn",
        "data": "iris",
        "goal": "maximize val_accuracy",
        "fixed": fixed,
        "search": {"model__C": {"float": [0.1, 10], "log": True}},
    }


def test_parameters_inside_are_searched_under_the_name_that_the_study_gives_them() -> None:
    assert "model__C" in read(study(estimator="Pipeline", steps={"pca": "PCA", "model": "SVC"})).space.names()
    with pytest.raises(StudyFileError, match="sklearn has no knob 'model__C'"):
        read(study(estimator="Pipeline", steps={"pca": "PCA", "modle": "SVC"}))
    with pytest.raises(StudyFileError, match="VotingClassifier is made of several others"):
        read({**study(estimator="VotingClassifier"), "search": {"voting": {"choice": ["hard", "soft"]}}})


@pytest.mark.parametrize(
    ("package", "recipe"),
    [
        ("lightgbm", {"estimator": "LGBMClassifier", "n_estimators": 6, "num_leaves": 4}),
        ("xgboost", {"estimator": "XGBClassifier", "n_estimators": 6, "max_depth": 3}),
        ("catboost", {"estimator": "CatBoostClassifier", "iterations": 6, "depth": 3}),
    ],
)
def test_rounds_of_boosting_are_points_that_go_on_from_one_another(
    package: str, recipe: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    points, fitted = run(data="breast_cancer", epochs=3, scoring="log_loss", **recipe)
    losses = [point["val_log_loss"] for point in points]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 3
    again = fitted.at(2)
    assert again.judge.held_out(_said(again))["log_loss"] == losses[1]
    fitted.save(tmp_path)
    held_out = fitted.dataset.test.X
    np.testing.assert_allclose(models.opened(tmp_path, None).probabilities(held_out), fitted.predicted("test").values)


def _said(model: Any) -> Any:
    from hpo.objectives.data.scorers import Said

    found = model.predicted("validation")
    return Said.of(found.targets, found.values)


@pytest.mark.parametrize("kind", ["over", "under", "smote"])
def test_resampled_training_rows_are_of_all_classes_alike_and_held_out_ones_as_they_were(kind: str) -> None:
    if kind == "smote":
        pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), (np.arange(50) % 5 == 0).astype(np.int64)
    given = Prepared(None, X, y, X[:10], y[:10])
    found = resampled(given, kind, 3)
    assert np.bincount(found.y).tolist() == ([10, 10] if kind == "under" else [40, 40])
    assert found.X_validation is given.X_validation
    np.testing.assert_array_equal(found.X, resampled(given, kind, 3).X)
    if kind != "smote":
        assert set(map(tuple, found.X)) <= set(map(tuple, X))


def test_resampling_a_quantity_is_refused() -> None:
    with pytest.raises(UserError, match="the target is a quantity"):
        run(estimator="Ridge", data="diabetes", resample="over", folds=2)


def test_a_model_decides_at_the_threshold_it_was_tuned_to(tmp_path: Path) -> None:
    points, fitted = run(
        estimator="LogisticRegression", data="breast_cancer", folds=2, threshold="cost", false_negative=20.0
    )
    assert points[-1]["val_cost"] <= points[-1]["val_cost_untuned"] + 0.1
    fitted.save(tmp_path)
    model = models.opened(tmp_path, None)
    held_out = fitted.dataset.test
    probability = model.probabilities(held_out.X)[:, 1]
    np.testing.assert_array_equal(model.numbers(held_out.X), (probability >= fitted.threshold).astype(int))
    assert model.scores(held_out.X, held_out.y) == fitted.test()
    assert fitted.test()["cost_untuned"] >= 0


def test_a_threshold_for_an_estimator_without_probabilities_says_what_gives_them() -> None:
    with pytest.raises(UserError, match="CalibratedClassifierCV"):
        run(estimator="LinearSVC", data="breast_cancer", folds=2, threshold="f1")
