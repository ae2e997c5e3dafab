"""Which recipes were tried, how often, and which of them are not to be tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hpo.search.contracts.sampler import TRIES


class Tried(Collection[str]):
    """Keys of the recipes that are not to be tried again: all that stand, and those that failed as often as may be.

    Attributes:
        seen: number of recipes that were tried at all.
    """

    def __init__(self) -> None:
        self._standing: dict[str, int] = {}  # trials that have not failed
        self._failed: dict[str, list[int]] = {}  # numbers of those that have
        self._length = self.seen = 0

    def __contains__(self, key: object) -> bool:
        return key in self._standing or (key in self._failed and len(self._failed[str(key)]) >= TRIES)

    def __iter__(self) -> Iterator[str]:
        return (key for key in {**self._standing, **self._failed} if key in self)

    def __len__(self) -> int:
        return self._length

    def failures(self, key: str) -> list[int]:
        """Numbers of the recipe's trials that have failed."""
        return self._failed.get(key, [])

    def stand(self, key: str) -> None:
        """Count a trial that has not failed."""
        before = key in self
        self.seen += not (key in self._standing or key in self._failed)
        self._standing[key] = self._standing.get(key, 0) + 1
        self._length += not before

    def fail(self, key: str, number: int, *, stood: bool) -> None:
        """Count a trial that has failed; ``stood`` says whether it was counted before."""
        before = key in self
        self.seen += not (key in self._standing or key in self._failed)
        if stood:
            self._standing[key] -= 1
            if not self._standing[key]:
                del self._standing[key]
        self._failed.setdefault(key, []).append(number)
        self._length += (key in self) - before
