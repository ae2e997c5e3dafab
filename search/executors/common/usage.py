"""Which machines train what, and how busy they are kept."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Protocol

from hpo.search.contracts.executor import Node
from hpo.search.executors.common.channel import Channel


class Meter:
    """How long a worker has trained since its first trial."""

    def __init__(self) -> None:
        self._born: float | None = None
        self._busy = 0.0
        self._since: float | None = None

    def go(self) -> None:
        """It is told to train on."""
        self._since = time.monotonic()
        self._born = self._born or self._since

    def rest(self) -> None:
        """It has told its news, and waits."""
        if self._since is not None:
            self._busy += time.monotonic() - self._since
        self._since = None

    def seconds(self) -> tuple[float, float]:
        """Seconds of training, and of all."""
        now = time.monotonic()
        busy = self._busy + (now - self._since if self._since is not None else 0.0)
        return busy, now - self._born if self._born is not None else 0.0


class Metered(Protocol):
    """A worker as an executor keeps it: its trials and its meter."""

    meter: Meter

    @property
    def worker(self) -> Channel | None:
        """Its channel."""

    @property
    def trials(self) -> Collection[int]:
        """Numbers of the trials that it trains."""


def nodes_of(seats: Iterable[Metered], each: int) -> list[Node]:
    """The machines of workers with ``each`` lanes, by name; none where all of them are this machine."""
    found: dict[str, list[Metered]] = {}
    for seat in seats:
        if seat.worker is not None and seat.worker.placed and seat.worker.node:
            found.setdefault(seat.worker.node, []).append(seat)
    nodes = []
    for name, own in sorted(found.items()):
        busy, whole = map(sum, zip(*(seat.meter.seconds() for seat in own), strict=True))
        trials = tuple(sorted(number for seat in own for number in seat.trials))
        nodes.append(Node(name, each * len(own), trials, busy / whole if whole else 0.0))
    return nodes
