"""Figures as SVG text: axes that suit what is on them, lines, dots and bars, coloured by the page's style sheet.

Coordinates are in pixels of a figure that scales with its place; whole tenths of them, so that thousands of trials stay
small. Pure.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hpo.search.report.out import clean

LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 44
"""Room for the axes."""

_LEVELS = 8
"""Strengths of a map's squares."""
_MANY = 20.0
"""Spread of positive values from which on an axis is logarithmic."""


@dataclass(frozen=True)
class Axis:
    """From values to pixels.

    Attributes:
        title: what the values are.
        low, high: ends, as values.
        start, end: ends, in pixels.
        log: whether equal factors are equally far apart.
        names: of categories 0, 1, ...; empty where values are numbers.
    """

    title: str
    low: float
    high: float
    start: float
    end: float
    log: bool = False
    names: tuple[str, ...] = ()

    def __call__(self, value: float) -> float:
        """Pixels of a value; one beyond an end lies at it."""
        low, high, at = (math.log(v) for v in (self.low, self.high, max(value, self.low))) if self.log else (
            self.low, self.high, value,
        )  # fmt: skip
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Values to mark, with their labels."""
        if self.names:
            step = -(-len(self.names) // 12)
            return [(float(i), name) for i, name in enumerate(self.names) if i % step == 0]
        values = _powers(self.low, self.high, most) if self.log else _round(self.low, self.high, most)
        return [(value, f"{value:.6g}") for value in values]


_LARGEST = 1e300
"""Values are cut here, so that the distance of two is finite."""


def numbers(
    title: str, values: Iterable[float], start: float, end: float, *, log: bool | None = None, room: float = 0.03
) -> Axis:
    """An axis that holds these values, finite ones; logarithmic where they are spread over more than a factor of 20.

    ``room`` is the share of their span that is left free at each end of one that is not.
    """
    finite = [min(max(value, -_LARGEST), _LARGEST) for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if log is None:
        log = low > 0 and high / low > _MANY
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - abs(low) / 10 - 1e-9, high + abs(high) / 10 + 1e-9)
    if not log:
        free = (high - low) * room
        low, high = low - free, high + free
    return Axis(title, low, high, start, end, log)


def categories(title: str, names: Sequence[str], start: float, end: float) -> Axis:
    """An axis with a place for each name."""
    return Axis(title, -0.5, len(names) - 0.5, start, end, names=tuple(names))


def _round(low: float, high: float, most: int) -> list[float]:
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-300) / most))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if (high - low) / (step * factor) <= most)
    first = math.ceil(low / step)
    return [round(i * step, 12) if step > 1e-10 else i * step for i in range(first, math.floor(high / step) + 1)]


def _powers(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 3 else (1,)
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    found = [value for value in found if low * 0.999 <= value <= high * 1.001]
    return found[:: -(-len(found) // most)] or [low, high]


@dataclass(frozen=True)
class Mark:
    """One thing in a figure.

    Attributes:
        shape: ``line`` through its points, ``dots`` at them, ``bar`` from its first point, as wide and high as the
            second says, and so on for further pairs, or ``text`` at its point.
        kind: how it looks, classes of the style sheet.
        points: in pixels.
        words: of a text; of others what a reader sees who points at it.
        opacity: of a bar, 0 to 1.
        turned: whether a text goes upwards.
    """

    shape: Literal["line", "dots", "bar", "text"]
    kind: str
    points: tuple[tuple[float, float], ...]
    words: str = ""
    opacity: float = 1.0
    turned: bool = False


class Figure:
    """A figure under construction; its text is SVG, ``braille`` and ``png`` draw the same marks.

    Attributes:
        marks: what is on it, in the order in which it is drawn.
    """

    def __init__(self, width: int, height: int, label: str) -> None:
        """``label`` says in words what is seen, for those who cannot see it."""
        self.width, self.height, self.label = width, height, label
        self.marks: list[Mark] = []

    def frame(self, x: Axis, y: Axis) -> None:
        """Draw axes with marks and titles."""
        right, bottom = self.width - RIGHT, self.height - BOTTOM
        for value, label in y.ticks():
            self.line([(LEFT, y(value)), (right, y(value))], "grid")
            self.text(LEFT - 6, y(value) + 4, label, "tick end")
        for value, label in x.ticks():
            self.text(x(value), bottom + 18, label, "tick mid")
        self.line([(LEFT, TOP), (LEFT, bottom), (right, bottom)], "axis")
        self.text((LEFT + right) / 2, self.height - 8, x.title, "title mid")
        self.text(13, (TOP + bottom) / 2, y.title, "title mid", turned=True)

    def line(self, points: Iterable[tuple[float, float]], kind: str, title: str = "") -> None:
        """A line through pixels, in the style of its kind."""
        self._add(Mark("line", kind, tuple(points), title))

    def dots(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Dots at pixels, all of a kind in one element."""
        self._add(Mark("dots", kind, tuple(points)))

    def bar(
        self, x: float, y: float, width: float, height: float, kind: str, title: str = "", opacity: float = 1.0
    ) -> None:
        """A rectangle."""
        self._add(Mark("bar", kind, ((x, y), (max(width, 0), height)), title, opacity))

    def cells(self, x: float, y: float, side: float, values: Sequence[Sequence[float]], kinds: tuple[str, str]) -> None:
        """A map of squares from a corner, the stronger the farther a value is from 0.

        Args:
            x, y: the corner.
            side: of a square.
            values: [rows][columns] in [-1, 1].
            kinds: of values above 0 and below.
        """
        runs: dict[tuple[int, str], list[tuple[float, float]]] = {}
        for row, numbers_of_row in enumerate(values):
            levels = [round(max(-1.0, min(1.0, value)) * _LEVELS) for value in numbers_of_row]
            start = 0
            for level, equal in itertools.groupby(levels):
                count = len(list(equal))
                if level:
                    corner = (x + start * side, y + row * side)
                    runs.setdefault((abs(level), kinds[level < 0]), []).extend([corner, (count * side, side)])
                start += count
        for (level, kind), points in sorted(runs.items()):
            self._add(Mark("bar", kind, tuple(points), opacity=level / _LEVELS))

    def text(self, x: float, y: float, words: str, kind: str = "tick", *, turned: bool = False) -> None:
        """Words at a place; upwards from it where they are turned."""
        self._add(Mark("text", kind, ((x, y),), words, turned=turned))

    def _add(self, mark: Mark) -> None:
        if mark.points:
            self.marks.append(mark)

    def __str__(self) -> str:
        """The figure as an element of a page."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" style="--wide:{self.width}px" role="img" '
            f'aria-label="{_words(self.label)}">' + self.drawn + "</svg>"
        )

    @property
    def drawn(self) -> str:
        """Its marks, to be put into an element of SVG."""
        return "".join(map(_element, self.marks))


def _element(mark: Mark) -> str:
    told = f"<title>{_words(mark.words)}</title>" if mark.words else ""
    if mark.shape == "line":
        path = "L".join(f"{_px(x)} {_px(y)}" for x, y in mark.points)
        return (
            f'<path class="{mark.kind}" d="M{path}">{told}</path>'
            if told
            else f'<path class="{mark.kind}" d="M{path}"/>'
        )
    if mark.shape == "dots":
        path = "".join(f"M{_px(x)} {_px(y)}h0" for x, y in mark.points)
        return f'<path class="dot {mark.kind}" d="{path}"/>'
    x, y = mark.points[0]
    if mark.shape == "text":
        place = f'transform="translate({_px(x)} {_px(y)}) rotate(-90)"' if mark.turned else f'x="{_px(x)}" y="{_px(y)}"'
        return f'<text class="{mark.kind}" {place}>{_words(mark.words)}</text>'
    if len(mark.points) > 2:
        corners = zip(mark.points[::2], mark.points[1::2], strict=True)
        path = "".join(f"M{_px(x)} {_px(y)}h{_px(w)}v{_px(h)}h{_px(-w)}z" for (x, y), (w, h) in corners)
        return f'<path class="{mark.kind}" d="{path}" fill-opacity="{mark.opacity:.2f}">{told}</path>'
    width, height = mark.points[1]
    look = f' style="fill-opacity:{mark.opacity:.2f}"' if mark.opacity < 1 else ""
    size = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"'
    return f'<rect class="{mark.kind}" {size}{look}>{told}</rect>'


def _words(text: str) -> str:
    """Text as a page takes it."""
    return html.escape(clean(text))


def _px(value: float) -> str:
    """Pixels in tenths, as short as they are written.

    >>> _px(12.04), _px(12.34), _px(-0.01)
    ('12', '12.3', '0')
    """
    rounded = round(value, 1)
    return f"{rounded:g}" if rounded else "0"
