"""Which plug-ins a study gets, named or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.engine.plugins import as_begun, build, executor_of, pruner_of, sampler_and_policy
from hpo.search.terms.budget import Budget
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Plugin, Study

LOSS, SIZE = Goal("loss", "minimize"), Goal("size", "maximize")


def study(*goals: Goal, sampler: Plugin | None = None, executor: Plugin | None = None, workers: int = 1) -> Study:
    space = Space((Parameter("x", Float(0.0, 1.0)),))
    return Study("s", "live:f", goals or (LOSS,), space, sampler=sampler, executor=executor, workers=workers)


def test_a_policy_takes_the_place_of_sampler_and_pruner() -> None:
    named = study(sampler=Plugin("freeze-thaw", {"of": Plugin("random"), "per": "step"}))
    assert sampler_and_policy(named) == (Plugin("random"), Plugin("freeze-thaw", {"per": "step"}))
    assert pruner_of(named) == Plugin("none")


def test_several_goals_are_not_pruned_unless_the_study_says_by_which() -> None:
    assert pruner_of(study(LOSS, SIZE)) == Plugin("none")
    assert pruner_of(study(LOSS)) != Plugin("none")


def test_the_default_pruner_is_the_same_for_every_budget() -> None:
    by_steps = replace(study(), budget=Budget(steps=100))
    by_trials = replace(study(), budget=Budget(trials=20, steps=100))
    assert pruner_of(by_steps) == pruner_of(by_trials)
    assert pruner_of(by_steps).options["curves"] == Plugin("hedged", {"of": Plugin("successive-halving")})


def test_a_stored_study_keeps_the_default_pruner_that_it_began_with() -> None:
    plain = "{by-points: {curves: successive-halving, folds: wilcoxon}}"
    assert str(pruner_of(as_begun(study(), plain))) == plain
    for other in (None, "median", str(pruner_of(study()))):
        assert pruner_of(as_begun(study(), other)) == pruner_of(study())
    named = replace(study(), pruner=Plugin("none"))
    assert as_begun(named, plain) == named


@pytest.mark.parametrize(
    ("workers", "by_suite", "expected"),
    [(1, False, "inline"), (1, True, "cohort"), (4, False, "processes"), (4, True, "cohort")],
)
def test_the_executor_follows_from_what_is_trained_and_by_how_many(workers: int, by_suite: bool, expected: str) -> None:
    assert executor_of(study(workers=workers), trained_by_suite=by_suite).name == expected
    named = study(workers=workers, executor=Plugin("inline"))
    assert executor_of(named, trained_by_suite=by_suite) == Plugin("inline")


def test_nested_plugins_are_made_first() -> None:
    context = PrunerContext(10)
    nested = Plugin("patient", {"of": Plugin("median"), "patience": 2})
    assert isinstance(build("pruner", nested, context), Pruner)
