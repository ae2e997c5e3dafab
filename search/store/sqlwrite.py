"""Writing studies into Optuna's relational tables; ``sql`` has how they are read."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from optuna.distributions import distribution_to_json

from hpo.search.store.backend import Sink
from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.sql import Connection, Row, find_study, load_study, read_study
from hpo.search.store.whole import changes_of, check_absent, check_same
from hpo.search.terms.errors import StoreError


def delete_study(connection: Connection, study: int) -> None:
    """Delete a study and everything that belongs to it; inside a transaction."""
    for table in ("values", "intermediate_values", "params", "user_attributes", "system_attributes", "heartbeats"):
        connection.query(
            f"DELETE FROM trial_{table} WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)", (study,)
        )
    for table in ("trials", "study_directions", "study_user_attributes", "study_system_attributes", "studies"):
        connection.query(f"DELETE FROM {table} WHERE study_id = ?", (study,))


def add_studies(connection: Connection, studies: Sequence[Snapshot], display: str, before: Callable[[], None]) -> None:
    """Add whole studies in one transaction, which ends when they were read back; see ``Backend.add``."""
    made = [(study, changes_of(study)) for study in studies]
    for study in studies:
        check_absent(study.name, find_study(connection, study.name), display)
    before()
    with connection.transaction(write=True):
        for study, changes in made:
            check_absent(study.name, find_study(connection, study.name), display)
            put(connection, study.name, study.directions, changes, None, array("q"))
            found = load_study(connection, study.name)
            check_same(study, None if found is None else found[0], display)


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
        self._ids = array("q") if found is None else found[2]
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
            study, ids, new = put(self._connection, self._name, self._directions, changes, self._study, self._ids)
        ids.extend(new)
        self._study, self._ids = study, ids
        self._last = max(new, default=None if changes.whole else self._last)

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


def put(
    connection: Connection,
    name: str,
    directions: Sequence[str],
    changes: Changes,
    study: int | None,
    ids: array[int],
) -> tuple[int, array[int], list[int]]:
    """Write changes of a study; inside a transaction.

    Args:
        connection: to the store.
        name: the study's.
        directions: ``minimize`` or ``maximize`` for each goal.
        changes: what is new.
        study: its id, None where there is none yet.
        ids: those of its trials, in the order of their numbers.

    Returns:
        The study's id, the ids of its trials that were there before and still are, and those of its new trials.
    """
    if study is None or changes.whole:
        study, ids = _replace(connection, name, directions, study), array("q")
    created = sorted(number for number, trial in changes.trials.items() if trial.created)
    new = dict(zip(created, connection.new_ids("trials", "trial_id", len(created)), strict=True))
    trials = {new.get(number) or ids[number]: trial for number, trial in sorted(changes.trials.items())}
    connection.insert(
        "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(id, number, study, *_state(trials[id])) for number, id in new.items()],
    )
    connection.insert(
        "UPDATE trials SET state = ?, datetime_start = coalesce(?, datetime_start),"
        " datetime_complete = coalesce(?, datetime_complete) WHERE trial_id = ?",
        [(*_state(t), id) for id, t in trials.items() if t.state is not None and not t.created],
    )
    _write_content(connection, trials)
    for kind, attrs in (("user", changes.user_attrs), ("system", changes.system_attrs)):
        rows = ((study, key, text) for key, text in attrs.items())
        _upsert(connection, f"study_{kind}_attributes", ("study_id", "key"), ("value_json",), rows)
    return study, ids, list(new.values())


def _replace(connection: Connection, name: str, directions: Sequence[str], study: int | None) -> int:
    # The new ids are taken first: an id must not be used again, others may remember what it meant.
    [new] = connection.new_ids("studies", "study_id", 1)
    if study is not None:
        delete_study(connection, study)
    connection.query("INSERT INTO studies (study_id, study_name) VALUES (?, ?)", (new, name))
    connection.insert(
        "INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, ?)",
        [(direction.upper(), new, objective) for objective, direction in enumerate(directions)],
    )
    return new


def _write_content(connection: Connection, trials: dict[int, TrialChanges]) -> None:
    _upsert(
        connection,
        "trial_params",
        ("trial_id", "param_name"),
        ("param_value", "distribution_json"),
        (
            (id, name, value, distribution_to_json(distribution))
            for id, trial in trials.items()
            for name, (value, distribution) in trial.params.items()
        ),
    )
    _upsert(
        connection,
        "trial_intermediate_values",
        ("trial_id", "step"),
        ("intermediate_value", "intermediate_value_type"),
        ((id, step, *_stored(value)) for id, trial in trials.items() for step, value in trial.points.items()),
    )
    _upsert(
        connection,
        "trial_values",
        ("trial_id", "objective"),
        ("value", "value_type"),
        ((id, i, *_stored(value)) for id, trial in trials.items() for i, value in enumerate(trial.values or ())),
    )
    for kind in ("user", "system"):
        _upsert(
            connection,
            f"trial_{kind}_attributes",
            ("trial_id", "key"),
            ("value_json",),
            (
                (id, key, text)
                for id, trial in trials.items()
                for key, text in (trial.user_attrs if kind == "user" else trial.system_attrs).items()
            ),
        )


def _upsert(
    connection: Connection, table: str, keys: Sequence[str], columns: Sequence[str], rows: Iterable[Row]
) -> None:
    names = ", ".join((*keys, *columns))
    marks = ", ".join("?" * (len(keys) + len(columns)))
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    connection.insert(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}",
        list(rows),
    )


def _stored(value: float) -> tuple[float | None, str]:
    if math.isfinite(value):
        return value, "FINITE"
    return None, "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"


def _state(trial: TrialChanges) -> tuple[str | None, str | None, str | None]:
    return None if trial.state is None else trial.state.name, _utc(trial.start), _utc(trial.complete)


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
