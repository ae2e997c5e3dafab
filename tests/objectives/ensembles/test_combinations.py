"""Combinations of models: what they give is a prediction, fitted on some rows and chosen by others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from hpo.objectives.ensembles.choice import choose
from hpo.objectives.ensembles.combinations import KINDS, Combination, fit, loss
from hpo.search.contracts.predicted import Predicted
from hpo.search.terms.ensemble import SINGLE
from hpo.search.terms.errors import UserError


def pool(seed: int, classes: int, models: int, rows: int = 120, noise: float = 1.0) -> list[Predicted]:
    """Models that each see the truth through noise of their own; ``classes`` is 0 for values."""
    rng = np.random.default_rng(seed)
    if not classes:
        truth = rng.normal(5, 3, rows)
        return [Predicted(truth + rng.normal(0, noise, rows), truth) for _ in range(models)]
    targets = rng.integers(0, classes, rows)
    return [Predicted(_softmax(2 * np.eye(classes)[targets] + rng.normal(0, noise, (rows, classes))), targets)
            for _ in range(models)]  # fmt: skip


def _softmax(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    return made


def _together(found: Combination, models: list[Predicted]) -> Predicted:
    return Predicted(found.of([models[place].values for place in found.members]), models[0].targets)


CASES = st.tuples(st.integers(0, 10**6), st.sampled_from([0, 2, 5]), st.integers(2, 7))


@given(CASES, st.sampled_from(sorted(KINDS)), st.integers(2, 5))
@settings(max_examples=60)
def test_every_combination_takes_no_more_models_than_it_may_and_gives_predictions_of_the_same_kind(
    case: tuple[int, int, int], kind: str, most: int
) -> None:
    models = pool(*case)
    found = fit(kind, models, most)
    if found is None:
        assert kind == ("vote" if not case[1] else "stacking")
        return
    assert 1 <= len(found.members) <= most
    made = _together(found, models).values
    assert made.shape == models[0].values.shape
    assert np.isfinite(made).all()
    if case[1]:
        assert (made >= 0).all()
        assert made.sum(axis=1) == pytest.approx(np.ones(len(made)))


@given(CASES)
@settings(max_examples=30)
def test_greedy_is_on_its_own_rows_no_worse_than_the_best_model(case: tuple[int, int, int]) -> None:
    models = pool(*case)
    found = fit("greedy", models, len(models))
    assert found is not None
    assert loss(_together(found, models)) <= min(map(loss, models)) + 1e-12


@given(CASES)
@settings(max_examples=30)
def test_the_weighted_mixture_is_on_its_own_rows_no_worse_than_the_mean(case: tuple[int, int, int]) -> None:
    models = pool(*case)
    weighted, mean = fit("weighted", models, len(models)), fit("mean", models, len(models))
    assert weighted is not None
    assert mean is not None
    assert loss(_together(weighted, models)) <= loss(_together(mean, models)) * (1 + 1e-2)  # small weights are left out


@pytest.mark.parametrize("classes", [2, 4])
def test_stacking_predicts_what_the_logistic_regression_on_log_odds_predicts(classes: int) -> None:
    models = pool(3, classes, 3, rows=600)
    assert fit("stacking", models, 3, np.arange(25)) is None, "too few rows"
    found = fit("stacking", models, 3)
    assert found is not None
    logs = [np.log(np.clip(models[place].values, 1e-6, 1)) for place in found.members]
    features = (
        np.stack([log[:, 1] - log[:, 0] for log in logs], axis=1)
        if classes == 2
        else np.concatenate([log - log.mean(axis=1, keepdims=True) for log in logs], axis=1)
    )
    whole = LogisticRegression(max_iter=2000).fit(features, models[0].targets)
    assert _together(found, models).values == pytest.approx(whole.predict_proba(features), abs=1e-9)


@given(CASES, st.sampled_from(sorted(KINDS)))
@settings(max_examples=30)
def test_a_combination_written_down_and_read_back_gives_the_same_bits(case: tuple[int, int, int], kind: str) -> None:
    models = pool(*case)
    found = fit(kind, models, 4)
    if found is None:
        return
    again = Combination.read(found.plain(), case[1])
    values = [models[place].values for place in found.members]
    assert (again.of(values) == found.of(values)).all()


@given(CASES, st.sampled_from(sorted(KINDS)), st.integers(1, 119))
@settings(max_examples=30)
def test_a_row_is_predicted_alike_whatever_stands_beside_it(case: tuple[int, int, int], kind: str, cut: int) -> None:
    models = pool(*case)
    found = fit(kind, models, 4)
    if found is None:
        return
    values = [models[place].values for place in found.members]
    pieces = [found.of([value[part] for value in values]) for part in (slice(cut), slice(cut, None))]
    assert (np.concatenate(pieces) == found.of(values)).all()


def test_a_combination_that_does_not_fit_its_models_is_refused() -> None:
    for plain in (
        {"kind": "mean", "models": 2, "weights": [1.0]},
        {"kind": "mean", "models": 2, "weights": [0.9, 0.9]},
        {"kind": "greedy", "models": 2, "weights": [float("nan"), 1.0]},
        {"kind": "stacking", "models": 2, "coefficients": [[1.0]], "intercept": [0.0]},
        {"kind": "soup", "models": 1, "weights": [1.0]},
        {"kind": "mean"},
    ):
        with pytest.raises(UserError, match="combin"):
            Combination.read(plain, 2)


def test_models_that_err_in_different_rows_are_combined_and_equal_ones_are_not() -> None:
    several = pool(1, 3, 5, noise=1.5)
    taken = choose(several, "val_log_loss", 5, 0)
    assert taken.combination.kind != SINGLE
    assert taken.options[0].value < next(option.value for option in taken.options if option.kind == SINGLE)
    alike = choose([several[0]] * 4, "val_log_loss", 4, 0)
    assert alike.combination.kind == SINGLE
    assert alike.combination.members == (0,)


def test_it_is_the_goal_that_decides_where_predictions_have_it() -> None:
    models = pool(2, 4, 4, noise=2.5)
    assert choose(models, "val_accuracy", 4, 0).metric == "accuracy"
    assert choose(models, "val_loss", 4, 0).metric == "log_loss"
    assert choose(pool(2, 0, 4), "val_loss", 4, 0).metric == "rmse"


def test_models_without_probabilities_can_only_vote() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    models = []
    for _ in range(5):
        wrong = rng.random(200) < 0.3
        models.append(Predicted(np.eye(3)[np.where(wrong, (targets + 1) % 3, targets)], targets, probable=False))
    found = choose(models, "val_log_loss", 5, 0)
    assert {option.kind for option in found.options} == {SINGLE, "vote"}
    assert found.combination.kind == "vote"
    assert found.metric == "accuracy"


def test_what_does_not_fit_together_is_no_choice() -> None:
    models = pool(0, 2, 3)
    with pytest.raises(ValueError, match="other rows"):
        choose([models[0], pool(5, 2, 1)[0]], "val_loss", 2, 0)
    few = [Predicted(one.values[:20], one.targets[:20]) for one in models]
    with pytest.raises(ValueError, match="too few"):
        choose(few, "val_loss", 2, 0)


def test_kept_predictions_are_read_back_whole_or_not_at_all() -> None:
    one = Predicted(np.array([[0.25, 0.75]], np.float32), np.array([1]), True, 1.5, 20.0)
    raw = one.packed("key")
    found = Predicted.read(raw, "key")
    assert found is not None
    assert (found.values == one.values).all()
    assert found.values.dtype == np.float32
    assert (found.targets == one.targets).all()
    assert (found.probable, found.milliseconds, found.kilobytes) == (True, 1.5, 20.0)
    assert Predicted.read(raw, "other") is None
    for cut in range(0, len(raw), 97):
        assert Predicted.read(raw[:cut], "key") is None
