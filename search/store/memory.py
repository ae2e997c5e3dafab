"""Studies that live as long as their Store object: for tests, notebooks and comparisons."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.backend import Backend, Sink
from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.whole import changes_of, check_absent, check_same
from hpo.search.terms.errors import Busy

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class Memory(Backend):
    """All studies of one Store object, each as the sum of its changes."""

    def __init__(self) -> None:
        self._studies: dict[str, tuple[tuple[str, ...], Changes]] = {}
        self._open: set[str] = set()

    def names(self) -> list[str]:
        """Names in order of creation."""
        return list(self._studies)

    def read(self, name: str) -> Snapshot | None:
        """Build the study anew from its changes."""
        if name not in self._studies:
            return None
        directions, changes = self._studies[name]
        user = {key: json.loads(text) for key, text in changes.user_attrs.items()}
        system = {key: json.loads(text) for key, text in changes.system_attrs.items()}
        trials = [_trial(number, changes.trials[number]) for number in sorted(changes.trials)]
        return Snapshot(name, directions, user, system, trials)

    def open(self, name: str, directions: tuple[str, ...]) -> Sink:
        """Become the only writer of a study."""
        if name in self._open:
            raise Busy(f"study {name!r} is open already")
        self._open.add(name)
        return _MemorySink(self, name, directions)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep the study from being opened."""
        sink = self.open(name, ())
        try:
            yield
        finally:
            sink.close()

    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Keep the changes that make them."""
        for study in studies:
            check_absent(study.name, self._studies.get(study.name), "memory")
        before()
        self._studies |= {study.name: (study.directions, changes_of(study)) for study in studies}
        for study in studies:
            check_same(study, self.read(study.name), "memory")

    def running(self, name: str) -> str | None:
        """Say that this process runs it, if it does."""
        return "this process" if name in self._open else None

    def delete(self, name: str) -> None:
        """Forget a study."""
        if name in self._open:
            raise Busy(f"study {name!r} is open")
        del self._studies[name]

    def storage(self) -> BaseStorage:
        """Copy everything into an Optuna storage in memory."""
        place = optuna.storages.InMemoryStorage()
        for name in self.names():
            found = self.read(name)
            assert found is not None
            ways = [optuna.study.StudyDirection[direction.upper()] for direction in found.directions]
            study = optuna.create_study(storage=place, study_name=name, directions=ways)
            for key, value in found.user_attrs.items():
                study.set_user_attr(key, value)
            for key, value in found.system_attrs.items():
                place.set_study_system_attr(study._study_id, key, value)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                study.add_trials(found.trials)
        return place


class _MemorySink(Sink):
    def __init__(self, home: Memory, name: str, directions: tuple[str, ...]) -> None:
        self._home, self._name, self._directions = home, name, directions
        self.snapshot = home.read(name)

    def write(self, changes: Changes) -> None:
        """Add the changes."""
        self._home._studies.setdefault(self._name, (self._directions, Changes()))[1].merge(changes)

    def sync(self) -> None:
        """Nothing: there is no disk."""

    def close(self) -> None:
        """Let others open the study."""
        self._home._open.discard(self._name)


def _trial(number: int, changes: TrialChanges) -> FrozenTrial:
    values = None if changes.values is None else list(changes.values)
    params = {name: distribution.to_external_repr(value) for name, (value, distribution) in changes.params.items()}
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=changes.state or TrialState.RUNNING,
        value=None,
        values=values,
        datetime_start=changes.start,
        datetime_complete=changes.complete,
        params=params,
        distributions={name: distribution for name, (_, distribution) in changes.params.items()},
        user_attrs={key: json.loads(text) for key, text in changes.user_attrs.items()},
        system_attrs={key: json.loads(text) for key, text in changes.system_attrs.items()},
        intermediate_values=dict(changes.points),
    )
