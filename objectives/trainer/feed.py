"""What the lanes read at each tick of an epoch, gathered for many ticks at a time."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

_CHUNK = 1 << 14  # values gathered ahead per lane, so that they still fit the cache


class Feed:
    """Rows of the training part, [lanes, micro, ...] for each tick; ticks must be asked for in order."""

    def __init__(
        self, source: Callable[[Tensor], Tensor], index: Tensor, pairs: tuple[Tensor, Tensor] | None = None
    ) -> None:
        """Nothing is gathered yet.

        Args:
            source: gives the rows [m, ...] of samples [m].
            index: samples, [ticks, lanes, micro].
            pairs: with which samples they are mixed, and how much of their own stays, of the same shape.
        """
        self._source, self._index, self._pairs = source, index, pairs
        self._ahead = max(1, _CHUNK // source(index[0, 0]).numel())
        self._start = self._stop = 0
        self._rows: tuple[Tensor, ...] = ()

    def at(self, tick: int, lanes: int) -> Tensor:
        """Rows of a tick for the first so many lanes; they may be changed in place."""
        if tick >= self._stop:
            self._start, self._stop = tick, tick + self._ahead
            self._rows = self._gather(lanes).unbind()
        rows = self._rows[tick - self._start]
        return rows if len(rows) == lanes else rows[:lanes]

    def _gather(self, lanes: int) -> Tensor:
        now = slice(self._start, self._stop), slice(lanes)
        taken = self._read(self._index[now])
        if self._pairs is None:
            return taken
        partner, part = (table[now] for table in self._pairs)
        part = part.view(*part.shape, *[1] * (taken.dim() - 3))
        return taken * part + self._read(partner) * (1 - part)

    def _read(self, index: Tensor) -> Tensor:
        rows = self._source(index.flatten())
        return rows.view(*index.shape, *rows.shape[1:])


class TokenFeed:
    """Sequences and the targets of their tokens, [lanes, micro, ...] for each tick; asked for in order."""

    def __init__(
        self, read: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]], index: Tensor, keys: Tensor | None,
        length: int,
    ) -> None:  # fmt: skip
        """Nothing is gathered yet.

        Args:
            read: gives the inputs [m, ..., positions] and targets [m, positions] of samples [m].
            index: samples, [ticks, lanes, micro].
            keys: what decides what is random in them, of the same shape; None where nothing is.
            length: positions to keep, from the first; 0 for all.
        """
        self._read, self._index, self._keys, self._length = read, index, keys, length
        self._ahead = max(1, _CHUNK // read(index[0, 0], None if keys is None else keys[0, 0])[1].numel())
        self._start = self._stop = 0
        self._rows: tuple[Tensor, Tensor] | None = None

    def at(self, tick: int, lanes: int) -> tuple[Tensor, Tensor]:
        """Inputs [lanes, micro, ..., positions] and targets [lanes, micro, positions] of a tick."""
        if self._rows is None or tick >= self._stop:
            self._start, self._stop = tick, tick + self._ahead
            self._rows = self._gather(lanes)
        inputs, targets = (rows[tick - self._start, :lanes] for rows in self._rows)
        return inputs, targets

    def _gather(self, lanes: int) -> tuple[Tensor, Tensor]:
        now = slice(self._start, self._stop), slice(lanes)
        index = self._index[now]
        found = self._read(index.flatten(), None if self._keys is None else self._keys[now].flatten())
        inputs, targets = (
            rows[..., : self._length or None].reshape(*index.shape, *rows.shape[1:-1], -1) for rows in found
        )
        return inputs, targets
