"""A sequence of what need not be held, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Made(Sequence[T], Generic[T]):
    """As many items as ``length`` says, each what ``of`` gives for its place."""

    def __init__(self, length: Callable[[], int], of: Callable[[int], T]) -> None:
        self._length, self._of = length, of

    def __len__(self) -> int:
        return self._length()

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...
    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        numbers = range(len(self))
        return [self._of(i) for i in numbers[number]] if isinstance(number, slice) else self._of(numbers[number])

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self)):
            yield self._of(number)
