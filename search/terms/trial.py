"""A trial as everything that decides sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hpo.search.terms.space import Scalar

State: TypeAlias = Literal["running", "paused", "complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class TrialView:
    """One trial as recorded so far.

    Attributes:
        number: its number in the study.
        values: the active searched knobs.
        curve: ``(step, value)`` in order of step, steps counted from 1, values as the goal states them.
        state: ``running`` is in a lane now, ``paused`` can be taken up again, the others have ended.
        seconds: what its points cost so far; 0 when unknown.
    """

    number: int
    values: Mapping[str, Scalar]
    curve: Sequence[tuple[int, float]]
    state: State
    seconds: float = 0.0
