"""What passes between a running study and its store: snapshots read, changes written.

Changes are a difference, not a log: merging two is a dict update, so points and attributes that wait for the
next write cost nothing twice, and merging the same changes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True)
class Snapshot:
    """A study as it was in the store at one moment.

    Attributes:
        name: the study's name.
        directions: ``minimize`` or ``maximize``, one per goal.
        user_attrs: attributes set by users and by the suite.
        system_attrs: attributes set by Optuna and its dashboard.
        trials: in order of their numbers; ``_trial_id`` is the trial's number.
    """

    name: str
    directions: tuple[str, ...]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    trials: Sequence[FrozenTrial]


@dataclass(slots=True)
class TrialChanges:
    """What is new in one trial; attributes are JSON texts, parameters internal values with their distributions."""

    created: bool = False
    state: TrialState | None = None
    values: Sequence[float] | None = None
    start: datetime | None = None
    complete: datetime | None = None
    params: dict[str, tuple[float, BaseDistribution]] = field(default_factory=dict)
    points: dict[int, float] = field(default_factory=dict)
    user_attrs: dict[str, str] = field(default_factory=dict)
    system_attrs: dict[str, str] = field(default_factory=dict)

    def merge(self, later: TrialChanges) -> None:
        """Apply later changes of the same trial on top."""
        self.created |= later.created
        if later.state is not None:
            self.state = later.state
        if later.values is not None:
            self.values = later.values
        if later.start is not None:
            self.start = later.start
        if later.complete is not None:
            self.complete = later.complete
        self.params |= later.params
        self.points |= later.points
        self.user_attrs |= later.user_attrs
        self.system_attrs |= later.system_attrs


@dataclass(slots=True)
class Changes:
    """What is new in one study since it was last sealed.

    Attributes:
        whole: the changes are the complete study; whatever the store holds under its name is replaced.
        user_attrs: JSON texts by key.
        system_attrs: JSON texts by key.
        trials: changes by trial number.
    """

    whole: bool = False
    user_attrs: dict[str, str] = field(default_factory=dict)
    system_attrs: dict[str, str] = field(default_factory=dict)
    trials: dict[int, TrialChanges] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.whole or bool(self.user_attrs or self.system_attrs or self.trials)

    @property
    def urgent(self) -> bool:
        """Whether a trial was created or changed its state, or the study is new."""
        return self.whole or any(trial.created or trial.state is not None for trial in self.trials.values())

    def trial(self, number: int) -> TrialChanges:
        """Changes of one trial, made on first use."""
        if number not in self.trials:
            self.trials[number] = TrialChanges()
        return self.trials[number]

    def merge(self, later: Changes) -> None:
        """Apply later changes on top."""
        if later.whole:
            self.whole = True
            self.user_attrs, self.system_attrs, self.trials = {}, {}, {}
        self.user_attrs |= later.user_attrs
        self.system_attrs |= later.system_attrs
        for number, trial in later.trials.items():
            self.trial(number).merge(trial)
