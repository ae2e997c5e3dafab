"""What a worker is to those that give it trials, wherever it trains: an executor of its own at the end of a channel.

Messages there::

    ("admit", job)              the executor's verbs
    ("evict", number, keep)
    ("advance",)                is answered by a Reply
    ("call", function, arguments)    by an Answer

A crew opens workers of one kind and waits for what any of them has to say. Processes of this machine are one kind
(``worker``), actors of a Ray cluster another (``actors``); who moves trials through them sees no difference but that
some have no place yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hpo.search.terms.errors import OutOfTime
from hpo.search.terms.job import Event

T = TypeVar("T")

LOOK = 0.5
"""Seconds after which workers that say nothing are looked at, and the time too."""

GRACE = 5.0
"""Seconds that an idle worker has for its objective's cleaning up."""


@dataclass(frozen=True)
class Reply:
    """What an advance brought: its news, and what the user should know, each sentence sent once.

    ``last`` says that the worker can train nothing more, and ends.
    """

    news: Sequence[Event]
    notes: Sequence[str] = ()
    last: bool = False


@dataclass(frozen=True)
class Answer:
    """What a called function returned."""

    value: Any


class WorkerDied(Exception):
    """A worker has ended; the message says how.

    Attributes:
        fault: whether what it trained may have been the cause; not where its machine went.
    """

    def __init__(self, how: str, *, fault: bool = True) -> None:
        super().__init__(how)
        self.fault = fault


class Channel(Protocol):
    """This end of the way to one worker.

    Attributes:
        ready: it has loaded the objective.
        placed: it has a place to train; one that waits for a place is no lane yet.
        node: name of the machine it trains on, or of the GPU that it was given on this one; else empty.
    """

    ready: bool
    placed: bool
    node: str

    @property
    def dead(self) -> bool:
        """Whether the worker is known to have ended."""

    def send(self, *message: Any) -> None:
        """Send a message; a dead worker shows at the next ``receive``."""

    def receive(self) -> Reply | Answer | None:
        """Take the next reply; None while there is none.

        Raises:
            WorkerDied: it has ended.
            UserError: it cannot start.
        """

    def close(self) -> None:
        """Let the worker end by itself: nothing more is sent."""

    def end(self, *, grace: float) -> None:
        """Wait so many seconds for the worker's own end, then kill it and whatever the objective has left running."""


class Crew(Protocol):
    """Workers of one kind.

    Attributes:
        size: how many there are to be.
        ahead: they are opened before there is a trial for them, for a place is to be found first.
    """

    size: int
    ahead: bool

    def open(self, index: int) -> Channel:
        """Start one more, as that of this number, from 0 on.

        Raises:
            UserError: the system refuses.
        """

    def wait(self, channels: Sequence[Channel], timeout: float) -> Sequence[Channel]:
        """Block until any of these has something to receive; none of them where so many seconds pass before."""

    def close(self) -> None:
        """Release what the workers shared, when all have ended."""


def said(crew: Crew, channels: Sequence[Channel]) -> Sequence[Channel]:
    """The workers to be asked now: who has something to say, or all of them where nobody has spoken for a while."""
    return crew.wait(channels, LOOK) or channels


def call(
    crew: Crew, worker: Channel, expired: Callable[[], bool], function: Callable[..., T], arguments: Sequence[Any]
) -> T:
    """Call a function in a worker that holds still.

    Raises:
        OutOfTime: time was up before it returned; the worker is to be ended.
        WorkerDied: it has ended.
    """
    worker.send("call", function, arguments)
    while True:
        if expired():
            raise OutOfTime
        crew.wait([worker], LOOK)
        if isinstance(answer := worker.receive(), Answer):
            found: T = answer.value
            return found
