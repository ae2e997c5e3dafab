"""Who won: the finalists' fresh runs, the verdict, and its one measurement on the test split."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import optuna

from hpo.search.contracts.pruner import PrunerContext
from hpo.search.describe.horizon import horizon_of
from hpo.search.engine.checkpoints import Folders, log_of
from hpo.search.engine.combine import combined, tested
from hpo.search.engine.confirm import FreshRuns, candidates, finalists, fresh_seeds
from hpo.search.engine.context import Context
from hpo.search.engine.costs import Costs
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.plugins import build
from hpo.search.engine.predictions import Predictions
from hpo.search.engine.rules import Rules
from hpo.search.report.text import short
from hpo.search.running.held_out import scores_on_test
from hpo.search.store import attributes
from hpo.search.store.names import CONFIRM
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import EverythingFailed, OutOfTime
from hpo.search.terms.recipe import canonical
from hpo.search.terms.study import Plugin
from hpo.search.terms.winner import Winner


def decide(context: Context, ledger: Ledger, costs: Costs) -> None:
    """Confirm the finalists, choose the winner, measure it on the test split, store the verdict."""
    study = context.study
    several = len(study.goals) > 1
    finals = finalists(ledger, study.confirm.top if study.confirm else len(ledger.entries) if several else 1)
    if not finals:
        return
    seeds = fresh_seeds(study)
    wanted = study.goals if study.confirm is not None and study.confirm.ensemble else ()
    kept = Predictions.beside(context.store, study.name + CONFIRM, wanted)
    fresh, seeds = _fresh_runs(context, finals, seeds, ledger, costs, kept) if seeds else ([], seeds)
    seeds = _shared(context, finals, seeds, fresh)
    found = candidates(finals, seeds, fresh, ledger)
    leader = ledger[found[0].trial]
    recipe = canonical({**leader.recipe, "seed": seeds[0]} if found[0].runs else leader.recipe)
    old = Winner.read(ledger.facts().get(attributes.WINNER))
    winner = Winner(recipe, tuple(found))
    if old is not None and old.recipe == recipe and old.measured:
        winner = replace(winner, test=old.test, picture=old.picture, measured=True)
    before = replace(winner, ensemble=old.ensemble if old is not None else None)
    winner = replace(winner, ensemble=combined(context, ledger, before, seeds, fresh, kept, costs))
    costs.keep()
    _store(ledger, old, winner)
    if context.objective.returns_model and context.executor.models is not False:
        for measure in (_tested, _tested_together):
            before = winner
            try:
                winner = measure(context, winner, costs)
            finally:
                costs.keep()
                ledger.session.commit()
            _store(ledger, before, winner)


def _store(ledger: Ledger, old: Winner | None, new: Winner) -> None:
    if old != new:
        ledger.note_study(attributes.WINNER, new.plain())
    ledger.session.commit()


def _fresh_runs(
    context: Context, finals: list[Entry], seeds: list[int], search: Ledger, costs: Costs, kept: Predictions
) -> tuple[Sequence[Entry], list[int]]:
    """The fresh runs, and the seeds to decide by."""
    study = context.study
    question = f"Fresh runs of the finalists of {study.name}"
    again = replace(study, name=study.name + CONFIRM, budget=Budget(), repeats=True, question=question)
    plan = FreshRuns(finals, seeds)
    horizon = horizon_of(context.objective, study.space)
    with context.store.session(again.name, again.directions) as session:
        context.watch.writes(session)
        ledger = Ledger(again, session, plan.recipe)
        left = costs.left()
        if left is not None:
            after = min(context.reserve(search, horizon).test(), max(0.0, left) / 2)
            ledger.study = replace(again, budget=Budget(minutes=(ledger.seconds + max(0.0, left - after)) / 60))
        plan.place(ledger)
        folders = Folders.of(study, context.objective, context.store, session)
        rules = Rules(
            policy=plan,
            pruner=build("pruner", Plugin("none"), PrunerContext()),
            make_sampler=_no_sampler,
            horizon=horizon,
            folders=folders,
            log=log_of(context.store, again.name),
            predictions=kept,
        )
        loop = Loop(ledger, context.executor, rules, context.progress, watch=context.watch)
        try:
            context.progress.opened(loop, "confirm")
            context.watch.drive(loop)
        except EverythingFailed as error:
            context.progress.say(f"no fresh run succeeded: {error}")
        finally:
            costs.fresh += loop.elapsed if loop.worked else 0.0
        folders.clear()
        if plan.seeds != seeds:
            context.progress.say(
                f"two seeds gave every finalist the same curve, so nothing depends on the seed: the other "
                f"{len(seeds) - len(plan.seeds)} are left out; confirm: none leaves out all of them"
            )
        return ledger.entries, plan.seeds


def _shared(context: Context, finals: Sequence[Entry], seeds: list[int], fresh: Sequence[Entry]) -> list[int]:
    """The seeds to decide by: all, or where the time was up before, those that every finalist was trained with."""
    ended = Counter((run.key, run.recipe["seed"]) for run in fresh if run.state in ("complete", "failed"))
    complete = {(run.key, run.recipe["seed"]) for run in fresh if run.state == "complete"}
    if context.study.budget.minutes is None or all(ended[entry.key, seed] for entry in finals for seed in seeds):
        return seeds
    shared = [seed for seed in seeds if all((entry.key, seed) in complete for entry in finals)]
    wanted = {(entry.key, seed) for entry in finals for seed in seeds}
    runs, all_runs = len(complete & wanted), len(wanted)
    given = "; ".join(filter(None, (_given(entry, seeds, fresh) for entry in finals)))
    by = f"the {len(shared)} of {len(seeds)} seeds that all finalists have" if shared else "the search alone"
    context.progress.say(
        f"time was up after {runs} of {all_runs} fresh runs{f' ({given})' if given else ''}: the winner is decided by "
        f"{by}; with more --minutes the same command goes on"
    )
    return shared


def _given(finalist: Entry, seeds: Sequence[int], fresh: Sequence[Entry]) -> str:
    """What a finalist's fresh runs gave until the time was up, in words; nothing without a point."""
    runs = [run for run in fresh if run.key == finalist.key and run.recipe["seed"] in seeds and run.values]
    told = [short(run.values[0]) + f" after {run.step} steps" * (run.state == "pruned") for run in runs]
    return f"trial {finalist.number}: {', '.join(told)}" if told else ""


def _no_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
    raise AssertionError("fresh runs have their recipes given")


def _tested(context: Context, winner: Winner, costs: Costs) -> Winner:
    """The winner with its scores on the test split, where they are to be had in time and were not before."""
    if winner.measured:
        return winner
    watch, left = context.watch, costs.left()
    began = time.monotonic()
    watch.deadline = None if left is None else began + left
    if not watch.out_of_time():
        context.progress.say("measuring the winner once on the test split")
    task, goals = context.study.task, context.study.goals
    try:
        found, failed = context.executor.call(scores_on_test, task, winner.recipe, goals)
    except OutOfTime:
        watch.check()
        context.progress.say("time was up before the winner was measured on the test split: raise --minutes for that")
        return winner
    finally:
        costs.test += time.monotonic() - began
    if failed is not None and failed.fatal is not None:
        raise failed.fatal(f"the winner could not be tested: {failed.reason}")  # the next run does it
    if failed is not None:  # the search stands without it
        context.progress.say(f"the winner could not be tested: {failed.reason}")
    if found is None:
        return replace(winner, measured=True)
    return replace(winner, test=found.scores, picture=canonical(found.picture), measured=True)


def _tested_together(context: Context, winner: Winner, costs: Costs) -> Winner:
    """The winner with what its combination with others scores on the test split, where one was taken."""
    ensemble = winner.ensemble
    if ensemble is None or not ensemble.taken or ensemble.test is not None:
        return winner
    return replace(winner, ensemble=tested(context, ensemble, costs))
