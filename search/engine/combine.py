"""Combining the models of the fresh runs, where ``confirm: {ensemble: 8}`` asks for it and validation says it pays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hpo.search.contracts.predicted import PartName, Predicted
from hpo.search.engine.context import Context
from hpo.search.engine.costs import Costs
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.predictions import Predictions
from hpo.search.running.held_out import predictions_on
from hpo.search.terms import registry
from hpo.search.terms.ensemble import SINGLE, Ensemble, Member
from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Failed
from hpo.search.terms.recipe import canonical, derive_seed
from hpo.search.terms.winner import Winner


class _Run(NamedTuple):
    member: Member
    predicted: Predicted


def combined(
    context: Context, search: Ledger, winner: Winner, seeds: Sequence[int], fresh: Sequence[Entry], kept: Predictions,
    costs: Costs,
) -> Ensemble | None:  # fmt: skip
    """Choose how to combine the fresh runs' models by their predictions on the validation part.

    Args:
        context: of the run.
        search: the trials that the finalists come from.
        winner: whose candidates are combined, in their order.
        seeds: of the fresh runs that count.
        fresh: all fresh runs.
        kept: what they predict; a run of which nothing is kept is trained once more.
        costs: takes the time of that.

    Returns:
        None where nothing can be combined, which is told.
    """
    confirm, say = context.study.confirm, context.progress.say
    if confirm is None or not confirm.ensemble:
        return None
    pool = _pool(context, search, winner, seeds, fresh, kept, costs)
    if pool is None:
        return None
    if len(pool) < 2:
        say("nothing is combined: fewer than two fresh runs are complete")
        return None
    try:
        choice = registry.part("ensembles").choose(
            [run.predicted for run in pool],
            context.study.goal.metric,
            confirm.ensemble,
            derive_seed(context.study.seed, "combine"),
        )
    except ValueError as error:
        say(f"nothing is combined: {error}")
        return None
    taken = choice.combination.kind != SINGLE
    members = tuple(pool[place].member for place in choice.combination.members) if taken else ()
    plain = choice.combination.plain() if taken else {}
    found = Ensemble(choice.metric, choice.options, canonical(plain), members, choice.value)
    old = winner.ensemble
    if old is not None and (old.combination, old.members) == (found.combination, found.members):
        return replace(found, test=old.test)
    return found


def tested(context: Context, ensemble: Ensemble, costs: Costs) -> Ensemble:
    """The same with its scores on the test part, every member trained once more; where they are to be had in time."""
    values, targets = [], None
    context.progress.say(f"measuring the combination of {len(ensemble.members)} models once on the test split")
    for member in ensemble.members:
        found = _trained(context, member, "test", costs)
        if found is None:
            return ensemble
        if isinstance(found, Failed):
            context.progress.say(f"the combination could not be tested: {found.reason}")
            return replace(ensemble, test={})
        values.append(found.values)
        targets = found.targets
    ensembles = registry.part("ensembles")
    classes = values[0].shape[1] if values[0].ndim == 2 else 0
    made = ensembles.Combination.read(ensemble.combination, classes).of(values)
    return replace(ensemble, test=dict(ensembles.measured(targets, made)))


def _pool(
    context: Context, search: Ledger, winner: Winner, seeds: Sequence[int], fresh: Sequence[Entry], kept: Predictions,
    costs: Costs,
) -> list[_Run] | None:  # fmt: skip
    """Complete fresh runs of the finalists with what they predict; None where that is not to be had."""
    ended = {(run.key, run.recipe["seed"]) for run in fresh if run.state == "complete"}
    pool = []
    for candidate in winner.candidates:
        leader = search[candidate.trial]
        for seed in [seed for seed in seeds if (leader.key, seed) in ended]:
            recipe = {**leader.recipe, "seed": seed}
            member = Member(candidate.trial, canonical(recipe))
            predicted = kept.of(recipe)
            if predicted is None:
                found = _trained(context, member, "validation", costs)
                if found is None:
                    return None
                if isinstance(found, Failed):
                    context.progress.say(f"nothing is combined: {found.reason}")
                    return None
                kept.keep(recipe, predicted := found)
            pool.append(_Run(member, predicted))
    return pool


def _trained(context: Context, member: Member, part: PartName, costs: Costs) -> Predicted | Failed | None:
    """Predictions of a member that is trained for them; None where time is up before."""
    left, began = costs.left(), time.monotonic()
    context.watch.deadline = None if left is None else began + left
    task, goals = context.study.task, context.study.goals
    try:
        predicted, failed = context.executor.call(predictions_on, task, member.recipe, goals, part)
    except OutOfTime:
        context.watch.check()
        context.progress.say("time was up before the models were combined: raise --minutes for that")
        return None
    finally:
        spent = time.monotonic() - began
        costs.fresh, costs.test = (
            (costs.fresh, costs.test + spent) if part == "test" else (costs.fresh + spent, costs.test)
        )
    if failed is not None and failed.fatal is not None:
        raise failed.fatal(f"the models could not be combined: {failed.reason}")  # the next run does it
    if predicted is None:
        return failed or Failed(0, "the objective's models give no predictions that can be combined")
    return predicted
