"""When the news of workers that train side by side is told.

Together: when all have moved, so that a study does not depend on which worker was faster, and all wait for the slowest.
Free: as it comes, so that nobody waits.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol

Rounds = Literal["auto", "together", "free"]

MOST = 8
"""Workers up to which ``auto`` is together: the more there are, the longer the slowest of a round is waited for."""


class Working(Protocol):
    """A worker's lanes, as far as rounds are concerned."""

    @property
    def asked(self) -> bool:
        """Whether it has been told to move and has not answered."""

    @property
    def news(self) -> Collection[object]:
        """What it has answered and nobody has been told."""


def are_free(rounds: Rounds, workers: int) -> bool:
    """Whether each worker's news is told as it comes.

    >>> are_free("auto", 8), are_free("auto", 9), are_free("together", 9), are_free("free", 2)
    (False, True, False, True)
    """
    return rounds == "free" or (rounds == "auto" and workers > MOST)


def note_of(rounds: Rounds, workers: int) -> list[str]:
    """What the user should know where nothing was said about rounds."""
    if rounds != "auto" or not are_free(rounds, workers):
        return []
    return [
        f"{workers} workers do not wait for each other, so what is pruned may depend on which is faster; with rounds:"
        " together it does not, and all wait for the slowest"
    ]


def is_over(places: Collection[Working], lost: Collection[object], *, free: bool) -> bool:
    """Whether there is something to tell, ``lost`` trials among it, or nothing to wait for."""
    return not any(place.asked for place in places) or (free and (bool(lost) or any(place.news for place in places)))
