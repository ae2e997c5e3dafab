"""One trial of a running study, as facts in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.search.terms.study import Goal
from hpo.search.terms.trial import Aggregate, Curve, State, Trial
from hpo.search.terms.value import Tally, aggregate_of, better, course


@dataclass
class Entry:
    """One trial.

    Attributes:
        trial_id: its id in the storage.
        recipe: every knob value; ``point`` the searched ones among them.
        key: digest of the recipe without its seed.
        curve: (step, value of the goal that curves are judged by), steps ascending.
        tallies: for each goal, its curve summed up.
        metrics: all metrics of the last point.
        course: (step, what the trial is judged by) of the same goal; empty where it is the curve.
        outlook: (step, where it was heading) of the same goal, at the steps at which its trainer said so.
        aggregate: what of that goal's curve counts.
        values: its value for each goal so far; there is none before the first point.
        seconds: what its points cost, as stored.
        unstored: what they cost beyond that, too little to be worth storing yet.
        missed: steps of which no point came, failed ones included; ``stored_missed`` as stored.
        retry_of: the failed trial of the same recipe that this one repeats.
        nodes: names of the machines that trained it, in turn, where they have names.
        attempts: how often it was taken up again after its worker died, without a new point since.
    """

    number: int
    trial_id: int
    recipe: dict[str, Any]
    point: dict[str, Any]
    key: str
    state: State = "running"
    curve: Curve = ()
    course: Curve = ()
    outlook: Curve = ()
    aggregate: Aggregate = "best"
    tallies: list[Tally] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    unstored: float = 0.0
    missed: int = 0
    stored_missed: int = 0
    reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    retry_of: int | None = None
    nodes: tuple[str, ...] = ()
    attempts: int = 0

    @property
    def step(self) -> int:
        """The last recorded step, 0 before the first."""
        return self.curve[-1][0] if self.curve else 0

    def view(self) -> Trial:
        """What everything else sees of it."""
        return Trial(
            self.number,
            self.point,
            self.curve,
            self.state,
            values=() if self.state == "failed" else self.values,
            seconds=self.seconds,
            seed=self.recipe.get("seed"),
            reason=self.reason,
            evidence=self.evidence,
            metrics=self.metrics,
            recipe=self.key,
            course=self.course,
            outlook=self.outlook,
            aggregate=self.aggregate,
        )

    def appraise(self, goals: Sequence[Goal], judged: int) -> None:
        """Bring its value so far up to date with its last point; its curve is that of goal number ``judged``."""
        several = len(goals) > 1
        each = [aggregate_of(goal, self.metrics, several=several) for goal in goals]
        self.values = tuple(tally.value(how) for tally, how in zip(self.tallies, each, strict=True))
        maximize, how = goals[judged].maximize, each[judged]
        if how == "last" and not self.outlook:
            self.course = ()
        elif how == self.aggregate == "mean" and len(self.course) == len(self.curve) - 1:
            self.course += ((self.step, self.values[judged]),)
        elif how == self.aggregate == "best" and len(self.course) == len(self.curve) - 1 > 0:
            now = course(self.curve[-1:], how, maximize=maximize, outlook=self.outlook[-1:])[-1][1]
            self.course += ((self.step, better(self.course[-1][1], now, maximize=maximize)),)
        else:
            self.course = course(self.curve, how, maximize=maximize, outlook=self.outlook)
        self.aggregate = how
