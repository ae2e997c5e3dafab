"""Figures in a terminal: lines and dots in braille, eight dots a character; bars in blocks; words as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from hpo.search.report.out import clean
from hpo.search.report.page.svg import Figure, Mark

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Of the dots of a braille character, by row and column (Unicode block 2800)."""
_SHADES = " ░▒▓█"

Cell = tuple[str, str]
"""A character, and the kind of mark that it belongs to; empty for none."""


def cells(figure: Figure, columns: int) -> list[list[Cell]]:
    """The figure as rows of cells.

    Args:
        figure: its grid is left out.
        columns: characters of a row; the height follows, a character being twice as high as wide.
    """
    canvas = _Canvas(figure, columns)
    for mark in figure.marks:
        if "grid" not in mark.kind:
            canvas.draw(mark)
    return canvas.rows()


class _Canvas:
    def __init__(self, figure: Figure, columns: int) -> None:
        self.columns, self.scale = columns, figure.width / columns
        self.lines = max(1, round(figure.height / self.scale / 2))
        self._dots: dict[tuple[int, int], int] = {}
        self._kinds: dict[tuple[int, int], str] = {}
        self._blocks: dict[tuple[int, int], str] = {}
        self._words: dict[tuple[int, int], str] = {}

    def draw(self, mark: Mark) -> None:
        if mark.shape == "text":
            self._text(mark)
        elif mark.shape == "bar":
            for (x, y), (width, height) in zip(mark.points[::2], mark.points[1::2], strict=True):
                self._bar(mark, x, y, width, height)
        else:
            dots = [(x / self.scale * 2, y / self.scale * 2) for x, y in mark.points]
            for x, y in _large(dots) if mark.shape == "dots" else _between(dots):
                place = int(y) // 4, int(x) // 2
                self._dots[place] = self._dots.get(place, 0) | _BITS[int(y) % 4][int(x) % 2]
                self._kinds[place] = mark.kind

    def _bar(self, mark: Mark, x: float, y: float, width: float, height: float) -> None:
        left, right = round(x / self.scale), round((x + width) / self.scale)
        top, bottom = int(y / self.scale / 2), int((y + height - 1) / self.scale / 2)
        shade = _SHADES[min(4, max(1, round(mark.opacity * 5)))]
        for row in range(top, max(bottom, top) + 1):
            for column in range(left, right):
                self._blocks[row, column], self._kinds[row, column] = shade, mark.kind

    def _text(self, mark: Mark) -> None:
        x, y = mark.points[0]
        words = clean(mark.words)
        column, row = x / self.scale, int((y - 4) / self.scale / 2)
        if mark.turned:  # an axis' title stands above it
            column, row = 0.0, 0
        elif "mid" in mark.kind.split():
            column -= len(words) / 2
        elif "end" in mark.kind.split():
            column -= len(words)
        first = max(0, min(round(column), self.columns - len(words)))
        taken = any((row, first + i) in self._words for i in range(-1, len(words) + 1))
        if not taken:  # names that do not fit beside one another are left out
            self._words |= {(row, first + i): letter for i, letter in enumerate(words)}

    def rows(self) -> list[list[Cell]]:
        return [[self._cell(row, column) for column in range(self.columns)] for row in range(self.lines)]

    def _cell(self, row: int, column: int) -> Cell:
        place = row, column
        if place in self._words:
            return self._words[place], "text"
        if place in self._dots:
            return chr(0x2800 + self._dots[place]), self._kinds[place]
        return (self._blocks[place], self._kinds[place]) if place in self._blocks else (" ", "")


def _large(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Each dot as two by two, which is seen beside lines."""
    return ((max(0.0, x - i), max(0.0, y - j)) for x, y in points for i in (0, 1) for j in (0, 1))


def _between(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Every dot on the way from point to point."""
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(steps + 1):
            yield x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
    if len(points) == 1:
        yield points[0]
