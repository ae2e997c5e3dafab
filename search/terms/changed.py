"""Which trials changed: one log of their numbers, and for each of its readers what is new since it last looked."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

_KEPT = 1 << 16
"""At least this many changes are kept; who is further behind reads every trial anew."""

T = TypeVar("T")


class Log:
    """Numbers of trials in the order in which they changed; places in it are counted from the first change on."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._numbers = array("q")
        self._dropped = 0  # how many of the first are not kept
        self._read = 0

    @property
    def end(self) -> int:
        """The place after the last change."""
        return self._dropped + len(self._numbers)

    def add(self, number: int) -> None:
        """Note that a trial has changed, or is new."""
        if self._read < self.end and self._numbers and self._numbers[-1] == number:
            return  # once more, before anybody has looked
        self._numbers.append(number)
        if len(self._numbers) >= 2 * self._kept:
            del self._numbers[: self._kept]
            self._dropped += self._kept

    def restart(self) -> None:
        """Note that every trial is another one."""
        self._dropped, self._numbers = self.end + 1, array("q")

    def since(self, place: int) -> tuple[Sequence[int] | None, int]:
        """What changed from a place on, and the place to go on from.

        Returns:
            Numbers of trials, ascending; None where they are not known any more. Another thread may add meanwhile.
        """
        self._read = self.end
        if place < self._dropped:
            return None, self._read
        numbers = self._numbers[place - self._dropped :]
        return sorted(set(numbers)), place + len(numbers)


class Reader(Generic[T]):
    """Says at each look which trials are to be read again.

    Trials without a log, of plain Optuna or in a list, are read until they have ended.

    Args:
        ended: whether nothing more comes of a trial.
    """

    def __init__(self, ended: Callable[[T], bool]) -> None:
        self._ended = ended
        self._source: Any = self  # nobody's
        self._place = 0
        self._open: list[int] = []

    def news(self, trials: Sequence[T], log: Log | None, source: object = None) -> tuple[Iterable[int], bool]:
        """Numbers of the trials that are new or may have changed since the last look, ascending.

        Args:
            trials: all of them, by number.
            log: says which of them changed; None where there is none.
            source: without a log, what they belong to; they are read anew where that is another than at the last look.

        Returns:
            The numbers, and whether that is all there are, whatever was read before.
        """
        source = source if log is None else log
        afresh = source is not self._source
        if afresh:
            self._source, self._place, self._open = source, 0, []
        if log is None:
            return self._look(trials), afresh
        numbers, self._place = log.since(-1 if afresh else self._place)
        return (range(len(trials)), True) if numbers is None else (numbers, False)

    def _look(self, trials: Sequence[T]) -> Iterable[int]:
        numbers = [*self._open, *range(self._place, len(trials))]
        self._open = [number for number in numbers if not self._ended(trials[number])]
        self._place = len(trials)
        return numbers
