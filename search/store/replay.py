"""The operations of an Optuna journal, read: which study and trial ids exist, and what one study holds.

Ids are not written in a journal: a study's or trial's id is the number of those created before it, in all studies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.changes import Snapshot
from hpo.search.store.distributions import from_json
from hpo.search.terms.errors import StoreError


class Op(IntEnum):
    """Codes of the operations."""

    CREATE_STUDY = 0
    DELETE_STUDY = 1
    STUDY_USER_ATTR = 2
    STUDY_SYSTEM_ATTR = 3
    CREATE_TRIAL = 4
    TRIAL_PARAM = 5
    TRIAL_STATE = 6
    TRIAL_POINT = 7
    TRIAL_USER_ATTR = 8
    TRIAL_SYSTEM_ATTR = 9


@dataclass
class StudyLog:
    """One study of the journal; ``ids`` are its trials' ids in the order of their numbers."""

    name: str
    directions: tuple[str, ...]
    user_attrs: dict[str, Any] = field(default_factory=dict)
    system_attrs: dict[str, Any] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)


class Replay:
    """The state a journal describes, by the rules of Optuna's own replay.

    Attributes:
        offset: bytes of the file that were replayed.
        studies: by id.
        next_study: id the next study will have.
        next_trial: id the next trial will have.
    """

    def __init__(self, display: str, keep: str | None = None) -> None:
        """Keep the content of the study of one name only."""
        self.offset = 0
        self.studies: dict[int, StudyLog] = {}
        self.next_study = 0
        self.next_trial = 0
        self._display = display
        self._keep = keep
        self._trials: dict[int, FrozenTrial] = {}
        self._studies_of: dict[int, StudyLog] = {}
        self._distributions: dict[str, BaseDistribution] = {}

    def feed(self, data: bytes) -> None:
        """Apply whole lines; StoreError names a damaged one."""
        lines = data.splitlines()
        try:
            ops = json.loads(b"[" + b",".join(lines) + b"]")
        except ValueError:
            raise self._damage(lines) from None
        self.apply(ops)
        self.offset += len(data)

    def find(self, name: str) -> int | None:
        """Id of a study."""
        return next((id for id, study in self.studies.items() if study.name == name), None)

    def snapshot(self) -> Snapshot | None:
        """Hand out the study whose content was kept, and keep it no longer."""
        found = None if self._keep is None else self.find(self._keep)
        if found is None:
            self._keep = None
            return None
        study = self.studies[found]
        trials = [self._trials[id] for id in study.ids]
        self._keep, self._trials, self._studies_of = None, {}, {}
        return Snapshot(study.name, study.directions, study.user_attrs, study.system_attrs, trials)

    def apply(self, ops: Iterable[dict[str, Any]]) -> None:
        """Apply decoded operations."""
        for op in ops:
            code = op["op_code"]
            if code >= Op.TRIAL_PARAM:
                trial = self._trials.get(op.get("trial_id", -1))
                if trial is not None and not trial.state.is_finished():
                    self._change(trial, code, op)
            elif code == Op.CREATE_TRIAL:
                self._create_trial(op)
            elif code == Op.CREATE_STUDY:
                if self.find(op["study_name"]) is None:
                    names = tuple(StudyDirection(direction).name.lower() for direction in op["directions"])
                    self.studies[self.next_study] = StudyLog(op["study_name"], names)
                    self.next_study += 1
            elif code == Op.DELETE_STUDY:
                self.studies.pop(op["study_id"], None)
            elif (study := self.studies.get(op["study_id"])) is not None:
                if code == Op.STUDY_USER_ATTR:
                    study.user_attrs.update(op["user_attr"])
                else:
                    study.system_attrs.update(op["system_attr"])

    def _create_trial(self, op: dict[str, Any]) -> None:
        study = self.studies.get(op["study_id"])
        if study is None:
            return
        if study.name == self._keep:
            number = len(study.ids)
            distributions = {name: self._distribution(text) for name, text in op.get("distributions", {}).items()}
            study.distributions = distributions | study.distributions
            self._studies_of[self.next_trial] = study
            self._trials[self.next_trial] = FrozenTrial(
                number=number,
                state=TrialState(op.get("state", TrialState.RUNNING)),
                value=op.get("value"),
                values=op.get("values"),
                datetime_start=_local(op["datetime_start"]),
                datetime_complete=_local(op.get("datetime_complete")),
                params={name: distributions[name].to_external_repr(p) for name, p in op.get("params", {}).items()},
                distributions=distributions,
                user_attrs=op.get("user_attrs", {}),
                system_attrs=op.get("system_attrs", {}),
                intermediate_values={int(step): value for step, value in op.get("intermediate_values", {}).items()},
                trial_id=number,
            )
        study.ids.append(self.next_trial)
        self.next_trial += 1

    def _change(self, trial: FrozenTrial, code: int, op: dict[str, Any]) -> None:
        if code == Op.TRIAL_POINT:
            trial.intermediate_values[op["step"]] = op["intermediate_value"]
        elif code == Op.TRIAL_PARAM:
            name, distribution = op["param_name"], self._distribution(op["distribution"])
            earlier = self._studies_of[op["trial_id"]].distributions.setdefault(name, distribution)
            try:
                check_distribution_compatibility(earlier, distribution)
            except ValueError:
                return  # as Optuna does: the process that wrote it got the error
            trial.params[name] = distribution.to_external_repr(op["param_value_internal"])
            trial.distributions[name] = distribution
        elif code == Op.TRIAL_STATE:
            state = TrialState(op["state"])
            if state == trial.state == TrialState.RUNNING:
                return
            trial.state = state
            if state == TrialState.RUNNING:
                trial.datetime_start = _local(op["datetime_start"])
            if state.is_finished():
                trial.datetime_complete = _local(op["datetime_complete"])
            if op["values"] is not None:
                trial.values = op["values"]
        elif code == Op.TRIAL_USER_ATTR:
            trial.user_attrs.update(op["user_attr"])
        elif code == Op.TRIAL_SYSTEM_ATTR:
            trial.system_attrs.update(op["system_attr"])

    def _distribution(self, text: str) -> BaseDistribution:
        if text not in self._distributions:
            self._distributions[text] = from_json(text)
        return self._distributions[text]

    def _damage(self, lines: list[bytes]) -> StoreError:
        for number, line in enumerate(lines, start=1):
            try:
                json.loads(line)
            except ValueError:
                where = f"line {number}" if self.offset == 0 else f"line {number} after byte {self.offset}"
                return StoreError(f"{self._display}: {where} is damaged; remove that line, or restore a copy")
        return StoreError(f"{self._display}: the journal is damaged; restore a copy")


def _local(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment).astimezone().replace(tzinfo=None)
