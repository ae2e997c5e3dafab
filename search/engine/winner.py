"""Who won: the finalists' fresh runs, the verdict, and its one measurement on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from hpo.search.contracts.pruner import PrunerContext
from hpo.search.describe.horizon import horizon_of
from hpo.search.engine.checkpoints import Folders, new_id
from hpo.search.engine.confirm import FreshRuns, candidates, finalists, fresh_seeds
from hpo.search.engine.context import Context
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.plugins import build
from hpo.search.engine.rules import Rules
from hpo.search.engine.signals import drive
from hpo.search.running.training import scores_on_test
from hpo.search.store import attributes
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import EverythingFailed
from hpo.search.terms.recipe import canonical
from hpo.search.terms.study import Plugin
from hpo.search.terms.winner import Winner

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
    leader = ledger[found[0].trial]
    recipe = canonical({**leader.recipe, "seed": seeds[0]} if found[0].runs else leader.recipe)
    old = Winner.read(ledger.facts().get(attributes.WINNER))
    winner = Winner(recipe, tuple(found))
    if old is not None and old.recipe == recipe and old.measured:
        winner = replace(winner, test=old.test, measured=True)
    elif context.objective.returns_model:
        context.progress.say("measuring the winner once on the test split")
        winner = replace(winner, test=_test(context, recipe), measured=True)
    if old != winner:
        ledger.note_study(attributes.WINNER, winner.plain())
    ledger.session.commit()


def _fresh_runs(context: Context, finals: list[Entry], seeds: list[int]) -> list[Entry]:
    study = context.study
    question = f"Fresh runs of the finalists of {study.name}"
    again = replace(study, name=study.name + CONFIRM, budget=Budget(), repeats=True, question=question)
    plan = FreshRuns(finals, seeds)
    with context.store.session(again.name, again.directions) as session:
        ledger = Ledger(again, session, plan.recipe)
        plan.place(ledger)
        if attributes.ID not in ledger.facts():
            ledger.note_study(attributes.ID, new_id())
        folders = Folders.of(context.objective, context.store, ledger.facts())
        rules = Rules(
            policy=plan,
            pruner=build("pruner", Plugin("none"), PrunerContext()),
            make_sampler=_no_sampler,
            horizon=horizon_of(context.objective, study.space),
            folders=folders,
        )
        try:
            drive(Loop(ledger, context.executor, rules, context.progress), context.progress, "confirm")
        except EverythingFailed as error:
            context.progress.say(f"no fresh run succeeded: {error}")
        folders.clear()
        return ledger.entries


def _no_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
    raise AssertionError("fresh runs have their recipes given")


def _test(context: Context, recipe: Mapping[str, Any]) -> dict[str, float] | None:
    """Train the winner once more and measure it on the test split; None where that is not to be had."""
    scores, reason = context.executor.call(scores_on_test, context.study.task, recipe, context.study.goals)
    if reason:  # the search stands without it
        context.progress.say(f"the winner could not be tested: {reason}")
    return scores
