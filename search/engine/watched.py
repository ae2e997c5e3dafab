"""An executor under watch: each verb is left in time, by the process that entered it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from hpo.search.contracts.executor import Executor, Node
from hpo.search.engine.watch import Watch
from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Event, Job

T = TypeVar("T")


class Watched(Executor):
    """Does what ``executor`` does, for as long as ``watch`` lets it; what it notes is told with the news."""

    def __init__(self, executor: Executor, watch: Watch, tell: Callable[[str], object]) -> None:
        self.expired = executor.expired = watch.expired
        self._executor, self._inside = executor, partial(watch.inside, here=not executor.processes)
        self._watch, self._tell = watch, tell
        self._told = set[str]()

    @property
    def lanes(self) -> int:  # type: ignore[override] # the other executor's
        """How many trials train at a time."""
        return self._executor.lanes

    @property
    def processes(self) -> int:  # type: ignore[override] # the other executor's
        """Worker processes that train at the same time."""
        return self._executor.processes

    @property
    def models(self) -> bool | None:  # type: ignore[override] # the other executor's
        """Whether any trial that ended left a model that can be tested."""
        return self._executor.models

    def admit(self, job: Job) -> None:
        """Give a trial a lane; where time is up it is only not trained."""
        with contextlib.suppress(OutOfTime):
            self._inside("start of a trial", self._executor.admit, job)

    def advance(self) -> list[Event]:
        """Wait for news; without any where time is up."""
        if self.expired():
            return []
        try:
            return self._inside("advance", self._executor.advance)
        except OutOfTime:
            return []
        finally:
            self.tell()

    def tell(self) -> None:
        """Tell what the executor has noted since."""
        for note in [note for note in self._executor.notes if note not in self._told]:
            self._told.add(note)
            self._tell(note)

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the trial's lane."""
        with contextlib.suppress(OutOfTime):
            self._inside("end of a trial", partial(self._executor.evict, keep=keep), number)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function where trials are trained.

        Raises:
            OutOfTime: time was up before it returned.
        """
        if self.expired():
            raise OutOfTime
        measured: T = self._watch.inside("test", self._executor.call, function, *arguments)
        return measured

    def node_of(self, number: int) -> str:
        """Name of the machine that trains a trial."""
        return self._executor.node_of(number)

    def nodes(self) -> Sequence[Node]:
        """The machines that train."""
        return self._executor.nodes()

    def close(self) -> None:
        """Release everything."""
        with contextlib.suppress(OutOfTime):
            self._inside("end of the trials", self._executor.close)
