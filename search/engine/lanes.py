"""How many trials a search has in training at a time: a cohort is filled as far as that costs no decisions.

Trials that train beside one another learn nothing from each other. Where a budget pays for few, sixteen at a time are
all of it before anything is known. So they are fewer, unless the study names ``lanes``: as many as leave
``GENERATIONS`` one after the other. The number follows from the study file alone, never from the machine or the clock,
and a stored study keeps the one that it began with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpo.search.describe.horizon import horizon_of
from hpo.search.describe.lanes import lanes_of
from hpo.search.describe.objective import Objective
from hpo.search.engine.plugins import executor_of, pruner_of, sampler_and_policy, with_workers
from hpo.search.studyfile.plugins import disclaims, options_of
from hpo.search.terms.budget import Budget
from hpo.search.terms.study import Study

AUTO = "auto"
"""What an executor's option ``lanes`` is where their number is left to the suite."""

GENERATIONS = 4
"""Complete trials that a budget pays for, for each that is in training at a time."""


@dataclass(frozen=True)
class Filled:
    """How many lanes a search fills.

    Attributes:
        limit: trials in training at a time, from 1 on; None for as many as the executor has lanes.
        lanes: that the executor has, which fresh runs fill; None where it says so by itself.
        why: in words; empty where there was nothing to decide.
    """

    limit: int | None = None
    lanes: int | None = None
    why: str = ""

    def __str__(self) -> str:
        """For a line of text; empty where there is nothing to say."""
        if self.lanes is None:
            return ""
        count = self.lanes if self.limit is None else self.limit
        return f"{count} of {self.lanes}: {self.why}"


def complete_trials(budget: Budget, points: int | None) -> int | None:
    """How many trials a budget pays for where none is stopped; None where that cannot be known beforehand.

    Args:
        budget: of the study; minutes and a target say nothing of trials.
        points: of a complete trial, None when unknown.

    >>> complete_trials(Budget(trials=60, steps=320), 20), complete_trials(Budget(minutes=5.0), 20)
    (16, None)
    """
    paid = [] if budget.trials is None else [budget.trials]
    if budget.steps is not None and points:
        paid.append(max(1, budget.steps // points))
    return min(paid, default=None)


def abreast(trials: int | None, most: int, least: int = 1) -> int:
    """Trials in training at a time, of so many complete ones.

    Args:
        trials: that the budget pays for, None when unknown.
        most: lanes of the executor.
        least: its workers, each of which is given something to do.

    >>> [abreast(trials, 16) for trials in (1, 16, 60, 1000, None)]
    [1, 4, 15, 16, 16]
    """
    return most if trials is None else min(most, max(least, trials // GENERATIONS))


def filled(study: Study, objective: Objective, stored: int | None = None, *, begun: bool = False) -> Filled:
    """How many lanes the study's search fills.

    Args:
        study: what is run.
        objective: of it.
        stored: the limit under which its first trials were trained.
        begun: there are such trials, so that the limit is theirs.
    """
    plugin = executor_of(study, trained_by_suite=objective.trained_by_suite)
    lanes = options_of("executor", plugin.name).knobs.get("lanes")
    if not objective.trained_by_suite or lanes is None or lanes.default != AUTO:
        return Filled()
    workers = with_workers(plugin, study.workers).get("workers", 1)
    named = plugin.options.get("lanes", AUTO)
    if named != AUTO:
        return Filled(None, named * workers, "the study names them")
    most = lanes_of(objective) * workers
    if begun:
        limit = None if stored is None or stored >= most else max(workers, stored)
        return Filled(limit, most, "the stored study began so")
    if not _learns(study):
        return Filled(None, most, "no trial learns from another here")
    points = horizon_of(objective, study.space)(study.fixed)
    trials = complete_trials(study.budget, points)
    count = abreast(trials, most, workers)
    return Filled(None if count == most else count, most, _why(study.budget, trials, count, most))


def _learns(study: Study) -> bool:
    """Whether anything that the study decides depends on what trials came to."""
    sampler, policy = sampler_and_policy(study)
    blind = "better than random" in disclaims("sampler", sampler.name)
    return policy.name != "straight" or not blind or "ever prunes" not in disclaims("pruner", pruner_of(study).name)


def _why(budget: Budget, trials: int | None, count: int, most: int) -> str:
    """What decided."""
    if most == 1:
        return "beside others a trial would gain nothing"
    if trials is None:
        return "how many trials the budget pays for is not known beforehand"
    paid = f"{trials} complete trial{'s' if trials > 1 else ''}"
    told = f"the budget pays for {paid}" if trials == budget.trials else f"{budget.steps} steps are {paid}"
    if count in (most, trials):
        return told
    how = "one after the other" if count == 1 else f"in {math.ceil(trials / count)} turns"
    return f"{told}, {how}, so that later ones learn from earlier ones"
