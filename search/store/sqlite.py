"""Studies in an SQLite file: Optuna's own tables, in write-ahead mode.

With ``synchronous=NORMAL`` a commit survives the death of the process without any fsync, because the kernel has
the pages; against the death of the machine the session has the write-ahead file synced once a second.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hpo.search.store import sql, sqlwrite, tables
from hpo.search.store.backend import Backend, Sink
from hpo.search.store.changes import Snapshot
from hpo.search.store.lease import Lease, holder, lease_path, open_side_file, refused
from hpo.search.store.location import real_path
from hpo.search.store.private import close_private
from hpo.search.store.waiting import wait_for
from hpo.search.terms.errors import HpoError, StoreError, UserError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_TIMEOUT = 60.0  # seconds to wait for other writers of the file where nothing is to be written
_ATTEMPT = 1000  # milliseconds of one attempt to become its writer
_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again",
    sqlite3.SQLITE_IOERR: "the disk failed or is full; check the space left and the file system",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a copy, or name another file",
    sqlite3.SQLITE_NOTADB: "this is no SQLite database; name another file",
    sqlite3.SQLITE_BUSY: f"another program has kept the file locked for {_TIMEOUT:.0f} seconds; stop it and run again",
    sqlite3.SQLITE_READONLY: "no permission to write the file or its folder",
    sqlite3.SQLITE_PERM: "no permission to open the file, or to write in its folder",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work on this file system; use a .journal file there",
    sqlite3.SQLITE_CANTOPEN: "no permission to open the file, or to write in its folder",
}


class SQLite(Backend):
    """An SQLite file; made on the first ``open``."""

    def __init__(self, path: Path, display: str) -> None:
        self.display = display
        self._given = path

    def _path(self, *, write: bool = False) -> Path:
        return real_path(self._given, self.display, write=write)

    def names(self) -> list[str]:
        """Names of all studies."""
        with self._reader() as connection:
            return sql.study_names(connection) if connection is not None else []

    def read(self, name: str) -> Snapshot | None:
        """Read a study, running or not."""
        with self._reader() as connection:
            found = sql.read_study(connection, name) if connection is not None else None
        return found[0] if found is not None else None

    def open(self, name: str, directions: tuple[str, ...]) -> Sink:
        """Become the only writer of a study."""
        path = self.make_tables()
        lease = Lease(path, name)
        try:
            connection = _Connection(path, self.display, write=True)

            def close() -> None:
                try:
                    connection.close()
                finally:
                    lease.close()

            try:
                connection.write_ahead()
                return sqlwrite.SqlSink(connection, name, directions, self.display, sync=connection.sync, close=close)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lease.close()
            raise

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep other processes from running a study."""
        with closing(Lease(self._path(write=True), name)):
            yield

    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Add whole studies in one transaction."""
        path = self.make_tables()
        with ExitStack() as held:
            for study in studies:
                held.enter_context(self.hold(study.name))
            connection = held.enter_context(closing(_Connection(path, self.display, write=True)))
            connection.write_ahead()
            connection.query("PRAGMA synchronous = FULL")  # its commit is on the disk, or fails
            sqlwrite.add_studies(connection, studies, self.display, before)

    def running(self, name: str) -> str | None:
        """Say who runs a study."""
        return holder(self._path(), name)

    def delete(self, name: str) -> None:
        """Delete an existing study."""
        path = self._path(write=True)
        with (
            self.hold(name),
            closing(_Connection(path, self.display, write=True)) as connection,
            connection.transaction(write=True),
        ):
            study = sql.find_study(connection, name)
            if study is not None:
                sqlwrite.delete_study(connection, study)

    def storage(self) -> BaseStorage:
        """Open the file as a plain Optuna storage that keeps finished trials in memory."""
        import optuna

        return optuna.storages.get_storage(self._plain(self.make_tables()))

    def make_tables(self) -> Path:
        """Make Optuna's tables once, however many processes start at once on a fresh file; returns its real path.

        Raises:
            UserError: the folder is missing or not ours to write, or the file holds something else.
            StoreError: nothing can be written in the folder for another reason, such as a full disk.
        """
        path = self._path(write=True)
        if self._ready(path):
            return path
        side = path.parent / ".hpo" / f"{lease_path(path, '').name}.lock"
        try:
            lock = open_side_file(side, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise refused(side, self.display, path.parent, error) from error
        try:
            wait_for(lambda: _locked(lock), self.display, [side])
            if not self._ready(path):
                with _explained(self.display):
                    self._make(path)
        finally:
            close_private(lock)
        return path

    def _make(self, path: Path) -> None:
        """Make the tables in one transaction; those that Optuna has begun with, Optuna completes."""
        import optuna

        with closing(sqlite3.connect(path, timeout=_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            begun = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            for statement in [] if begun else tables.statements(optuna.__version__):
                connection.execute(statement)
            connection.execute("COMMIT")
        if begun:
            self._plain(path, keep_connections=False)

    def _plain(self, path: Path, *, keep_connections: bool = True) -> Any:
        from optuna.storages import RDBStorage
        from sqlalchemy.pool import NullPool, QueuePool

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, timeout=_TIMEOUT, check_same_thread=False)

        # Not by URL: a path may hold characters that have a meaning in one.
        return RDBStorage("sqlite://", {"creator": connect, "poolclass": QueuePool if keep_connections else NullPool})

    def _ready(self, path: Path) -> bool:
        """Whether the tables are complete: the revision is written last."""
        if not path.exists():
            return False
        connection = _Connection(path, self.display)
        try:
            found = {name for (name,) in connection.query("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if found and not found & {"studies", "version_info"}:
                raise UserError(
                    f"{self.display}: a database of another program (tables {', '.join(sorted(found)[:3])});"
                    " name another file"
                )
            revision = connection.query("SELECT version_num FROM alembic_version") if "alembic_version" in found else []
        finally:
            connection.close()
        if revision and revision[0][0] != tables.SCHEMA:
            raise UserError(
                f"{self.display}: made by another version of Optuna (tables {revision[0][0]}, needed {tables.SCHEMA});"
                f" bring it up to date with: optuna storage upgrade --storage sqlite:///{path}"
            )
        return bool(revision)

    @contextmanager
    def _reader(self) -> Iterator[_Connection | None]:
        path = self._path()
        if not self._ready(path):
            yield None
            return
        connection = _Connection(path, self.display)
        try:
            yield connection
        finally:
            connection.close()


class _Connection:
    """See ``sql.Connection``."""

    def __init__(self, path: Path, display: str, *, write: bool = False) -> None:
        self._display = display
        self._path = path
        with _explained(display):
            try:
                self._connection = self._connect("mode=rw")
            except sqlite3.OperationalError as error:
                # Write-ahead mode wants a file beside the database. Where none can be made, none is in use.
                kind = error.sqlite_errorcode & 0xFF
                refused = kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
                if write or not refused or os.path.exists(f"{path}-wal") or not os.access(path, os.R_OK):
                    raise
                self._connection = self._connect("immutable=1")
            if write:
                self._connection.execute(f"PRAGMA busy_timeout = {_ATTEMPT}")
        self._file = os.stat(path)

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?{mode}",
            uri=True,
            timeout=_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # the first access opens the file
        except BaseException:
            connection.close()
            raise
        return connection

    def _in_place(self) -> bool:
        try:
            return os.path.samestat(self._file, os.stat(self._path))
        except FileNotFoundError:
            return False

    def write_ahead(self) -> None:
        self.patiently("PRAGMA journal_mode = WAL")
        self.query("PRAGMA synchronous = NORMAL")

    def sync(self) -> None:
        """Bring what was committed to the disk."""
        try:
            fd = os.open(f"{self._path}-wal", os.O_RDONLY)
        except FileNotFoundError:  # everything is in the main file already, and synced
            return
        try:
            os.fsync(fd)
        except OSError as error:
            raise StoreError(f"{self._display}: {error.strerror}; {_REMEDIES[sqlite3.SQLITE_IOERR]}") from error
        finally:
            os.close(fd)

    def query(self, statement: str, row: Sequence[Any] = ()) -> list[Any]:
        with _explained(self._display):
            return self._connection.execute(statement, row).fetchall()

    def patiently(self, statement: str) -> None:
        """Run a statement that needs the right to write, and wait for it as long as its holder lives."""

        def attempt() -> bool:
            try:
                self._connection.execute(statement).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                return False
            return True

        with _explained(self._display):
            wait_for(attempt, self._display, [self._path, Path(f"{self._path}-shm")])

    def insert(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            with _explained(self._display):
                self._connection.executemany(statement, rows)

    def new_ids(self, table: str, column: str, count: int) -> list[int]:
        if not count:
            return []
        [(last,)] = self.query(f"SELECT coalesce(max({column}), 0) FROM {table}")
        return list(range(last + 1, last + 1 + count))

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        if write and not self._in_place():
            raise StoreError(f"{self._display}: the file was removed or replaced while a study was running")
        if write:
            self.patiently("BEGIN IMMEDIATE")
        else:
            self.query("BEGIN")
        try:
            yield
            self.query("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with _explained(self._display):
            self._connection.close()


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explained(display: str) -> Iterator[None]:
    """Turn what SQLite reports about the file or the disk into a message with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _explain(error, display) from error
    except Exception as error:
        # SQLAlchemy and Optuna wrap SQLite's errors when the tables are made.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.DatabaseError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise _explain(cause, display) from error


def _explain(error: sqlite3.DatabaseError, display: str) -> HpoError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary not in _REMEDIES:
        raise error
    kind = UserError if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN) else StoreError
    return kind(f"{display}: {error}; {_REMEDIES[primary]}")
