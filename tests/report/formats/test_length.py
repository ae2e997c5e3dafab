"""A language model in another tool is of the kind its objective says, with as many steps as the trainer makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporting import run
from hypothesis import given
from hypothesis import strategies as st

from hpo.objectives.trainer.plan import plan_of
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.describe.objective import describe
from hpo.search.terms import registry
from hpo.search.terms.job import Task

GPT = describe("gpt", Path())
PROBLEM = Problem(registry.load("objective", "gpt"), Task("gpt"))
ROWS = 5000


@given(
    length=st.fixed_dictionaries(
        {},
        optional={
            "max_steps": st.integers(1, 5000), "max_tokens": st.integers(1, 10**7), "epochs": st.integers(1, 30),
        },
    ),
    batch=st.integers(1, 64),
)  # fmt: skip
def test_the_length_that_a_recipe_says_puts_the_objectives_own_aside(length: dict[str, Any], batch: int) -> None:
    knobs = {**length, "batch_size": batch}
    recipe = TrainingRecipe.take({**PROBLEM._defaults(knobs), **knobs})
    assert run(GPT, samples=ROWS, **knobs).steps == plan_of(recipe, ROWS, 64, by_steps=True).total


def test_an_objective_of_ones_own_says_what_kind_of_language_model_it_is(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        'LANGUAGE = "masked"\n\ndef build(*, width: int = 8): ...\n\ndef data(*, context: int = 16): ...\n'
    )
    made = run(describe("./own.py", tmp_path), max_steps=5)
    assert (made.language, made.context) == ("masked", 16)
