"""Where studies live: an SQLite file by default, an Optuna journal, or PostgreSQL; all in Optuna's own formats.

One process runs a study: it holds the study's lease, works on it in memory, and its session writes behind. Plain
Optuna and optuna-dashboard read the same store at any time. Optuna is imported on first use, not with this module.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.store.changes import Snapshot
from hpo.search.store.location import Location, beside, parse_location
from hpo.search.store.names import check_name, shown, storable
from hpo.search.terms.errors import StoreError, UserError, did_you_mean

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from hpo.search.store.backend import Backend
    from hpo.search.store.session import Session

__all__ = ["Snapshot", "Store", "open_store"]


def open_store(location: str | os.PathLike[str] | None = None) -> Store:
    """Open the store at a location; nothing is created before a study is.

    ``location`` is a path ending in ``.db``, ``.sqlite``, ``.sqlite3`` or a URL ``sqlite:///...`` (SQLite), a path
    ending in ``.journal``, ``.log`` or ``journal:///...`` (Optuna journal), ``postgresql://user:password@host/name``,
    or ``:memory:`` for as long as this object lives.
    None stands for the environment variable ``HPO_STORAGE``, and without it for ``./hpo.db``.

    Raises:
        UserError: the location cannot be used.
    """
    return Store(parse_location(location))


class Store:
    """A place that holds studies.

    Attributes:
        display: the location as messages may show it, without password.
    """

    def __init__(self, location: Location) -> None:
        self.display = location.display
        self._location = location
        self._opened: Backend | None = None

    @property
    def missing(self) -> bool:
        """Whether it is a file that is not there yet."""
        return self._location.path is not None and not self._location.path.exists()

    @property
    def keeps_files(self) -> bool:
        """Whether what lies beside it outlives this object."""
        return self._location.kind != "memory"

    @property
    def _backend(self) -> Backend:
        if self._opened is None:
            self._opened = _open(self._location)
        return self._opened

    @cached_property
    def beside(self) -> Path:
        """Folder for what belongs to the store and is no record; not made yet. A store in memory takes it along."""
        found = beside(self._location)
        if found is None:
            found = Path(tempfile.mkdtemp(prefix="hpo-"))
            weakref.finalize(self, shutil.rmtree, found, ignore_errors=True)
        return found

    def names(self) -> list[str]:
        """Names of all studies in the order of their creation; a missing file is an empty store."""
        return self._backend.names()

    def read(self, name: str) -> Snapshot | None:
        """Read a study, running or not, None when there is no such study; nothing is written."""
        return self._backend.read(name) if storable(name) else None

    def session(self, name: str, directions: Sequence[str], *, create: bool = True) -> Session:
        """Take the lease of a study and load it; a new study is in the store from its first commit on.

        ``directions`` holds ``minimize`` or ``maximize`` for each goal.

        Raises:
            UserError: another process runs the study, its goals are others, its name is none, or it is missing and not
                to be made.
            StoreError: the store cannot be read or written.
        """
        from hpo.search.store.packed import numbered
        from hpo.search.store.session import Session

        if not create and name not in self.names():
            raise self._unknown(name)
        check_name(name)
        sink = self._backend.open(name, tuple(directions))
        try:
            stored = sink.snapshot
            if stored is not None and stored.directions != tuple(directions):
                raise UserError(
                    f"study {name!r} in {self.display} has the goals {', '.join(stored.directions)}, not"
                    f" {', '.join(directions)}; choose another name"
                )
            if stored is not None and not numbered(stored.trials):
                raise StoreError(
                    f"study {name!r} in {self.display} has two trials of one number, which several plain Optuna"
                    " workers on one file can leave; choose another name"
                )
            return Session(sink, name, directions)
        except BaseException:
            sink.close()
            raise

    def running(self, name: str) -> str | None:
        """Say who runs a study, such as ``process 12 on host since 10:31``; None when nobody does."""
        return self._backend.running(name) if storable(name) else None

    def ask_to_stop(self, name: str) -> AbstractContextManager[None]:
        """Ask whoever runs a study to stop, for as long as the block lasts: nothing is left of it for a later run.

        Raises:
            Busy: somebody else asks already.
        """
        return self._backend.hold(_stop(name))

    def asked_to_stop(self, name: str) -> str | None:
        """Say who asks that a study be stopped, such as ``process 12 on host since 10:31``; None where nobody does."""
        return self._backend.running(_stop(name))

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes from running a study inside the block.

        Raises:
            Busy: one runs it.
            UserError: there is no such study.
        """
        if name not in self.names():
            raise self._unknown(name)
        return self._backend.hold(name)

    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Add whole studies as one unit, written and read back, or none of them; see ``Backend.add``."""
        self._backend.add(studies, before)

    def delete(self, name: str) -> None:
        """Delete a study.

        Raises:
            UserError: there is no such study, or a process runs it.
        """
        if name not in self.names():
            raise self._unknown(name)
        self._backend.delete(name)

    def storage(self) -> BaseStorage:
        """Open the place as a plain Optuna storage, for optuna-dashboard and for scripts; made if missing."""
        return self._backend.storage()

    def _unknown(self, name: str) -> UserError:
        names = self.names()
        hint = f"; {did_you_mean(name, names)}" if names else ", which is empty"
        return UserError(f"there is no study {shown(name)} in {self.display}{hint}")


def _stop(name: str) -> str:
    """What is locked by who asks that a study be stopped; no study is called so."""
    return f"{name}\0stop"


def _open(location: Location) -> Backend:
    if location.kind == "memory":
        from hpo.search.store.memory import Memory

        return Memory()
    if location.server is not None:
        from hpo.search.store.postgres import Postgres

        return Postgres(location.server)
    assert location.path is not None
    if location.kind == "sqlite":
        from hpo.search.store.sqlite import SQLite

        return SQLite(location.path, location.display)
    from hpo.search.store.journal import Journal

    return Journal(location.path, location.display)
