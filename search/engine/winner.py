"""Who won: the finalists' fresh runs, the verdict, and its one measurement on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from hpo.search.engine.confirm import Plan, candidates, finalists, fresh_seeds
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.phase import Context, drive, drop_scratch, horizon_of, scratch_of, task_of
from hpo.search.engine.rules import Rules
from hpo.search.running.training import scores_on_test
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import EverythingFailed
from hpo.search.terms.recipe import canonical

CONFIRM = " (confirm)"
"""What is added to a study's name for the study that holds its fresh runs."""


def decide(context: Context, ledger: Ledger) -> None:
    """Confirm the finalists, choose the winner, measure it on the test split, store the verdict."""
    study = context.study
    several = len(study.goals) > 1
    finals = finalists(ledger, study.confirm.top if study.confirm else len(ledger.entries) if several else 1)
    if not finals:
        return
    seeds = fresh_seeds(study)
    found = candidates(finals, seeds, _fresh_runs(context, finals, seeds) if seeds else [], ledger)
    winner = found[0]
    recipe = canonical({**winner.recipe, "seed": seeds[0]} if winner.runs else winner.recipe)
    old = ledger.optuna.user_attrs.get("winner") or {}
    verdict = {"recipe": recipe, "candidates": [candidate.plain() for candidate in found]}
    if old.get("recipe") == recipe and "test" in old:
        verdict["test"] = old["test"]
    elif context.objective.returns_model:
        context.progress.say("measuring the winner once on the test split")
        verdict["test"] = _test(context, recipe)
    if old != verdict:
        ledger.note_study("winner", verdict)
    ledger.session.commit()


def _fresh_runs(context: Context, finals: list[Entry], seeds: list[int]) -> list[Entry]:
    study = context.study
    question = f"Fresh runs of the finalists of {study.name}"
    again = replace(study, name=study.name + CONFIRM, budget=Budget(), repeats=True, question=question)
    plan = Plan(finals, seeds)
    with context.store.session(again.name, again.directions) as session:
        ledger = Ledger(again, session, plan.recipe)
        plan.place(ledger)
        rules = Rules(
            policy=plan,
            pruner=optuna.pruners.NopPruner(),
            pruner_name="none",
            view=session.study,
            judged=0,
            make_sampler=_no_sampler,
            horizon=horizon_of(study, context.objective),
            scratch=scratch_of(again, context.objective),
        )
        try:
            drive(Loop(ledger, context.executor, rules, context.progress), context.progress, "confirm")
        except EverythingFailed as error:
            context.progress.say(f"no fresh run succeeded: {error}")
        drop_scratch(again.name)
        return ledger.entries


def _no_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
    raise AssertionError("fresh runs have their recipes given")


def _test(context: Context, recipe: Mapping[str, Any]) -> dict[str, float] | None:
    """Train the winner once more and measure it on the test split; None where that is not to be had."""
    scores, reason = context.executor.call(scores_on_test, task_of(context.study), recipe, context.study.goals)
    if reason:  # the search stands without it
        context.progress.say(f"the winner could not be tested: {reason}")
    return scores
