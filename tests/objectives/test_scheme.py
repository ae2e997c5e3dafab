"""Only like is compared with like: all trials of an estimator search are measured in the same way."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import all_estimators

from hpo.objectives import sklearn
from hpo.objectives.estimators.build import assemble
from hpo.objectives.estimators.curves import kind_of
from hpo.objectives.estimators.scheme import curve_kind, settle
from hpo.objectives.estimators.source import BOOSTERS, constructor, defines, module_of, required
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.report.study import report
from hpo.search.store import open_store
from hpo.search.terms.domain import Choice, Int
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Study

CLASSES = {name: made for kind in ("classifier", "regressor") for name, made in all_estimators(type_filter=kind)}

NAMES = (
    "SGDClassifier", "MLPClassifier", "Perceptron", "RandomForestClassifier", "GradientBoostingClassifier",
    "HistGradientBoostingClassifier", "BaggingClassifier", "SVC", "GaussianNB", "LogisticRegression",
)  # fmt: skip

VALUES: dict[str, tuple[Any, ...]] = {
    "early_stopping": (True, False),
    "n_iter_no_change": (None, 3),
    "solver": ("adam", "lbfgs"),
}


def kind(recipe: dict[str, Any]) -> str | None:
    """How a recipe's estimator, built, learns step by step."""
    parameters = constructor(recipe["estimator"]) or {}
    return kind_of(assemble(recipe["estimator"], {k: v for k, v in recipe.items() if k in parameters}))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # deprecated estimators are read too
@pytest.mark.parametrize("name", sklearn.estimators())
def test_how_an_estimator_learns_is_read_from_its_source_as_it_is(name: str) -> None:
    if name in BOOSTERS:
        pytest.importorskip(BOOSTERS[name], reason=f"{BOOSTERS[name]} is not installed (extra: boosting)")
    parameters = constructor(name)
    assert parameters is not None or name in BOOSTERS  # which take further keywords
    needed = required(name)
    if needed:
        assert needed[0] in ("estimator", "estimators", "steps")
        return
    made = CLASSES.get(name) or getattr(import_module(str(module_of(name))), name)
    assert curve_kind(name, parameters or {}, partial=bool(defines(name, "partial_fit"))) == kind_of(made())


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
    values=st.fixed_dictionaries(
        {}, optional={k: st.lists(st.sampled_from(v), min_size=1, unique=True) for k, v in VALUES.items()}
    ),
    alone=st.booleans(),
)
def test_all_recipes_of_a_study_are_measured_by_the_same_scheme(
    names: list[str], values: dict[str, list[Any]], alone: bool
) -> None:
    parameters = [Parameter("estimator", Choice(tuple(names)))]
    for knob, listed in values.items():
        having = tuple(name for name in names if knob in (constructor(name) or {}))
        having = having[:1] if alone else having
        if having:
            parameters.append(Parameter(knob, Choice(tuple(listed)), (("estimator", having),)))
    space = Space(tuple(parameters))
    settled = settle({}, space)
    assert not settled.at
    kinds = {kind(point) is None for point in space.points()}
    assert len(kinds) == 1 or settled.fixed == {"curve": "folds"}
    assert bool(settled.fixed) == bool(settled.note)
    if len(names) == 1 and not values:
        assert not settled.fixed


def test_what_says_how_to_measure_is_not_searched(mistakes: Callable[..., list[str]]) -> None:
    text = """
objective: sklearn
data: iris
goal: maximize val_accuracy
fixed: {estimator: RandomForestClassifier}
search: {n_estimators: {choice: [5, 9]}, %s}
"""
    for knob in ("folds: {int: [2, 5]}", "curve: {choice: [epochs, folds]}"):
        found = mistakes(text % knob)
        assert len(found) == 1
        assert "only like can be compared with like" in found[0]
        assert "or make it a study per value" in found[0]


def test_points_of_what_learns_in_one_go_are_refused_with_both_ways_out(mistakes: Callable[..., list[str]]) -> None:
    text = """
objective: sklearn
data: iris
goal: maximize val_accuracy
fixed: {curve: epochs}
search: {estimator: {choice: [SVC, RandomForestClassifier]}}
"""
    assert mistakes(text) == [
        "5:9 SVC learns in one go, which curve: epochs cannot measure | "
        "write curve: folds, or leave it out of the search"
    ]


def test_a_range_counts_as_one_form_and_an_unknown_package_is_measured_by_folds() -> None:
    boosting = {"estimator": "GradientBoostingClassifier"}
    assert not settle(boosting, Space((Parameter("n_iter_no_change", Int(2, 9)),))).fixed
    both = settle(boosting, Space((Parameter("n_iter_no_change", Choice((None, 5))),)))
    assert both.fixed == {"curve": "folds"}
    foreign = Space((Parameter("estimator", Choice(("RandomForestClassifier", "nowhere.Booster"))),))
    assert settle({}, foreign).fixed == {"curve": "folds"}
    assert not settle({"estimator": "nowhere.Booster"}, Space((Parameter("x", Int(1, 9)),))).fixed


class Told(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        """Keep it."""
        self.said.append(message)


def test_unlike_estimators_compete_by_the_same_folds(study: Callable[..., Study], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 8))
    leaves = X @ ([2.0, -2.0] * 4) + rng.logistic(size=400) > 0
    frame = pd.DataFrame(X, columns=list("abcdefgh")).assign(churned=np.where(leaves, "yes", "no"))
    frame.to_csv(tmp_path / "churn.csv", index=False)
    read = study("""
objective: sklearn
data: {table: {path: churn.csv, target: churned}}
goal: maximize val_accuracy
search:
  estimator: {choice: [LogisticRegression, RandomForestClassifier, HistGradientBoostingClassifier]}
  n_estimators: {choice: [20], when: {estimator: RandomForestClassifier}}
  max_iter: {choice: [20], when: {estimator: HistGradientBoostingClassifier}}
fixed: {folds: 3}
sampler: grid
pruner: none
confirm: none
storage: ":memory:"
""")
    assert read.fixed == {"folds": 3, "curve": "folds"}
    told = Told()
    store = open_store(":memory:")
    engine.run(read, store=store, progress=told)
    assert any("measured by cross-validation, as LogisticRegression learns in one go" in line for line in told.said)
    with store.session(read.name, read.directions, create=False) as session:
        trials = session.study.trials
    assert [sorted(trial.intermediate_values) for trial in trials] == [[1, 2, 3]] * 3
    by_hand = {}
    for trial in trials:
        recipe = {**read.recipe(trial.params, trial.number), "data": read.data}
        recipe["split_seed"] = read.task.split_seed
        points = [point["val_accuracy"] for point in islice(sklearn.train(**recipe), 3)]
        by_hand[trial.params["estimator"]] = sum(points) / 3
    assert max(by_hand, key=lambda name: by_hand[name]) == "LogisticRegression"
    winner = report(store, read.name).winner
    assert winner is not None
    assert winner.recipe["estimator"] == "LogisticRegression"
    assert winner.first.mean[0] == pytest.approx(by_hand["LogisticRegression"])


def test_a_settled_study_run_again_is_the_same_study(study: Callable[..., Study]) -> None:
    read = study("""
objective: sklearn
data: iris
goal: maximize val_accuracy
search: {estimator: {choice: [GaussianNB, RandomForestClassifier]}}
budget: {trials: 1}
confirm: none
""")
    store = open_store(":memory:")
    engine.run(read, store=store)
    told = Told()
    engine.run(read, store=store, progress=told)
    assert len(report(store, read.name).trials) == 1
    assert not any("cannot be compared" in line for line in told.said)
