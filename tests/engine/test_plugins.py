"""Which plug-ins a study gets, named or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.engine.plugins import as_begun, build, executor_of, pruner_of, sampler_and_policy
from hpo.search.terms.budget import Budget
from hpo.search.terms.domain import Choice, Float, Int
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


def test_the_default_holds_trials_whatever_the_budget_and_stops_the_first_ones_only_where_steps_buy_more() -> None:
    for budget, halving in (
        (Budget(steps=100), {"bootstrap_count": 2}),
        (Budget(trials=20, minutes=10), {"min_resource": 2, "reduction_factor": 2}),
        (Budget(target=0.1), {"bootstrap_count": 2}),
        (Budget(trials=20), {"min_resource": 2, "reduction_factor": 2}),
    ):
        curves = pruner_of(replace(study(), budget=budget)).options["curves"]
        assert curves == Plugin("hedged", {"of": Plugin("successive-halving", halving)})


def test_no_first_trial_is_stopped_for_nothing_where_the_recipes_run_out() -> None:
    few = replace(study(), budget=Budget(steps=500), space=Space((Parameter("x", Choice((1, 2, 3))),)))
    assert pruner_of(few) == pruner_of(replace(few, budget=Budget(trials=9)))
    many = replace(few, space=Space((Parameter("x", Int(0, 10**6)),)))
    assert pruner_of(many) != pruner_of(few)


def test_a_stored_study_that_goes_on_with_a_policy_is_not_given_the_pruner_it_began_with() -> None:
    begun = {"pruner": str(pruner_of(study())), "sampler": "{tpe: {unpruned: 0.2}}", "unnamed": ["sampler", "pruner"]}
    for policy in ("freeze-thaw", "hedge"):
        assert pruner_of(as_begun(study(sampler=Plugin(policy)), begun)) == Plugin("none")
    assert pruner_of(as_begun(study(LOSS, SIZE), begun)) == Plugin("none")


FORMER = [
    "{by-points: {curves: successive-halving, folds: wilcoxon}}",
    "{by-points: {curves: {hedged: {of: successive-halving}}, folds: wilcoxon}}",
    "{successive-halving: {bootstrap_count: 2}}",
]


@pytest.mark.parametrize("former", FORMER)
def test_a_stored_study_keeps_the_defaults_that_it_began_with(former: str) -> None:
    begun = as_begun(study(), {"pruner": former, "sampler": "tpe"})
    assert (str(pruner_of(begun)), str(sampler_and_policy(begun)[0])) == (former, "tpe")
    more = replace(study(), budget=Budget(steps=100))
    assert str(pruner_of(as_begun(more, {"pruner": str(pruner_of(study()))}))) == str(pruner_of(study()))
    for other in ({}, {"pruner": "median", "sampler": "gp"}):
        assert as_begun(study(), other) == study()
    chosen = {"pruner": former, "sampler": "tpe", "unnamed": []}  # by who has named them once
    assert as_begun(study(), chosen) == study()
    named = replace(study(), pruner=Plugin("none"), sampler=Plugin("random"))
    assert as_begun(named, {"pruner": former, "sampler": "tpe"}) == named


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
