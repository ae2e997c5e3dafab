"""One study in memory, as an Optuna storage that keeps account of what changed.

Optuna's samplers, pruners, ``Study`` and ``Trial`` work on it unmodified and at memory speed; writing the changes
to disk is the session's business.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.packed import Trials
from hpo.search.terms.changed import Log


class Recorder(BaseStorage):
    """Optuna storage that holds exactly one study; its id is 0, and a trial's id is its number.

    Attribute values are kept as their JSON would read back, so a study goes on with the same values whether or not
    it was interrupted. A trial that was handed out is never modified: changes replace it.

    Attributes:
        log: which trials changed.
        trials: by number.
    """

    def __init__(self, snapshot: Snapshot, *, new: bool) -> None:
        self._name = snapshot.name
        self._directions = [StudyDirection[direction.upper()] for direction in snapshot.directions]
        self._user_attrs = dict(snapshot.user_attrs)
        self._system_attrs = dict(snapshot.system_attrs)
        self.log = Log()
        self._load(snapshot.trials)
        self._changes = Changes(whole=new)

    def _load(self, trials: Iterable[FrozenTrial]) -> None:
        self.trials = trials if isinstance(trials, Trials) else Trials(trials)
        self._distributions: dict[str, BaseDistribution] = self.trials.distributions()
        self._first_waiting = 0
        self._listed: int | None = None  # place in the log where all trials were last listed
        self.log.restart()

    # --- accounting -----------------------------------------------------------

    @property
    def changes(self) -> Changes:
        """What changed since the last ``clear``."""
        return self._changes

    def clear(self) -> None:
        """Forget the changes: somebody else has them now."""
        self._changes = Changes()

    def rebase(self, trials: Iterable[FrozenTrial]) -> None:
        """Replace all trials by others, numbered in the order given.

        Raises:
            ValueError: a finished trial's value is NaN.
        """
        replaced = [_numbered(trial, number) for number, trial in enumerate(trials)]
        changes = Changes(whole=True)
        changes.user_attrs = {key: json.dumps(value) for key, value in self._user_attrs.items()}
        changes.system_attrs = {key: json.dumps(value) for key, value in self._system_attrs.items()}
        changes.trials = {trial.number: _creation(trial) for trial in replaced}
        self._load(replaced)
        self._changes = changes

    # --- the study ------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> NoReturn:
        """Refuse: a session has one study."""
        raise NotImplementedError("a session holds exactly one study")

    def delete_study(self, study_id: int) -> NoReturn:
        """Refuse: a session has one study."""
        raise NotImplementedError("a session holds exactly one study")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a user attribute of the study."""
        self._check_study(study_id)
        text, value = _as_stored(value)
        self._user_attrs = {**self._user_attrs, key: value}
        self._changes.user_attrs[key] = text

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set an attribute of Optuna or its dashboard."""
        self._check_study(study_id)
        text, value = _as_stored(value)
        self._system_attrs = {**self._system_attrs, key: value}
        self._changes.system_attrs[key] = text

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return 0, or raise KeyError for another name."""
        if study_name != self._name:
            raise KeyError(f"this session holds the study {self._name!r}, not {study_name!r}")
        return 0

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the study's name."""
        self._check_study(study_id)
        return self._name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return one direction per goal."""
        self._check_study(study_id)
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the user attributes of the study."""
        self._check_study(study_id)
        return self._user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the attributes of Optuna and its dashboard."""
        self._check_study(study_id)
        return self._system_attrs

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return the one study."""
        attrs = copy.deepcopy((self._user_attrs, self._system_attrs))
        return [FrozenStudy(self._name, None, *attrs, 0, directions=list(self._directions))]

    # --- its trials -----------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial and return its number."""
        self._check_study(study_id)
        number = len(self.trials)
        if template_trial is None:
            trial = FrozenTrial(number, TrialState.RUNNING, None, datetime.now(), None, {}, {}, {}, {}, {}, number)
        else:
            trial = _numbered(copy.deepcopy(template_trial), number)
        changes = _creation(trial)
        self.trials.append(trial)
        self.log.add(number)
        self._distributions.update(trial.distributions)
        self._changes.trials[number] = changes
        return number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Set a parameter; ValueError when its distribution does not fit the study's earlier ones."""
        trial = self._updatable(trial_id)
        known = self._distributions.setdefault(param_name, distribution)
        if known is not distribution:
            check_distribution_compatibility(known, distribution)
            self._distributions[param_name] = distribution
        trial.params = {**trial.params, param_name: distribution.to_external_repr(param_value_internal)}
        trial.distributions = {**trial.distributions, param_name: distribution}
        self._replace(trial_id, trial)
        self._changes.trial(trial_id).params[param_name] = (float(param_value_internal), distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change the state; False when a trial that is to start runs already.

        Raises:
            ValueError: a value is NaN, which SQLite cannot tell from a missing one.
        """
        trial = self._updatable(trial_id)
        if state == TrialState.RUNNING and trial.state != TrialState.WAITING:
            return False
        change = TrialChanges(state=state)
        trial.state = state
        if values is not None:
            trial.values = change.values = _checked(values)
        if state == TrialState.RUNNING:
            trial.datetime_start = change.start = datetime.now()
        if state.is_finished():
            trial.datetime_complete = change.complete = datetime.now()
        self._replace(trial_id, trial)
        self._changes.trial(trial_id).merge(change)
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Set one point of the learning curve."""
        trial = self._updatable(trial_id)
        value = float(intermediate_value)
        trial.intermediate_values = {**trial.intermediate_values, step: value}
        self._replace(trial_id, trial)
        self._changes.trial(trial_id).points[int(step)] = value

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a trial."""
        trial = self._updatable(trial_id)
        text, value = _as_stored(value)
        trial.user_attrs = {**trial.user_attrs, key: value}
        self._replace(trial_id, trial)
        self._changes.trial(trial_id).user_attrs[key] = text

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial that samplers and pruners use."""
        trial = self._updatable(trial_id)
        text, value = _as_stored(value)
        trial.system_attrs = {**trial.system_attrs, key: value}
        self._replace(trial_id, trial)
        self._changes.trial(trial_id).system_attrs[key] = text

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial, not a copy; KeyError when there is none of this number."""
        if not 0 <= trial_id < len(self.trials):
            raise KeyError(f"the study {self._name!r} has no trial {trial_id}")
        return self.trials[trial_id]

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        """Return the number of trials, or of those in some states."""
        if state is None:
            self._check_study(study_id)
            return len(self.trials)
        return len(self.get_all_trials(study_id, False, (state,) if isinstance(state, TrialState) else state))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials in order of their numbers."""
        self._check_study(study_id)
        if states == (TrialState.WAITING,):
            trials = self._waiting()
        else:
            self._list()
            trials = self.trials.of(states)
        return copy.deepcopy(trials) if deepcopy else trials

    def _waiting(self) -> list[FrozenTrial]:
        """The waiting trials: ``Study.ask`` looks for them each time, and few trials ever wait."""
        end = len(self.trials)
        while self._first_waiting < end and self.trials.state(self._first_waiting) != TrialState.WAITING:
            self._first_waiting += 1
        numbers = range(self._first_waiting, end)
        return [self.trials[number] for number in numbers if self.trials.state(number) == TrialState.WAITING]

    def _list(self) -> None:
        """Where all trials are listed again and again, as Optuna's samplers do at every draw, keep all unpacked."""
        last, self._listed = self._listed, self.log.end
        if last is not None and 0 < self.log.end - last < len(self.trials):
            self.trials.unpack()

    def _replace(self, trial_id: int, trial: FrozenTrial) -> None:
        self.trials[trial_id] = trial
        self.log.add(trial_id)

    def _updatable(self, trial_id: int) -> FrozenTrial:
        trial = self.get_trial(trial_id)
        if trial.state.is_finished():
            self.check_trial_is_updatable(trial_id, trial.state)
        changed = FrozenTrial.__new__(FrozenTrial)
        changed.__dict__.update(trial.__dict__)
        return changed

    def _check_study(self, study_id: int) -> None:
        if study_id != 0:
            raise KeyError(f"this session holds one study, its id is 0, not {study_id}")


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    trial = copy.copy(trial)
    trial.number = trial._trial_id = number
    return trial


def _creation(trial: FrozenTrial) -> TrialChanges:
    return TrialChanges(
        created=True,
        state=trial.state,
        values=None if trial.values is None else _checked(trial.values),
        start=trial.datetime_start,
        complete=trial.datetime_complete,
        params={
            name: (float(trial.distributions[name].to_internal_repr(value)), trial.distributions[name])
            for name, value in trial.params.items()
        },
        points={int(step): float(value) for step, value in trial.intermediate_values.items()},
        user_attrs={key: json.dumps(value) for key, value in trial.user_attrs.items()},
        system_attrs={key: json.dumps(value) for key, value in trial.system_attrs.items()},
    )


def _as_stored(value: Any) -> tuple[str, Any]:
    """An attribute's value as JSON, and as that reads back."""
    text = json.dumps(value)
    return text, value if type(value) in _PLAIN else json.loads(text)


_PLAIN = (float, int, str, bool, type(None))
"""What JSON reads back as it was."""


def _checked(values: Sequence[float]) -> list[float]:
    checked = [float(value) for value in values]
    if any(math.isnan(value) for value in checked):
        raise ValueError("the value of a trial cannot be NaN; such a trial has failed")
    return checked


def trials_of(study: Study) -> Sequence[FrozenTrial]:
    """A study's trials by number, to be gone through once or twice; those of a session one by one."""
    storage = study._storage
    return storage.trials if isinstance(storage, Recorder) else study.get_trials(deepcopy=False)


def log_of(study: Study) -> Log | None:
    """What says which of a study's trials changed; None where nothing does, as in Optuna's own storages."""
    return study._storage.log if isinstance(study._storage, Recorder) else None
