"""What a kind of store must offer; one file per kind: ``sqlite``, ``postgres``, ``journal``."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from hpo.search.store.changes import Changes, Snapshot

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class Sink(abc.ABC):
    """An open study of which this process is the only writer; used by one thread at a time.

    Attributes:
        snapshot: the study as it was on opening, None when it does not exist; the session takes it over.
    """

    snapshot: Snapshot | None

    @abc.abstractmethod
    def write(self, changes: Changes) -> None:
        """Write all changes or none: a crash at any moment, and any failure, leaves the store whole.

        What was written survives the death of the process at once, and the death of the machine after ``sync``.

        Raises:
            StoreError: nothing was written.
        """

    @abc.abstractmethod
    def sync(self) -> None:
        """Bring everything written so far to the disk; StoreError when the disk refuses."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release the study for other processes; safe to call twice."""


class Backend(abc.ABC):
    """A place that holds studies."""

    @abc.abstractmethod
    def names(self) -> list[str]:
        """Names of all studies, in the order of their creation; nothing is created."""

    @abc.abstractmethod
    def read(self, name: str) -> Snapshot | None:
        """Read a study, running or not; nothing is created."""

    @abc.abstractmethod
    def open(self, name: str, directions: tuple[str, ...]) -> Sink:
        """Become the only writer of a study; UserError when another process is."""

    @abc.abstractmethod
    def hold(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes from running a study for a while; Busy when one does."""

    @abc.abstractmethod
    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Add whole studies as one unit: after a crash at any moment the store has all of them or none.

        They count from when they were read back, and nothing was found to differ.

        Args:
            studies: of different names; at least one.
            before: is called once their names are held and known to be free.

        Raises:
            UserError: one of the names is taken, or a process runs it.
            StoreError: nothing was added.
        """

    @abc.abstractmethod
    def running(self, name: str) -> str | None:
        """Say who runs a study: ``process 12 on host since 10:31``."""

    @abc.abstractmethod
    def delete(self, name: str) -> None:
        """Delete an existing study; UserError when a process runs it."""

    @abc.abstractmethod
    def storage(self) -> BaseStorage:
        """Open the place as a plain Optuna storage."""
