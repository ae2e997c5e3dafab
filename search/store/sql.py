"""Studies in Optuna's relational tables, for SQLite and PostgreSQL alike.

Plain DB-API with few, large statements: through Optuna's own object mapping a trial costs a hundred statements and
twenty transactions, and importing it costs more than reading a thousand trials. The tables are Optuna's
(see ``make_tables`` of the two kinds). SQL is written with ``?``; the connection translates.
"""

from __future__ import annotations

import gc
import json
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo.search.store.changes import Snapshot
from hpo.search.store.distributions import from_json
from hpo.search.store.packed import WHOLE, Trials

Row = Sequence[Any]

_PART = 2_000
"""Trials that are read at a time."""


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


def read_study(connection: Connection, name: str) -> tuple[Snapshot, int, array[int]] | None:
    """Read a study: the snapshot, the study's id and its trials' ids in the order of the trials."""
    with connection.transaction(write=False):
        return load_study(connection, name)


def load_study(connection: Connection, name: str) -> tuple[Snapshot, int, array[int]] | None:
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
    trials, ids = _read_trials(connection, study)
    names = tuple(direction.lower() for (direction,) in directions)
    return Snapshot(name, names, user_attrs, system_attrs, trials), study, ids


def _read_trials(connection: Connection, study: int) -> tuple[Trials, array[int]]:
    """The trials by number, and their ids; read in parts, so that a long study needs no more room than it will have."""
    heads = connection.query(
        "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE study_id = ?"
        " ORDER BY number, trial_id",
        (study,),
    )
    ids = array("q", [head[0] for head in heads])
    ascending = all(one < other for one, other in pairwise(ids))  # several workers of plain Optuna may have numbered so
    size = _PART if ascending else max(len(heads), 1)
    trials = Trials()
    distributions: dict[str, BaseDistribution] = {}
    old = sum(head[2] in _ENDED for head in heads) - WHOLE
    with _nothing_collected():
        for start in range(0, len(heads), size):
            for trial in _read_part(connection, heads[start : start + size], distributions):
                ended = trial.state.is_finished()
                trials.append(trial, old=ended and old > 0)  # packed while it is in the processor's cache
                old -= ended
    return trials, ids


_ENDED = {state.name for state in TrialState if state.is_finished()}


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """No search for cycles in what is made by the hundred thousand and has none: it takes a quarter of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read_part(
    connection: Connection, heads: Sequence[Row], distributions: dict[str, BaseDistribution]
) -> Iterator[FrozenTrial]:
    """Some trials, given their rows in ``trials``; ``distributions`` are those known, by their JSON."""
    ids = [head[0] for head in heads]
    alone = max(ids) - min(ids) + 1 == len(ids)

    def rows(columns: str, table: str, order: str) -> Iterable[Any]:
        found = connection.query(
            f"SELECT trial_id, {columns} FROM {table} WHERE trial_id BETWEEN ? AND ? ORDER BY {order}",
            (min(ids), max(ids)),
        )
        return found if alone else (row for row in found if row[0] in params)  # others lie between

    params: dict[int, dict[str, Any]] = {id: {} for id in ids}
    known: dict[int, dict[str, BaseDistribution]] = {id: {} for id in ids}
    for id, name, value, text in rows("param_name, param_value, distribution_json", "trial_params", "param_id"):
        if (distribution := distributions.get(text)) is None:
            distribution = distributions[text] = from_json(text)
        params[id][name] = distribution.to_external_repr(value)
        known[id][name] = distribution
    points: dict[int, dict[int, float]] = {id: {} for id in ids}
    for id, step, value, kind in rows(
        "step, intermediate_value, intermediate_value_type", "trial_intermediate_values", "trial_id, step"
    ):
        points[id][step] = value if kind == "FINITE" and value is not None else _FLOATS[kind]
    values: dict[int, list[float]] = {}
    for id, value, kind in rows("value, value_type", "trial_values", "trial_id, objective"):
        values.setdefault(id, []).append(value if kind == "FINITE" and value is not None else _FLOATS[kind])
    attrs: dict[str, dict[int, dict[str, Any]]] = {"user": {id: {} for id in ids}, "system": {id: {} for id in ids}}
    for kind, found in attrs.items():
        stored = list(rows("key, value_json", f"trial_{kind}_attributes", f"trial_{kind}_attribute_id"))
        read = json.loads(f"[{','.join(text for _, _, text in stored)}]")  # at once: each alone takes ten times as long
        for (id, key, _), value in zip(stored, read, strict=True):
            found[id][key] = value
    for id, number, state, start, complete in heads:
        yield FrozenTrial(
            number, TrialState[state], None, _local(start), _local(complete), params[id], known[id],
            attrs["user"][id], attrs["system"][id], points[id], number, values=values.get(id),
        )  # fmt: skip


_FLOATS = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan, "FINITE": math.nan}


def _local(moment: str | datetime | None) -> datetime | None:
    """Optuna stores naive UTC and shows naive local time."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment + _ahead(moment.replace(second=0, microsecond=0))


@lru_cache(1024)
def _ahead(moment: datetime) -> timedelta:
    """How far local time is ahead of UTC; the system is slow to say so."""
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None) - moment
