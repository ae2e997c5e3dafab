"""An executor whose trials print to their logs instead of to the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from hpo.search.contracts.executor import Executor, Node
from hpo.search.running.log import captured
from hpo.search.terms.job import Event, Finished, Job, Point

T = TypeVar("T")

Capture = Callable[[str | None], AbstractContextManager[None]]
"""Sends what is printed within a block to a log; see ``running.log``."""


class Logged(Executor):
    """Another executor, with what is printed under its verbs in the log of the trial it belongs to.

    Of several trials that train as one model it is the first one's. What is printed where no trial trains, as by the
    test of the winner, goes to ``test.log`` beside the trials' logs.
    """

    def __init__(self, inner: Executor, capture: Capture = captured) -> None:
        """Wrap ``inner``; ``capture`` is for this process or for all that it starts too."""
        self._inner, self._capture = inner, capture
        self._logs: dict[int, str | None] = {}  # of the admitted trials, the first admitted first
        self._last: str | None = None

    @property
    def lanes(self) -> int:  # type: ignore[override] # the other executor's
        """How many trials train at a time."""
        return self._inner.lanes

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override] # the other executor's
        """What the user should know."""
        return self._inner.notes

    @property
    def processes(self) -> int:  # type: ignore[override] # the other executor's
        """Worker processes that train at the same time."""
        return self._inner.processes

    @property
    def expired(self) -> Callable[[], bool]:
        """Says whether time is up."""
        return self._inner.expired

    @expired.setter
    def expired(self, expired: Callable[[], bool]) -> None:
        self._inner.expired = expired

    def admit(self, job: Job) -> None:
        """Start or take up a trial."""
        self._logs[job.number] = job.log
        self._last = job.log or self._last
        with self._capture(job.log):
            self._inner.admit(job)

    def advance(self) -> list[Event]:
        """Train on."""
        with self._capture(next(iter(self._logs.values()), None)):
            events = self._inner.advance()
        for event in events:
            if not isinstance(event, Point):
                self._logs.pop(event.number, None)
            if isinstance(event, Finished) and event.model is not None:
                self.models = bool(self.models) or event.model
        return events

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Stop or suspend a trial."""
        with self._capture(self._logs.pop(number, None)):
            self._inner.evict(number, keep=keep)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function where trials are trained."""
        with self._capture(None if self._last is None else str(Path(self._last).with_name("test.log"))):
            return self._inner.call(function, *arguments)

    def node_of(self, number: int) -> str:
        """Name of the machine that trains a trial."""
        return self._inner.node_of(number)

    def nodes(self) -> Sequence[Node]:
        """The machines that train."""
        return self._inner.nodes()

    def close(self) -> None:
        """Release everything."""
        with self._capture(self._last):
            self._inner.close()
