"""By how much the best value that a search saw flatters: who looks more often at noise sees lower.

The fresh runs of the trial that it belongs to tell it. Where there are none, the points on both sides of it tell the
part that is luck among the trial's own points, and the rest is not known.
"""

from __future__ import annotations

from hpo.search.report import text
from hpo.search.report.study import StudyReport
from hpo.search.terms.study import Goal
from hpo.search.terms.trial import Trial
from hpo.search.terms.value import Tally


def flattery(found: StudyReport) -> str:
    """One sentence; empty with several goals, before the search has ended, and where nothing was left to luck."""
    ranked = found.ranked()
    if found.winner is None or len(found.goals) > 1 or not ranked:
        return ""
    best, goal = ranked[0], Goal.read(found.goals[0])
    seen, whose = best.values[0], f"the best value of the search, {text.short(best.values[0])} of trial {best.number},"
    fresh = next((c for c in found.winner.candidates if c.trial == best.number and c.runs), None)
    if fresh is not None:
        if all(run[0] == seen for run in fresh.runs):
            return ""
        if fresh.mean[0] < seen if goal.maximize else fresh.mean[0] > seen:
            apart = _apart(seen, fresh.mean[0])
            return f"{whose} flatters by {apart}: its fresh runs come to {text.short(fresh.mean[0])}"
        return f"{whose} does not flatter: its fresh runs come to {text.short(fresh.mean[0])}"
    if any(candidate.runs for candidate in found.winner.candidates) or len(ranked) == 1:
        return ""
    beside = _beside(best, goal)
    luck = f" (the points beside it have {text.short(beside)})" if beside is not None and beside != seen else ""
    return f"{whose} may flatter, as the best of {len(ranked)} runs{luck}; fresh runs tell by how much: --confirm"


def _apart(seen: float, truth: float) -> str:
    """The distance of two values, as a share of the second where that says something."""
    share = abs(truth - seen) / abs(truth) if truth else 1.0
    distance = text.short(abs(truth - seen))
    return f"{distance} ({share:.0%})" if 0.005 <= share < 1.0 else distance


def _beside(trial: Trial, goal: Goal) -> float | None:
    """Mean of the points before and after the best one: what a steady curve would have there.

    None where the trial's value is not its best point, and where that stands at an end of the curve.
    """
    values = [value for _, value in trial.curve]
    at = values.index((max if goal.maximize else min)(values)) if values else 0
    if trial.aggregate != "best" or not 0 < at < len(values) - 1:
        return None
    return Tally.of((values[at - 1], values[at + 1]), maximize=goal.maximize).average
