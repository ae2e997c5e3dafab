"""Studies in Optuna's relational tables, for SQLite and PostgreSQL alike.

Plain DB-API with few, large statements: through Optuna's own object mapping a trial costs a hundred statements and
twenty transactions, and importing it costs more than reading a thousand trials. The tables themselves are made by
Optuna (see ``make_tables`` of the two kinds). SQL is written with ``?``; the connection translates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.changes import Snapshot
from hpo.search.store.distributions import from_json

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
        return load_study(connection, name)


def load_study(connection: Connection, name: str) -> tuple[Snapshot, int, list[int]] | None:
    """Read a study; inside a transaction."""
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


def _local(moment: str | datetime | None) -> datetime | None:
    """Optuna stores naive UTC and shows naive local time."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
