"""What all pruners that look at curves have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

Curve: TypeAlias = Sequence[tuple[int, float]]
"""``(step, value)`` in order of step; smaller values are better, whatever the goal."""


@dataclass(frozen=True)
class Stop:
    """Why a trial is stopped: in words, and the numbers behind them."""

    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)


class Stopper(BasePruner, abc.ABC):
    """Prunes by the trial's curve and those of the others.

    Attributes:
        reason: why the last trial to be stopped was.
        evidence: the numbers behind the reason.
    """

    def __init__(self, horizon: int | None) -> None:
        self._horizon = horizon
        self.reason = ""
        self.evidence: Mapping[str, float] = {}

    @abc.abstractmethod
    def judge(self, study: Study, trial: FrozenTrial, curve: Curve) -> Stop | None:
        """Say why the trial is to be stopped after the last point of its curve, None to let it go on."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop the trial now; never where it has nothing left to train."""
        curve = curve_of(trial, study.direction)
        if not curve or (self._horizon is not None and curve[-1][0] >= self._horizon):
            return False
        stop = self.judge(study, trial, curve)
        if stop is not None:
            self.reason, self.evidence = stop.reason, stop.evidence
        return stop is not None


def curve_of(trial: FrozenTrial, direction: StudyDirection) -> Curve:
    """The trial's curve, turned so that smaller is better."""
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    return [(step, sign * value) for step, value in sorted(trial.intermediate_values.items())]


def due(curve: Curve, n_warmup_steps: int, interval_steps: int) -> bool:
    """Whether the last point is the first one at or after a check, of which there is one every so many steps.

    The first check is at the step that follows the warm-up.

    >>> [due([(s, 0.0) for s in range(1, n + 1)], 2, 3) for n in range(1, 8)]
    [False, False, True, False, False, True, False]
    """
    past = curve[-1][0] - 1 - n_warmup_steps
    if past < 0:
        return False
    check = past // interval_steps * interval_steps + n_warmup_steps + 1
    return len(curve) == 1 or curve[-2][0] < check


T = TypeVar("T")


class Watched(Generic[T]):
    """Something worked out from a study's ended trials, one by one as they end.

    Args:
        start: makes it for a study without any.
        add: adds an ended trial.
    """

    def __init__(self, start: Callable[[], T], add: Callable[[T, FrozenTrial, StudyDirection], None]) -> None:
        self._start, self._add = start, add
        self._study: Study | None = None
        self._found = start()
        self._seen = 0
        self._open: list[int] = []

    def look(self, study: Study) -> tuple[T, list[FrozenTrial]]:
        """What was worked out, up to date, and the trials that have not ended."""
        if study is not self._study:
            self._study, self._found, self._seen, self._open = study, self._start(), 0, []
        trials = study.get_trials(deepcopy=False)
        still = []
        for trial in self._news(trials):
            if trial.state.is_finished():
                self._add(self._found, trial, study.direction)
            else:
                still.append(trial)
        self._open, self._seen = [trial.number for trial in still], len(trials)
        return self._found, still

    def _news(self, trials: Sequence[FrozenTrial]) -> Iterator[FrozenTrial]:
        yield from (trials[number] for number in self._open)
        yield from trials[self._seen :]
