"""Places in files of text: line ends, and cuts that no tokenizer sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 20
"""Bytes from which on a document is handed on in pieces."""
REGION = 2 << 20
"""Bytes that are read at once at most."""
_NEAR = 4 << 10
_SHORT = 256
_BLOCK = 1 << 16


def cut(text: bytes, most: int) -> int:
    """Where to cut a text that goes on after ``most`` bytes.

    Before a line end that follows a visible ASCII character: the pattern by which byte-level BPE splits words
    (Radford et al. 2019) never joins these two, so the tokens are those of the whole. Where there is none: after a
    line end, else between two characters.
    """
    place = most
    while (place := text.rfind(b"\n", 1, place)) > 0:
        if 0x20 < text[place - 1] < 0x7F:
            return place
    if (place := text.rfind(b"\n", 0, most)) >= 0:
        return place + 1
    place = most
    while place > most - 4 and place > 1 and text[place : place + 1] and 0x80 <= text[place] < 0xC0:
        place -= 1
    return place


def pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """A long document in order, each piece at most ``PIECE`` bytes."""
    file.seek(start)
    held = b""
    left = end - start
    while left or held:
        data = file.read(min(left, PIECE + 1 - len(held)))
        left -= len(data)
        held += data
        if len(held) <= PIECE:
            yield held
            return
        place = cut(held, PIECE)
        yield held[:place]
        held = held[place:]


def regions(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of documents that are read at once: within ``REGION`` bytes, a long document alone."""
    low = 0
    while low < len(starts):
        high = int(np.searchsorted(ends, starts[low] + REGION, "right"))
        high = max(low + 1, high)
        long = np.flatnonzero(ends[low:high] - starts[low:high] > PIECE)
        if len(long):
            high = low + max(1, int(long[0]))
        yield low, high
        low = high


def first_break(file: IO[bytes], start: int, end: int) -> int:
    """Place after the first line end from ``start`` on; ``end`` where there is none."""
    file.seek(start)
    place = start
    while place < end:
        data = file.read(min(_BLOCK, end - place))
        if not data:
            break
        found = data.find(b"\n")
        if found >= 0:
            return place + found + 1
        place += len(data)
    return end


def near_break(file: IO[bytes], start: int, end: int) -> int:
    """Place to cut near ``start``: after a line end within 4 KiB, else before a space, else between two characters.

    The rest of a document that is shorter than a line is not cut.
    """
    file.seek(start)
    data = file.read(min(_NEAR, end - start))
    found = data.find(b"\n")
    if found >= 0:
        return start + found + 1
    if end - start < _SHORT:
        return end
    space = data.find(b" ")
    if space >= 0:
        return start + space
    return start + next((place for place, byte in enumerate(data) if byte & 0xC0 != 0x80), len(data))


def last_break(file: IO[bytes], start: int, end: int) -> int | None:
    """Place after the last line end between two places; None where there is none."""
    place = end
    while place > start:
        low = max(start, place - _BLOCK)
        file.seek(low)
        found = file.read(place - low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        place = low
    return None
