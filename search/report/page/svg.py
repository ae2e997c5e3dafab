"""Figures as SVG text: axes that suit what is on them, lines, dots and bars, coloured by the page's style sheet.

Coordinates are in pixels of a figure that scales with its place; whole tenths of them, so that thousands of trials stay
small. Pure.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpo.search.report.out import clean

LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 44
"""Room for the axes."""

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


class Figure:
    """A figure under construction."""

    def __init__(self, width: int, height: int, label: str) -> None:
        """``label`` says in words what is seen, for those who cannot see it."""
        self.width, self.height, self.label = width, height, label
        self._parts: list[str] = []

    def frame(self, x: Axis, y: Axis) -> None:
        """Draw axes with marks and titles."""
        for value, label in y.ticks():
            at = _px(y(value))
            self._parts.append(f'<path class="grid" d="M{LEFT} {at}H{self.width - RIGHT}"/>')
            self.text(LEFT - 6, y(value) + 4, label, "tick end")
        for value, label in x.ticks():
            self.text(x(value), self.height - BOTTOM + 18, label, "tick mid")
        bottom = self.height - BOTTOM
        self._parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{self.width - RIGHT}"/>')
        self.text((LEFT + self.width - RIGHT) / 2, self.height - 8, x.title, "title mid")
        middle = _px((TOP + bottom) / 2)
        self._parts.append(
            f'<text class="title mid" transform="translate(13 {middle}) rotate(-90)">{_words(y.title)}</text>'
        )

    def line(self, points: Iterable[tuple[float, float]], kind: str, title: str = "") -> None:
        """A line through pixels, in the style of its kind."""
        path = "L".join(f"{_px(x)} {_px(y)}" for x, y in points)
        if path:
            told = f"<title>{_words(title)}</title>" if title else ""
            self._parts.append(
                f'<path class="{kind}" d="M{path}">{told}</path>' if told else f'<path class="{kind}" d="M{path}"/>'
            )

    def dots(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Dots at pixels, all of a kind in one element."""
        path = "".join(f"M{_px(x)} {_px(y)}h0" for x, y in points)
        if path:
            self._parts.append(f'<path class="dot {kind}" d="{path}"/>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str, title: str = "", style: str = "") -> None:
        """A rectangle."""
        look = f' style="{style}"' if style else ""
        told = f"<title>{_words(title)}</title>" if title else ""
        self._parts.append(
            f'<rect class="{kind}" x="{_px(x)}" y="{_px(y)}" width="{_px(max(width, 0))}" height="{_px(height)}"{look}>'
            f"{told}</rect>"
        )

    def text(self, x: float, y: float, words: str, kind: str = "tick") -> None:
        """Words at a place."""
        self._parts.append(f'<text class="{kind}" x="{_px(x)}" y="{_px(y)}">{_words(words)}</text>')

    def __str__(self) -> str:
        """The figure as an element of a page."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{_words(self.label)}">'
            + "".join(self._parts)
            + "</svg>"
        )


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
