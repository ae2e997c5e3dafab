"""Studies in a PostgreSQL database: Optuna's own tables, through psycopg 3 (extra ``postgres``).

One connection both holds a study's lease and writes it. Were they two, a process could lose the lease and go on
writing; so the loss of the connection ends both, and the server releases the lease.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hpo.search.store import sql, sqlwrite, tables
from hpo.search.store.backend import Backend, Sink
from hpo.search.store.changes import Snapshot
from hpo.search.store.lease import busy
from hpo.search.store.private import adopt, forget
from hpo.search.store.server import Server
from hpo.search.terms.errors import HpoError, StoreError, Unreachable, UserError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

try:
    import psycopg
except ModuleNotFoundError:
    raise UserError("PostgreSQL needs psycopg: pip install 'hpo-suite[postgres]'") from None

_LEASE = 0x48504F  # first key of our advisory locks; the second is the study
_TABLES = (0x48504F, 0)
_ALIVE = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 50_000}
"""Seconds, and milliseconds for the last: when each side of a connection notices that the other is gone."""


_PASSING = ("the database system is", "too many clients", "too many connections", "remaining connection slots")
"""What a server says that refuses everybody for a while."""


class Postgres(Backend):
    """A PostgreSQL database; the tables are made on the first ``open``."""

    def __init__(self, server: Server) -> None:
        self.display = server.display
        self._server = server

    def names(self) -> list[str]:
        """Names of all studies."""
        with self._connected() as connection:
            return sql.study_names(connection) if self._ready(connection) else []

    def read(self, name: str) -> Snapshot | None:
        """Read a study, running or not."""
        if "\0" in name:  # no text of PostgreSQL's holds it
            return None
        with self._connected() as connection:
            found = sql.read_study(connection, name) if self._ready(connection) else None
        return found[0] if found is not None else None

    def open(self, name: str, directions: tuple[str, ...]) -> Sink:
        """Become the only writer of a study."""
        connection = _Connection(self._server)
        try:
            self._make_tables(connection)
            connection.outlast_nobody()
            self._take(connection, name)
            # A commit returns before the server's disk has it, by less than a second; a crash cannot tear it.
            connection.query("SET synchronous_commit = off")
            return sqlwrite.SqlSink(
                connection, name, directions, self.display, sync=lambda: None, close=connection.close
            )
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep other processes from running a study."""
        with self._connected() as connection:
            connection.outlast_nobody()
            self._take(connection, name)
            yield

    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Add whole studies in one transaction."""
        with self._connected() as connection:
            self._make_tables(connection)
            connection.outlast_nobody()
            for study in studies:
                self._take(connection, study.name)
            sqlwrite.add_studies(connection, studies, self.display, before)

    def running(self, name: str) -> str | None:
        """Say who runs a study."""
        with self._connected() as connection:
            return self._holder(connection, name)

    def delete(self, name: str) -> None:
        """Delete an existing study."""
        with self._connected() as connection:
            self._take(connection, name)
            with connection.transaction(write=True):
                study = sql.find_study(connection, name)
                if study is not None:
                    sqlwrite.delete_study(connection, study)

    def storage(self) -> BaseStorage:
        """Open the database as a plain Optuna storage that keeps finished trials in memory."""
        import optuna

        with self._connected() as connection:
            self._make_tables(connection)
        return optuna.storages.get_storage(self._plain())

    def _take(self, connection: _Connection, name: str) -> None:
        if not connection.query("SELECT pg_try_advisory_lock(?, ?)", (_LEASE, _key(name)))[0][0]:
            raise busy(name, self._holder(connection, name) or "another process")

    def _holder(self, connection: _Connection, name: str) -> str | None:
        rows = connection.query(
            "SELECT a.application_name, to_char(a.backend_start, 'HH24:MI') FROM pg_locks l"
            " JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()"
            " AND l.classid::bigint = ? AND l.objid::bigint = ? AND l.objsubid = 2",
            (_LEASE, _key(name)),
        )
        return f"{rows[0][0].removeprefix('hpo: ')} since {rows[0][1] or 'some time'}" if rows else None

    def _make_tables(self, connection: _Connection) -> None:
        """Make Optuna's tables once, however many processes start at once."""
        if self._ready(connection) and not self._narrow(connection):
            return
        connection.query("SELECT pg_advisory_lock(?, ?)", _TABLES)
        try:
            if not self._ready(connection):
                with connection.explained():
                    self._plain(keep_connections=False)
            if self._narrow(connection):
                connection.query("ALTER TABLE trial_intermediate_values ALTER COLUMN step TYPE BIGINT")
        finally:
            connection.query("SELECT pg_advisory_unlock(?, ?)", _TABLES)

    def _narrow(self, connection: _Connection) -> bool:
        """Whether steps end at 2**31 - 1, as Optuna makes them, and we may change that: tokens are more than that."""
        rows = connection.query(
            "SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.oid = to_regclass('trial_intermediate_values')"
            " AND a.attname = 'step' AND a.atttypid = 'int4'::regtype"
        )
        return bool(rows and rows[0][0])

    def _plain(self, *, keep_connections: bool = True) -> Any:
        from optuna.storages import RDBStorage
        from sqlalchemy.pool import NullPool, QueuePool

        parameters: dict[str, Any] = self._server.parameters

        def connect() -> Any:
            return psycopg.connect(**parameters)

        # Not by URL: SQLAlchemy and PostgreSQL differ in how they read one, and errors would show the password.
        options = {"creator": connect, "poolclass": QueuePool if keep_connections else NullPool, "pool_pre_ping": True}
        return RDBStorage("postgresql+psycopg://", options)

    def _ready(self, connection: _Connection) -> bool:
        """Whether the tables are complete: Optuna writes the revision last."""
        if connection.query("SELECT to_regclass('alembic_version')")[0][0] is None:
            return False
        revision = connection.query("SELECT version_num FROM alembic_version")
        if revision and revision[0][0] != tables.SCHEMA:
            raise UserError(
                f"{self.display}: made by another version of Optuna (tables {revision[0][0]}, needed {tables.SCHEMA});"
                " bring it up to date with: optuna storage upgrade"
            )
        return bool(revision)

    @contextmanager
    def _connected(self) -> Iterator[_Connection]:
        connection = _Connection(self._server)
        try:
            yield connection
        finally:
            connection.close()


def _key(name: str) -> int:
    """Second key of a study's advisory lock: 31 bits, never 0."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1 or 1


class _Connection:
    """See ``sql.Connection``."""

    def __init__(self, server: Server) -> None:
        self._display, self._server = server.display, server
        given: dict[str, Any] = server.parameters
        settings = {
            "autocommit": True,
            "connect_timeout": 10,
            **_ALIVE,
            "application_name": f"hpo: process {os.getpid()} on {socket.gethostname()}"[:63],
        }
        try:
            self._connection = psycopg.connect(**given | settings)
        except (psycopg.Error, ValueError) as error:  # its message, and its traceback, may repeat the URL
            raise self._refused(error) from None
        self._fd = self._connection.fileno()
        adopt(self._fd)

    def _refused(self, error: BaseException) -> HpoError:
        """Why there is no connection: the server does not take us as we are, or it is not there at all."""
        told, said = self._told(error), str(error)
        asked = isinstance(error, psycopg.errors.ConnectionTimeout) or "connection to server" in said
        if not asked or ("FATAL" in said and not any(words in said for words in _PASSING)):
            return UserError(f"{self._display}: {told}; check host, port, user, password and database name")
        return Unreachable(f"{self._display}: {told}; check host and port, and whether the server runs")

    def outlast_nobody(self) -> None:
        """Have the server notice within a minute that this machine is gone, and give up what the session holds.

        By itself it would wait for its keepalive, two hours on most systems. Through a socket of the same machine, the
        server takes the settings and ignores them; one that does not know a setting is not asked for it.
        """
        for name, value in _ALIVE.items():
            setting = name.replace("keepalives", "tcp_keepalives")
            self.query("SELECT set_config(name, ?, false) FROM pg_settings WHERE name = ?", (str(value), setting))

    def query(self, statement: str, row: Sequence[Any] = ()) -> list[Any]:
        with self.explained():
            cursor = self._connection.execute(statement.replace("?", "%s"), row)
            return cursor.fetchall() if cursor.description else []

    def insert(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            with self.explained(), self._connection.cursor() as cursor:
                cursor.executemany(statement.replace("?", "%s"), rows)

    def new_ids(self, table: str, column: str, count: int) -> list[int]:
        rows = self.query(
            "SELECT nextval(pg_get_serial_sequence(?, ?)) FROM generate_series(1, ?)", (table, column, count)
        )
        return [id for (id,) in rows]

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        self.query("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
            self.query("COMMIT")
        except BaseException:
            if not self._connection.closed:
                with self.explained():
                    self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        forget(self._fd)
        self._connection.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the server refuses into a message with a remedy, also where Optuna wraps it."""
        try:
            yield
        except Exception as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, psycopg.Error):
                cause = cause.__cause__
            if isinstance(cause, psycopg.errors.InsufficientPrivilege):
                raise UserError(
                    f"{self._display}: {self._told(cause)}; give the user the right to create tables there"
                ) from None
            if isinstance(cause, psycopg.errors.NumericValueOutOfRange):
                raise StoreError(
                    f"{self._display}: its tables take steps up to 2147483647; let their owner run:"
                    " ALTER TABLE trial_intermediate_values ALTER COLUMN step TYPE BIGINT"
                ) from None
            if isinstance(cause, psycopg.DataError):  # plain Optuna on another store may hold what this one cannot
                raise StoreError(f"{self._display}: {self._told(cause)}") from None
            if isinstance(cause, psycopg.OperationalError):
                failure = Unreachable if self._connection.closed else StoreError
                raise failure(f"{self._display}: {self._told(cause)}; check the server and run again") from None
            raise

    def _told(self, error: BaseException) -> str:
        return self._server.without_secrets(str(error))
