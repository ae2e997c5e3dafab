"""A study being run: memory in front, its store behind.

All writing happens in one thread of its own. Ctrl-C can therefore interrupt the wait for a write but never a
write, and points reach the disk although a long training step blocks the main thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType

import optuna
from optuna.trial import FrozenTrial

from hpo.search.store.backend import Sink
from hpo.search.store.changes import Changes, Snapshot
from hpo.search.store.recorder import Recorder
from hpo.search.terms.errors import StoreError

DELAY = 1.0
"""Seconds that points and attributes may wait for their write, and written data for its fsync."""


class Session:
    """The only writer of one study; a context manager.

    Attributes:
        study: an Optuna study in memory; set its ``sampler`` and ``pruner`` as needed.
    """

    def __init__(self, sink: Sink, name: str, directions: Sequence[str]) -> None:
        snapshot = sink.snapshot or Snapshot(name, tuple(directions), {}, {}, [])
        self._sink = sink
        self._recorder = Recorder(snapshot, new=sink.snapshot is None)
        sink.snapshot = None  # it changes from here on
        self.study = optuna.study.Study(
            name, self._recorder, sampler=optuna.samplers.RandomSampler(), pruner=optuna.pruners.NopPruner()
        )
        self._wake = threading.Condition()
        self._pending = Changes()
        self._due: float | None = None  # when pending changes must be written
        self._sync_due: float | None = None  # when written changes must be on the disk
        self._failure: Exception | None = None
        self._closing = False
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="hpo-store", daemon=True)
        self._writer.start()

    def commit(self) -> None:
        """Seal everything recorded since the last commit as one unit that the store shows whole or not at all.

        A unit in which a trial was created or changed its state is written on return, any other within a second.
        What was recorded but not committed is never written.

        Raises:
            StoreError: this write or an earlier one failed; the changes are kept, and the next commit tries again.
        """
        with self._wake:
            if self._closing:
                raise RuntimeError("the session is closed")
            self._raise_failure()
            changes = self._recorder.changes
            if not changes:
                return
            urgent = changes.urgent
            # In this order: an interrupt between the two lines merges the same changes again, which is harmless.
            self._pending.merge(changes)
            self._recorder.clear()
            if urgent or self._due is None:  # else the writer knows when, and to wake it costs as much as a point
                self._due = time.monotonic() + (0.0 if urgent else DELAY)
                self._wake.notify_all()
            if urgent:
                self._wake.wait_for(lambda: not self._pending or self._failure is not None)
                self._raise_failure()

    def rebase(self, trials: Sequence[FrozenTrial]) -> None:
        """Replace all trials by others, numbered in the order given; part of the next commit's unit.

        For old trials carried over to new distributions. Handles of trials from before are void.
        """
        self._recorder.rebase(trials)

    def close(self) -> None:
        """Write what is committed, drop what is not, release the study; safe to call twice.

        Raises:
            StoreError: something committed could not be written.
        """
        if self._closed:
            return
        with self._wake:
            if self._pending:
                self._failure = None  # another attempt is made now
            self._closing = True
            self._wake.notify_all()
        self._writer.join()
        self._closed = True
        self._sink.close()
        self._raise_failure()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError as failure:
            if error is None:
                raise
            error.add_note(str(failure))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _run(self) -> None:
        """Write and sync whenever something is due, until closed."""
        while True:
            with self._wake:
                while (wait := self._wait()) is None or wait > 0:
                    self._wake.wait(wait)
                closing = self._closing
                if self._pending and (closing or (self._due is not None and self._due <= time.monotonic())):
                    self._write()
                sync = self._sync_due is not None and (closing or self._sync_due <= time.monotonic())
                if sync:
                    self._sync_due = None
            if sync:
                self._sync()
            if closing:
                return

    def _wait(self) -> float | None:
        """Seconds until there is something to do; None for as long as it takes."""
        if self._closing:
            return 0.0
        due = [moment for moment in (self._due, self._sync_due) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _write(self) -> None:
        self._due = None
        try:
            self._sink.write(self._pending)
        except Exception as error:  # bugs included: they are raised where somebody sees them, by the next commit
            self._failure = error
        else:
            self._pending = Changes()
            if self._sync_due is None:
                self._sync_due = time.monotonic() + DELAY
        self._wake.notify_all()

    def _sync(self) -> None:
        # Not under the lock: a slow disk must not hold up commits.
        try:
            self._sink.sync()
        except Exception as error:
            with self._wake:
                self._failure = error
