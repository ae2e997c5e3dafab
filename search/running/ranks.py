"""This process's place among those that train a trial together.

Rank 0 is the one that is driven: its points are the trial's, its folder holds the checkpoints. The others do what it
does, each with its own part of every batch. All of them are on one machine.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from hpo.search.terms import registry

HOST = "127.0.0.1"

_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Seat:
    """A place.

    Attributes:
        rank: from 0 on.
        size: how many processes there are.
        port: where rank 0 listens, on this machine alone.
    """

    rank: int
    size: int
    port: int


_taken: Seat | None = None
_before: dict[str, str | None] = {}


def own() -> int:
    """The rank of this process; 0 where it trains alone."""
    return 0 if _taken is None else _taken.rank


def met() -> bool:
    """Whether this process trains together with others."""
    return _taken is not None


def listen(size: int) -> tuple[int, int]:
    """A free port, and the descriptor of a socket that listens there: nobody else can have it in between."""
    listening = socket.create_server((HOST, 0), backlog=size)
    return listening.getsockname()[1], listening.detach()


def take(seat: Seat, listening: int | None = None) -> None:
    """Meet the others: the environment that torchrun sets, and torch's process group; waits until all are there.

    Args:
        seat: of this process.
        listening: descriptor of rank 0's socket, which is taken over.
    """
    global _taken
    values = (seat.rank, seat.rank, seat.size, seat.size, HOST, seat.port)
    _before.update({name: os.environ.get(name) for name in _NAMES})
    os.environ.update({name: str(value) for name, value in zip(_NAMES, values, strict=True)})
    registry.part("trainer").join(seat.rank, seat.size, seat.port, listening)
    _taken = seat


def leave() -> None:
    """Train alone again."""
    global _taken
    if _taken is None:
        return
    _taken = None
    registry.part("trainer").part_company()
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
