"""The same study under several samplers and pruners, with equal budgets and seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpo.search.describe.horizon import horizon_of
from hpo.search.describe.objective import describe
from hpo.search.engine import run as engine
from hpo.search.engine.lanes import filled
from hpo.search.engine.watch import GRACE
from hpo.search.report import out
from hpo.search.report.study import StudyReport, report
from hpo.search.store import Store
from hpo.search.studyfile.budget import TRIALS
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import UserError
from hpo.search.terms.study import Plugin, Study
from hpo.search.terms.value import course


@dataclass(frozen=True)
class Variant:
    """One way to search, and what it found under each seed.

    Attributes:
        title: sampler and pruner as a study file spells them.
        curves: for each seed, the best value after each step of training (points in order of trials).
        seconds: mean wall time of a search.
        trials: mean number of trials started.
    """

    title: str
    curves: tuple[tuple[float, ...], ...]
    seconds: float
    trials: float

    def at(self, fraction: float) -> tuple[float, float]:
        """Mean best value after a fraction of the steps, and its standard error over the seeds."""
        values = [curve[min(len(curve) - 1, max(0, round(fraction * len(curve)) - 1))] for curve in self.curves]
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        return statistics.fmean(values), error

    def mean_curve(self, points: int = 40) -> list[float]:
        """Mean best value over the seeds at evenly spaced fractions of the steps."""
        return [self.at((i + 1) / points)[0] for i in range(points)]


def compare(
    study: Study,
    plugins: Sequence[tuple[Plugin | None, Plugin | None]],
    seeds: int,
    store: Store,
    *,
    earlier: Store | None = None,
    fresh: bool = False,
    grace: float = GRACE,
    say: Callable[[str], Any] = out.say,
) -> list[Variant]:
    """Run every (sampler, pruner) pair with every seed, best mean at the end first.

    All get the same number of training steps: the study's own, or what its trials would take without pruning. Runs are
    kept in ``store`` and taken up again like any study; those of ``warm_start`` are read from ``earlier``. Nothing is
    confirmed: the search itself is what is compared.

    Raises:
        UserError: trials have more points than the objective says, so that their number is no number of steps.
    """
    budget = Budget(steps=study.budget.steps or _steps(study), minutes=study.budget.minutes)
    fill = filled(replace(study, budget=budget), describe(study.objective, study.folder))
    if fill.limit is not None:
        say(f"lanes: {fill}")
    found = []
    for sampler, pruner in plugins:
        title = f"{sampler or study.sampler or 'default sampler'} + {pruner or study.pruner or 'default pruner'}"
        reports = []
        for seed in range(study.seed, study.seed + seeds):
            say(f"{title}, seed {seed}")
            one = replace(
                study,
                name=f"{study.name} [{title}, seed {seed}]".replace("/", "-"),
                sampler=sampler or study.sampler,
                pruner=pruner or study.pruner,
                seed=seed,
                confirm=None,
                budget=budget,
            )
            engine.run(one, store=store, earlier=earlier, fresh=fresh, grace=grace)
            reports.append(report(store, one.name))
            if study.budget.steps is None:
                _check_length(study, reports[-1])
        curves = tuple(best_so_far(one) for one in reports)
        seconds = statistics.fmean(one.seconds for one in reports)
        trials = statistics.fmean(len(one.trials) for one in reports)
        found.append(Variant(title, curves, seconds, trials))
    sign = -1.0 if study.goal.maximize else 1.0
    return sorted(found, key=lambda variant: sign * variant.at(1.0)[0])


def best_so_far(found: StudyReport) -> tuple[float, ...]:
    """The best value of the first goal after each step, points taken in order of trials."""
    maximize = found.goals[0].startswith("maximize")
    best: float | None = None
    curve = []
    for trial in found.trials:
        for step, value in course(trial.curve, trial.aggregate, maximize=maximize):
            partial = trial.aggregate == "mean" and (step < trial.curve[-1][0] or trial.state != "complete")
            if partial:  # a mean of fewer folds is no value to compare
                curve += [best] if best is not None else []
                continue
            if best is None or (value > best if maximize else value < best):
                best = value
            curve.append(best)
    return tuple(curve)


def _steps(study: Study) -> int:
    return (study.budget.trials or TRIALS) * _horizon(study)


def _horizon(study: Study) -> int:
    """Points of a complete trial; one where the objective does not say, as of one that returns a number."""
    return _said(study) or 1


def _said(study: Study) -> int | None:
    return horizon_of(describe(study.objective, study.folder), study.space)(study.fixed)


def _check_length(study: Study, found: StudyReport) -> None:
    """Refuse to go on where what was taken for a trial's only point was the first of many."""
    longest = max((len(trial.curve) for trial in found.trials), default=0)
    if longest > 1 and _said(study) is None:
        trials = study.budget.trials or TRIALS
        raise UserError(
            f"how many points a trial of {describe(study.objective, study.folder).label} has is not known, for it has "
            f"no knob epochs; one had {longest} at least. Say how many steps each search may take: "
            f"{trials} trials of {longest} points are --steps {trials * longest}"
        )
