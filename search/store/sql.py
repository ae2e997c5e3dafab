"""Studies in Optuna's relational tables, for SQLite and PostgreSQL alike.

Plain DB-API with few, large statements: through Optuna's own object mapping a trial costs a hundred statements and
twenty transactions, and importing it costs more than reading a thousand trials. The tables themselves are made by
Optuna (see ``make_tables`` of the two kinds). SQL is written with ``?``; the connection translates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.backend import Sink
from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.distributions import from_json
from hpo.search.terms.errors import StoreError

Row = Sequence[Any]

SCHEMA = "v3.2.0.a"
"""Revision of Optuna's tables (its schema version 12) that is read and written here."""


class Connection(Protocol):
    """What the two kinds of database must offer."""

    def query(self, sql: str, row: Row = ()) -> list[Any]:
        """Run one statement and return its rows."""

    def insert(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one statement for each row."""

    def new_ids(self, table: str, column: str, count: int) -> list[int]:
        """Reserve ids, greater than any in the table; inside a transaction that writes."""

    def transaction(self, *, write: bool) -> AbstractContextManager[None]:
        """Make everything inside one unit: a consistent view, committed at the end, rolled back on any error."""

    def close(self) -> None:
        """Release the connection and the right to write."""


# --- reading ------------------------------------------------------------------


def study_names(connection: Connection) -> list[str]:
    """Names of all studies in the order of their creation."""
    return [name for (name,) in connection.query("SELECT study_name FROM studies ORDER BY study_id")]


def find_study(connection: Connection, name: str) -> int | None:
    """Id of a study."""
    rows = connection.query("SELECT study_id FROM studies WHERE study_name = ?", (name,))
    return int(rows[0][0]) if rows else None


def read_study(connection: Connection, name: str) -> tuple[Snapshot, int, list[int]] | None:
    """Read a study: the snapshot, the study's id and its trials' ids in the order of the trials."""
    with connection.transaction(write=False):
        study = find_study(connection, name)
        if study is None:
            return None
        directions = connection.query(
            "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (study,)
        )
        user_attrs, system_attrs = (
            {
                key: json.loads(text)
                for key, text in connection.query(
                    f"SELECT key, value_json FROM study_{kind}_attributes WHERE study_id = ?"
                    f" ORDER BY study_{kind}_attribute_id",
                    (study,),
                )
            }
            for kind in ("user", "system")
        )
        trials = _read_trials(connection, study)
    ids = [trial._trial_id for trial in trials]
    for trial in trials:
        trial._trial_id = trial.number
    names = tuple(direction.lower() for (direction,) in directions)
    return Snapshot(name, names, user_attrs, system_attrs, trials), study, ids


def _read_trials(connection: Connection, study: int) -> list[FrozenTrial]:
    trials = {
        trial_id: FrozenTrial(
            number, TrialState[state], None, _local(start), _local(complete), {}, {}, {}, {}, {}, trial_id
        )
        for trial_id, number, state, start, complete in connection.query(
            "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE study_id = ?"
            " ORDER BY number, trial_id",
            (study,),
        )
    }

    def rows(columns: str, table: str, order: str) -> list[Any]:
        return connection.query(
            f"SELECT c.trial_id, {columns} FROM trials t JOIN {table} c ON c.trial_id = t.trial_id"
            f" WHERE t.study_id = ? ORDER BY {order}",
            (study,),
        )

    distributions: dict[str, BaseDistribution] = {}
    for trial_id, name, value, text in rows(
        "c.param_name, c.param_value, c.distribution_json", "trial_params", "c.param_id"
    ):
        distribution = distributions.get(text)
        if distribution is None:
            distribution = distributions[text] = from_json(text)
        trials[trial_id].params[name] = distribution.to_external_repr(value)
        trials[trial_id].distributions[name] = distribution
    for trial_id, step, value, kind in rows(
        "c.step, c.intermediate_value, c.intermediate_value_type", "trial_intermediate_values", "c.trial_id, c.step"
    ):
        trials[trial_id].intermediate_values[step] = value if kind == "FINITE" and value is not None else _FLOATS[kind]
    values: dict[int, list[float]] = {}
    for trial_id, value, kind in rows("c.value, c.value_type", "trial_values", "c.trial_id, c.objective"):
        values.setdefault(trial_id, []).append(value if kind == "FINITE" and value is not None else _FLOATS[kind])
    for trial_id, listed in values.items():
        trials[trial_id].values = listed
    for kind in ("user", "system"):
        for trial_id, key, text in rows(
            "c.key, c.value_json", f"trial_{kind}_attributes", f"c.trial_{kind}_attribute_id"
        ):
            attrs = trials[trial_id].user_attrs if kind == "user" else trials[trial_id].system_attrs
            attrs[key] = json.loads(text)
    return list(trials.values())


_FLOATS = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan, "FINITE": math.nan}


def _stored(value: float) -> tuple[float | None, str]:
    if math.isfinite(value):
        return value, "FINITE"
    return None, "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"


def _local(moment: str | datetime | None) -> datetime | None:
    """Optuna stores naive UTC and shows naive local time."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _state(trial: TrialChanges) -> tuple[str | None, str | None, str | None]:
    return None if trial.state is None else trial.state.name, _utc(trial.start), _utc(trial.complete)


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


# --- writing ------------------------------------------------------------------


def delete_study(connection: Connection, study: int) -> None:
    """Delete a study and everything that belongs to it; inside a transaction."""
    for table in ("values", "intermediate_values", "params", "user_attributes", "system_attributes", "heartbeats"):
        connection.query(
            f"DELETE FROM trial_{table} WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)", (study,)
        )
    for table in ("trials", "study_directions", "study_user_attributes", "study_system_attributes", "studies"):
        connection.query(f"DELETE FROM {table} WHERE study_id = ?", (study,))


class SqlSink(Sink):
    """One study in Optuna's tables; ``sync`` and ``close`` come from the kind of database."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        directions: Sequence[str],
        display: str,
        *,
        sync: Callable[[], None],
        close: Callable[[], None],
    ) -> None:
        found = read_study(connection, name)
        self.snapshot = None if found is None else found[0]
        self._study = None if found is None else found[1]
        self._ids = [] if found is None else found[2]
        self._last = max(self._ids, default=None)  # where plain Optuna ran several workers, not that of the last trial
        self._connection = connection
        self._name = name
        self._directions = directions if self.snapshot is None else self.snapshot.directions
        self._display = display
        self._sync = sync
        self._close = close

    def write(self, changes: Changes) -> None:
        """Write all changes in one transaction."""
        with self._connection.transaction(write=True):
            self._check_unchanged()
            study, ids = self._study, self._ids
            if study is None or changes.whole:
                study, ids = self._replace(study), []
            created = sorted(number for number, trial in changes.trials.items() if trial.created)
            new = dict(zip(created, self._connection.new_ids("trials", "trial_id", len(created)), strict=True))
            trials = {new.get(number) or ids[number]: trial for number, trial in sorted(changes.trials.items())}
            self._connection.insert(
                "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(id, number, study, *_state(trials[id])) for number, id in new.items()],
            )
            self._connection.insert(
                "UPDATE trials SET state = ?, datetime_start = coalesce(?, datetime_start),"
                " datetime_complete = coalesce(?, datetime_complete) WHERE trial_id = ?",
                [(*_state(t), id) for id, t in trials.items() if t.state is not None and not t.created],
            )
            self._write_content(trials)
            for kind, attrs in (("user", changes.user_attrs), ("system", changes.system_attrs)):
                rows = ((study, key, text) for key, text in attrs.items())
                self._upsert(f"study_{kind}_attributes", ("study_id", "key"), ("value_json",), rows)
        ids.extend(new.values())
        self._study, self._ids = study, ids
        self._last = max(new.values(), default=None if changes.whole else self._last)

    def sync(self) -> None:
        """Bring everything written to the disk."""
        self._sync()

    def close(self) -> None:
        """Release the connection and the study."""
        self._close()

    def _check_unchanged(self) -> None:
        """Notice another program's trials in the study: to go on would number two trials alike."""
        found = find_study(self._connection, self._name)
        if found != self._study:
            raise StoreError(f"{self._display}: study {self._name!r} was deleted or replaced while it was running")
        if found is not None:
            [(last,)] = self._connection.query("SELECT max(trial_id) FROM trials WHERE study_id = ?", (found,))
            if last != self._last:
                raise StoreError(
                    f"{self._display}: another program added trials to study {self._name!r} while it was running;"
                    " run it again to go on with them"
                )

    def _replace(self, study: int | None) -> int:
        # The new ids are taken first: an id must not be used again, others may remember what it meant.
        [new] = self._connection.new_ids("studies", "study_id", 1)
        if study is not None:
            delete_study(self._connection, study)
        self._connection.query("INSERT INTO studies (study_id, study_name) VALUES (?, ?)", (new, self._name))
        self._connection.insert(
            "INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, ?)",
            [(direction.upper(), new, objective) for objective, direction in enumerate(self._directions)],
        )
        return new

    def _write_content(self, trials: dict[int, TrialChanges]) -> None:
        self._upsert(
            "trial_params",
            ("trial_id", "param_name"),
            ("param_value", "distribution_json"),
            (
                (id, name, value, distribution_to_json(distribution))
                for id, trial in trials.items()
                for name, (value, distribution) in trial.params.items()
            ),
        )
        self._upsert(
            "trial_intermediate_values",
            ("trial_id", "step"),
            ("intermediate_value", "intermediate_value_type"),
            ((id, step, *_stored(value)) for id, trial in trials.items() for step, value in trial.points.items()),
        )
        self._upsert(
            "trial_values",
            ("trial_id", "objective"),
            ("value", "value_type"),
            ((id, i, *_stored(value)) for id, trial in trials.items() for i, value in enumerate(trial.values or ())),
        )
        for kind in ("user", "system"):
            self._upsert(
                f"trial_{kind}_attributes",
                ("trial_id", "key"),
                ("value_json",),
                (
                    (id, key, text)
                    for id, trial in trials.items()
                    for key, text in (trial.user_attrs if kind == "user" else trial.system_attrs).items()
                ),
            )

    def _upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Iterable[Row]) -> None:
        names = ", ".join((*keys, *columns))
        marks = ", ".join("?" * (len(keys) + len(columns)))
        updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
        self._connection.insert(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}",
            list(rows),
        )
