"""How many points a complete curve has: what a study counts with is what the trainer makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.objectives.trainer.plan import plan_of
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search import studyfile
from hpo.search.describe.horizon import horizon_of
from hpo.search.describe.objective import describe
from hpo.search.describe.size import size_of
from hpo.search.terms import registry
from hpo.search.terms.errors import StudyFileError
from hpo.search.terms.job import Task
from hpo.search.terms.space import Space

GPT = horizon_of(describe("gpt", Path()), Space(()))
PROBLEM = Problem(registry.load("objective", "gpt"), Task("gpt"))
LONG = 10**9  # rows of a text that never ends a run

LENGTHS = st.one_of(
    st.fixed_dictionaries({}),
    st.fixed_dictionaries({"max_steps": st.integers(1, 5000)}),
    st.fixed_dictionaries({"max_tokens": st.integers(1, 10**7)}),
    st.fixed_dictionaries({"max_steps": st.integers(1, 5000), "max_tokens": st.integers(1, 10**7)}),
)
CUTS = st.fixed_dictionaries(
    {},
    optional={
        "eval_every": st.integers(0, 400), "batch_size": st.integers(1, 64), "accumulation_steps": st.integers(1, 4),
        "context": st.sampled_from([16, 64, 100]),
    },
)  # fmt: skip


@given(length=LENGTHS, cut=CUTS)
def test_a_language_model_has_as_many_points_as_its_study_counts_with(
    length: dict[str, Any], cut: dict[str, Any]
) -> None:
    knobs = {**length, **cut}
    recipe = TrainingRecipe.take({**PROBLEM._defaults(knobs), **knobs})
    plan = plan_of(recipe, LONG, knobs.get("context", 64), by_steps=True)
    assert GPT(knobs) == plan.epochs


def test_passes_over_a_text_of_unknown_length_make_no_known_number_of_points() -> None:
    assert GPT({"epochs": 3}) == 20
    assert GPT({"epochs": 3, "eval_every": 10}) is None


@pytest.mark.parametrize(
    ("objective", "fixed", "points"),
    [
        ("gpt", {}, 20),
        ("gpt", {"eval_every": 500}, 4),
        ("gpt", {"max_tokens": 768_000, "eval_every": 500}, 2),
        ("mlp", {}, 20),
        ("mlp", {"max_steps": 100, "eval_every": 20}, 5),
        ("mlp", {"epochs": 1000, "max_steps": 100}, 1),  # how many epochs those steps are, the data says
    ],
)
def test_a_budget_is_refused_where_it_pays_for_no_trial_and_nowhere_else(
    objective: str, fixed: dict[str, Any], points: int
) -> None:
    study = {
        "objective": objective, "goal": "minimize val_loss", "fixed": fixed,
        "search": {"learning_rate": {"float": [1e-4, 1e-1], "log": True}},
    }  # fmt: skip
    assert studyfile.read({**study, "budget": {"steps": points}}).budget.steps == points
    if points > 1:
        with pytest.raises(StudyFileError, match=f"do not pay for one trial of {points} points"):
            studyfile.read({**study, "budget": {"steps": points - 1}})


def test_a_searched_length_counts_with_its_least_where_a_budget_is_judged() -> None:
    study = {
        "objective": "gpt", "goal": "minimize val_loss", "fixed": {"eval_every": 100},
        "search": {"max_steps": {"int": [500, 5000]}, "learning_rate": {"float": [1e-4, 1e-1], "log": True}},
    }  # fmt: skip
    assert studyfile.read({**study, "budget": {"steps": 5}}).budget.steps == 5
    with pytest.raises(StudyFileError, match="do not pay for one trial of 5 points"):
        studyfile.read({**study, "budget": {"steps": 4}})


def test_a_run_that_steps_end_is_planned_without_going_through_the_points_of_all_its_passes() -> None:
    growing = {"epochs": 1000, "max_steps": 2000, "eval_every": 1, "batch_schedule": "linear"}
    assert plan_of(TrainingRecipe.take(growing), LONG, 64, by_steps=True).epochs == 2000


def test_tokens_are_cut_into_whole_rows_before_they_are_counted_in_steps() -> None:
    assert GPT({"max_tokens": 2305}) == 3  # 36 rows of 64 tokens, 12 a step


def test_passes_over_a_text_say_no_number_of_tokens() -> None:
    sized = size_of(describe("gpt", Path()))
    assert sized is not None
    assert sized({"epochs": 3}).tokens is None
    assert sized({"max_steps": 10, "context": 32}).tokens == 10 * 12 * 32
