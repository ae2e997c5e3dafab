"""A study's trials as arrays, brought up to date at every draw instead of read anew."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.distributions import to_internal
from hpo.search.store.recorder import log_of, trials_of
from hpo.search.terms.changed import Log, Reader
from hpo.search.terms.domain import Choice, Domain
from hpo.search.terms.space import Space

LEADING = 25
"""So many of the best trials are known without ranking all."""

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.int64]

_OPEN, _RUNNING, _COMPLETE, _PRUNED, _FAILED = range(5)
_STATES = {
    TrialState.WAITING: _OPEN,
    TrialState.RUNNING: _RUNNING,
    TrialState.COMPLETE: _COMPLETE,
    TrialState.PRUNED: _PRUNED,
    TrialState.FAIL: _FAILED,
}

_tables: WeakKeyDictionary[BaseStorage, dict[tuple[int, str], Table]] = WeakKeyDictionary()


def table_of(study: Study, space: Space) -> Table:
    """The study's trials under this space, up to date."""
    tables = _tables.setdefault(study._storage, {})
    key = (study._study_id, space.text)
    if key not in tables:
        tables[key] = Table(space, maximize=study.directions[0].name == "MAXIMIZE")
    tables[key].update(trials_of(study), log_of(study))
    return tables[key]


class Table:
    """One row per trial number, one column per knob; a pure function of the trials it was last given."""

    def __init__(self, space: Space, *, maximize: bool) -> None:
        self._domains = {parameter.name: parameter.domain for parameter in space}
        self._sign = -1.0 if maximize else 1.0
        self._reader: Reader[FrozenTrial] = Reader(lambda trial: trial.state.is_finished())
        self._states = np.empty(64, dtype=np.int8)
        self._values = np.empty(64)  # the goal of an ended trial, smaller is better
        self._steps = np.empty(64)  # the last one it reported, -1 when there is none
        self._knobs = {name: np.empty(64) for name in self._domains}  # NaN where a trial lacks the knob
        self._forget()

    def _forget(self) -> None:
        self._rows = self._ended = 0
        self._known: dict[int, int] = {}  # of the trials that have not ended, how many knobs were read
        self._leading: list[tuple[int, float, float, int]] = []

    def update(self, trials: Sequence[FrozenTrial], log: Log | None = None) -> None:
        """Read the trials that are new or have changed since the last look."""
        numbers, afresh = self._reader.news(trials, log)
        if afresh:
            self._forget()
        self._reserve(len(trials))
        for row in numbers:
            self._read(row, trials[row])
        self._rows = len(trials)

    def ended(self) -> int:
        """Number of complete and pruned trials."""
        return self._ended

    def complete(self) -> Rows:
        """Rows of the complete trials, in order of trial number."""
        return self._of(_COMPLETE)

    def leading(self, count: int) -> Rows:
        """The first rows of ``ranked``, 25 at most."""
        assert count <= LEADING
        return np.array([row for *_, row in self._leading[:count]], dtype=np.int64)

    def others(self, than: Rows, without: int) -> Rows:
        """Rows of the other ended and of the running trials, but for one, in order of trial number."""
        states = self._states[: self._rows]
        wanted = (states == _COMPLETE) | (states == _PRUNED) | (states == _RUNNING)
        wanted[than] = False
        if without < self._rows:
            wanted[without] = False
        return np.flatnonzero(wanted)

    def ranked(self) -> Rows:
        """Rows of the ended trials, best first: complete ones by (first) goal, then pruned ones by step and value."""
        complete, pruned = self._of(_COMPLETE), self._of(_PRUNED)
        by_value = np.argsort(self._values[complete], kind="stable")
        by_step = np.lexsort((self._values[pruned], -self._steps[pruned]))
        return np.concatenate([complete[by_value], pruned[by_step]])

    def having(self, names: Sequence[str], rows: Rows) -> Rows:
        """Those of the rows that have all of the knobs."""
        missing = np.isnan([self._knobs[name][rows] for name in names]).any(axis=0)
        return np.asarray(rows[~missing])

    def columns(self, names: Sequence[str], rows: Rows) -> dict[str, Floats]:
        """Values of some knobs in those of the rows that have all of them, in order of trial number."""
        rows = np.sort(self.having(names, rows))
        return {name: self._knobs[name][rows] for name in names}

    def _of(self, state: int) -> Rows:
        return np.flatnonzero(self._states[: self._rows] == state)

    def _reserve(self, rows: int) -> None:
        if rows > len(self._states):
            size = max(rows, 2 * len(self._states))
            self._states = np.resize(self._states, size)
            self._values = np.resize(self._values, size)
            self._steps = np.resize(self._steps, size)
            self._knobs = {name: np.resize(column, size) for name, column in self._knobs.items()}

    def _read(self, row: int, trial: FrozenTrial) -> None:
        self._states[row] = state = _STATES[trial.state]
        if self._known.get(row) != len(trial.params):
            for name, domain in self._domains.items():
                self._knobs[name][row] = _internal(domain, trial.params, name)
        if not trial.state.is_finished():
            self._known[row] = len(trial.params)
            return
        self._known.pop(row, None)
        step, value = max(trial.intermediate_values.items(), default=(-1, 0.0))
        if trial.values:  # what it is worth: of a pruned one the value so far, not its last point
            value = trial.values[0]
        value = math.inf if math.isnan(value) else self._sign * value
        self._steps[row], self._values[row] = step, value
        if state in (_COMPLETE, _PRUNED):
            self._ended += 1
            place = (0, value, 0.0, row) if state == _COMPLETE else (1, float(-step), value, row)
            if len(self._leading) < LEADING or place < self._leading[-1]:
                bisect.insort(self._leading, place)
                del self._leading[LEADING:]


def _internal(domain: Domain, params: Mapping[str, Any], name: str) -> float:
    if name not in params or (isinstance(domain, Choice) and not domain.contains(params[name])):
        return math.nan
    return to_internal(domain, params[name])
