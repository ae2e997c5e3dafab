"""A trial as everything sees it that decides, tells or draws: read-only, whether the study runs or was read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Aggregate: TypeAlias = Literal["best", "last", "mean"]

State: TypeAlias = Literal["running", "paused", "complete", "pruned", "failed"]

STATES: tuple[State, ...] = ("running", "paused", "complete", "pruned", "failed")

Curve: TypeAlias = "tuple[tuple[int, float], ...]"
"""``(step, value)`` in order of step, steps counted from 1, values as the goal states them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial as recorded so far.

    Attributes:
        number: its number in the study.
        point: the active searched knobs.
        curve: the goal's value at each step; with several goals that of the one curves are judged by.
        course: what the trial is judged by after each step, its value so far or where it is heading, whichever is
            better; empty where it is the curve itself.
        outlook: where its trainer believed it was heading, at the steps at which it said so, in the curve's terms.
        aggregate: what of the curve counts as its value; ``mean`` where points are folds.
        state: ``running`` is in a lane now, ``paused`` can be taken up again, the others have ended.
        values: its value for each goal so far; empty before its first point, and where it failed.
        seconds: what its points cost so far; 0 when unknown.
        seed: of its training; None when unknown.
        reason: why it was pruned or failed, ``evidence`` the numbers behind it.
        traceback: of what its objective raised.
        metrics: all metrics of its last point.
        recipe: digest of its recipe without the seed; empty when unknown.
        nodes: names of the machines, or GPUs, that trained it, in turn; empty where they have none.
        statistics: of training, by name, as curves; empty where they were not recorded.
    """

    number: int
    point: Mapping[str, Any]
    curve: Curve
    state: State
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    seed: int | None = None
    reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    traceback: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    course: Curve = ()
    outlook: Curve = ()
    aggregate: Aggregate = "best"
    nodes: tuple[str, ...] = ()
    statistics: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ("complete", "pruned", "failed")
