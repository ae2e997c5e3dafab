"""A study's trials in memory: the latest as they are, those that ended earlier in a few hundred bytes each.

A FrozenTrial with ten points takes four thousand bytes, most of them dictionaries whose keys are those of all others.
"""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, overload

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

WHOLE = 4_000
"""So many ended trials stay as they are: whoever reads all trials of an ordinary study again and again reads those."""

_STATES = {state.value: state for state in TrialState}

_START = datetime(2000, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class Trials(Sequence[FrozenTrial]):
    """Trials by number.

    Args:
        trials: the first of them.
        whole: how many ended ones are kept as they are.

    Attributes:
        numbered: whether each trial has the number of its place.
    """

    def __init__(self, trials: Iterable[FrozenTrial] = (), whole: int = WHOLE) -> None:
        self._whole = whole
        self.numbered = True
        self._packing = _Packing()
        self._kept: list[FrozenTrial | bytes] = []
        self._ended: deque[int] = deque()  # those that are whole, in the order in which they ended
        for trial in trials:
            self.append(trial)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, number: int) -> FrozenTrial: ...
    @overload
    def __getitem__(self, number: slice) -> list[FrozenTrial]: ...
    def __getitem__(self, number: int | slice) -> FrozenTrial | list[FrozenTrial]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self._kept)))]
        kept = self._kept[number]
        return kept if isinstance(kept, FrozenTrial) else self._packing.unpack(number % len(self._kept), kept)

    def __setitem__(self, number: int, trial: FrozenTrial) -> None:
        """Replace a trial that has not ended."""
        self._kept[number] = trial
        if trial.state.is_finished():
            self._end(number)

    def __iter__(self) -> Iterator[FrozenTrial]:
        for number in range(len(self._kept)):
            yield self[number]

    def append(self, trial: FrozenTrial, *, old: bool = False) -> None:
        """Add the next trial; an ``old`` one has ended, and so many of those to come that it is packed at once."""
        self.numbered &= trial.number == len(self._kept)
        self._kept.append(trial)
        if old and self._whole >= 0:
            self._pack(len(self._kept) - 1)
        elif trial.state.is_finished():
            self._end(len(self._kept) - 1)

    def of(self, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """All trials, or those in some states."""
        return [
            trial if isinstance(trial, FrozenTrial) else self._packing.unpack(number, trial)
            for number, trial in enumerate(self._kept)
            if states is None or self.state(number) in states
        ]

    def state(self, number: int) -> TrialState:
        """A trial's state."""
        kept = self._kept[number]
        return kept.state if isinstance(kept, FrozenTrial) else TrialState(kept[0])

    def distributions(self) -> dict[str, BaseDistribution]:
        """By name, one of those that the knob has had."""
        whole = [trial.distributions for trial in self._kept if isinstance(trial, FrozenTrial)]
        return {name: known for found in (*self._packing.distributions(), *whole) for name, known in found.items()}

    def unpack(self) -> None:
        """Keep all trials as they are from now on."""
        self._kept = list(self)
        self._ended.clear()
        self._whole = -1

    def _end(self, number: int) -> None:
        if self._whole < 0:
            return
        self._ended.append(number)
        while len(self._ended) > self._whole:
            self._pack(self._ended.popleft())

    def _pack(self, number: int) -> None:
        trial = self._kept[number]
        assert isinstance(trial, FrozenTrial), "a trial ends once"
        if trial.number == number:
            self._kept[number] = self._packing.pack(trial) or trial


def numbered(trials: Sequence[FrozenTrial]) -> bool:
    """Whether each trial has the number of its place."""
    return trials.numbered if isinstance(trials, Trials) else all(t.number == i for i, t in enumerate(trials))


class _Packing:
    """Trials as bytes and back, exactly; what many of them share is kept once."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[Any, ...], int] = {}
        self._shared: list[Any] = []  # distributions by name, and names of attributes; not to be changed

    def pack(self, trial: FrozenTrial) -> bytes | None:
        """State and content; None where a trial holds what only another program can have put there."""
        steps = tuple(trial.intermediate_values)
        moments = trial.datetime_start, trial.datetime_complete
        if list(trial.params) != list(trial.distributions) or any(moment and moment.tzinfo for moment in moments):
            return None
        content = (
            self._shape(trial.distributions),
            trial._values,
            *map(_number, moments),
            tuple(trial.params.values()),
            None if steps == tuple(range(1, len(steps) + 1)) else steps,
            tuple(trial.intermediate_values.values()),
            self._names(trial.user_attrs),
            tuple(trial.user_attrs.values()),
            self._names(trial.system_attrs),
            tuple(trial.system_attrs.values()),
        )
        try:
            packed = marshal.dumps(content)
        except ValueError:
            return None
        # Numbers of a class of their own come back as bytes, NaN is unequal to itself: such a trial stays as it is.
        return bytes([trial.state.value]) + packed if marshal.loads(packed) == content else None

    def unpack(self, number: int, packed: bytes) -> FrozenTrial:
        """The trial again."""
        (
            shape, values, start, complete, params, steps, points, user, user_values, system, system_values,
        ) = marshal.loads(memoryview(packed)[1:])  # fmt: skip
        distributions = self._shared[shape]
        return FrozenTrial(
            number,
            _STATES[packed[0]],
            None,
            _moment(start),
            _moment(complete),
            dict(zip(distributions, params, strict=True)),
            distributions,
            dict(zip(self._shared[user], user_values, strict=True)),
            dict(zip(self._shared[system], system_values, strict=True)),
            dict(zip(steps or range(1, len(points) + 1), points, strict=True)),
            number,
            values=values,
        )

    def distributions(self) -> list[dict[str, BaseDistribution]]:
        """Those that the packed trials have."""
        return [self._shared[i] for key, i in self._shapes.items() if key[0] == "knobs"]

    def _shape(self, distributions: dict[str, BaseDistribution]) -> int:
        key = ("knobs", *distributions, *map(id, distributions.values()))
        if key not in self._shapes:
            self._keep(key, distributions)
        return self._shapes[key]

    def _names(self, attrs: dict[str, Any]) -> int:
        key = ("attributes", *attrs)
        if key not in self._shapes:
            self._keep(key, tuple(attrs))
        return self._shapes[key]

    def _keep(self, key: tuple[Any, ...], shared: Any) -> None:
        self._shapes[key] = len(self._shared)
        self._shared.append(shared)


def _number(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _START) // _MICROSECOND


def _moment(number: int | None) -> datetime | None:
    return None if number is None else _START + timedelta(microseconds=number)
