"""A study's trials as arrays, brought up to date at every draw instead of read anew."""

from __future__ import annotations

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
from hpo.search.terms.domain import Choice, Domain
from hpo.search.terms.space import Space

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
    key = (study._study_id, repr(space))
    if key not in tables:
        tables[key] = Table(space, maximize=study.directions[0].name == "MAXIMIZE")
    tables[key].update(study.get_trials(deepcopy=False))
    return tables[key]


class Table:
    """One row per trial number, one column per knob; a pure function of the trials it was last given."""

    def __init__(self, space: Space, *, maximize: bool) -> None:
        self._domains = {parameter.name: parameter.domain for parameter in space}
        self._sign = -1.0 if maximize else 1.0
        self._rows = 0
        self._unfinished: list[int] = []
        self._states = np.empty(64, dtype=np.int8)
        self._values = np.empty(64)  # the goal, smaller is better
        self._steps = np.empty(64)  # the last one reported, -1 when there is none
        self._knobs = {name: np.empty(64) for name in self._domains}  # NaN where a trial lacks the knob

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Read the trials that are new or were unfinished at the last look."""
        self._reserve(len(trials))
        unfinished = []
        for row in [*self._unfinished, *range(self._rows, len(trials))]:
            trial = trials[row]
            self._read(row, trial)
            if not trial.state.is_finished():
                unfinished.append(row)
        self._unfinished = unfinished
        self._rows = len(trials)

    def ended(self) -> int:
        """Number of complete and pruned trials."""
        states = self._states[: self._rows]
        return int(np.count_nonzero((states == _COMPLETE) | (states == _PRUNED)))

    def ranked(self) -> Rows:
        """Rows of the ended trials, best first: complete ones by (first) goal, then pruned ones by step and value."""
        complete, pruned = self._of(_COMPLETE), self._of(_PRUNED)
        by_value = np.argsort(self._values[complete], kind="stable")
        by_step = np.lexsort((self._values[pruned], -self._steps[pruned]))
        return np.concatenate([complete[by_value], pruned[by_step]])

    def running(self, without: int) -> Rows:
        """Rows of the running trials but one."""
        running = self._of(_RUNNING)
        return np.asarray(running[running != without])

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
        self._states[row] = _STATES[trial.state]
        for name, domain in self._domains.items():
            self._knobs[name][row] = _internal(domain, trial.params, name)
        self._steps[row], value = max(trial.intermediate_values.items(), default=(-1, 0.0))
        if trial.values:  # what it is worth: of a pruned one the value so far, not its last point
            value = trial.values[0]
        self._values[row] = math.inf if math.isnan(value) else self._sign * value


def _internal(domain: Domain, params: Mapping[str, Any], name: str) -> float:
    if name not in params or (isinstance(domain, Choice) and not domain.contains(params[name])):
        return math.nan
    return to_internal(domain, params[name])
