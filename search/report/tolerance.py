"""The recipe of a Pareto front that is best at the last goal, of those that give up little enough of the first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpo.search.report import text
from hpo.search.report.study import StudyReport
from hpo.search.terms.errors import UserError
from hpo.search.terms.study import Goal
from hpo.search.terms.winner import Candidate


@dataclass(frozen=True)
class Choice:
    """A recipe of the front.

    Attributes:
        candidate: the recipe.
        told: why it is this one.
    """

    candidate: Candidate
    told: str


def within(found: StudyReport, tolerance: float) -> Choice:
    """Choose the recipe that is best at the last goal among those whose first goal is, at the far end of the 95 %
    interval over its fresh runs, no further than this from the best mean.

    The recipe with the best mean counts in any case.

    Args:
        found: a study of several goals that has ended.
        tolerance: in units of the first goal's metric, 0 or more.

    Raises:
        UserError: there is no front, or nothing tells how sure its values are.
    """
    if not 0 <= tolerance < math.inf:
        raise UserError(f"--within is a distance in units of the first goal, 0 or more, got {tolerance:g}")
    if len(found.goals) < 2:
        raise UserError(f"--within chooses from the front of several goals, and {found.name} has one")
    if not found.winner:
        raise UserError(f"{found.name} has no front yet: its search has not ended")
    leaders = found.winner.candidates
    if any(leader.half is None for leader in leaders):
        raise UserError(
            "--within takes recipes that are good enough for sure, and without several fresh runs of each nobody "
            "knows: run the study again with confirm: {top: 6, seeds: 4}"
        )
    signs = [-1.0 if Goal.read(goal).maximize else 1.0 for goal in found.goals]
    best = min(leaders, key=lambda leader: signs[0] * leader.mean[0])

    def lost(leader: Candidate) -> float:
        return signs[0] * (leader.mean[0] - best.mean[0])

    def last(leader: Candidate) -> float:
        return signs[-1] * leader.mean[-1]

    fine = [leader for leader in leaders if leader is best or lost(leader) + (leader.halves()[0] or 0) <= tolerance]
    chosen = min(fine, key=lambda leader: (last(leader), lost(leader)))
    first, other = found.metrics[0], found.metrics[-1]
    told = (
        f"trial {chosen.trial}: {other} {text.short(chosen.mean[-1])} at {first} "
        f"{text.interval(chosen.mean[0], chosen.halves()[0])}; the best {first} of the front is "
        f"{text.interval(best.mean[0], best.halves()[0])} at {other} {text.short(best.mean[-1])}"
    )
    near = [leader for leader in leaders if lost(leader) <= tolerance and last(leader) < last(chosen)]
    if near:
        doubtful = min(near, key=last)
        told += (
            f"; trial {doubtful.trial}, {other} {text.short(doubtful.mean[-1])}, may be as good, but its {first} is "
            f"not known well enough: {text.interval(doubtful.mean[0], doubtful.halves()[0])}"
        )
    return Choice(chosen, told)
