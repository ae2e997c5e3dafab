"""Figures as one picture, by Pillow: the same marks as on the page, in its light colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.search.report.out import clean
from hpo.search.report.page.drawn import Drawn
from hpo.search.report.page.svg import Figure, Mark
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

SCALE = 2
"""Pixels of the picture for one of a figure."""
_HEAD, _EDGE = 34, 12
_COLOURS = {
    "winner": "#c2410c", "best": "#c2410c", "failed": "#b91c1c", "wrong": "#b91c1c", "pruned": "#94a3b8",
    "complete": "#1d4ed8", "best3": "#1d4ed8", "interval": "#1d4ed8", "run": "#1d4ed8", "bar": "#1d4ed8",
    "cell": "#0f766e", "grid": "#dfe3e8", "axis": "#5c6675", "searched": "#5c6675", "ideal": "#5c6675",
    "tick": "#5c6675", "title": "#1c2430", "on": "#1c2430", "ink": "#1c2430",
}  # fmt: skip
_WIDTHS = {"winner": 2.4, "best": 1.8, "interval": 2.0, "best3": 1.6}
_FAINT = 0.5
"""Opacity of curves but the winner's."""


def picture(drawn: Sequence[Drawn]) -> bytes:
    """The figures one below the other, as a PNG file.

    Raises:
        UserError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise UserError("a PNG needs Pillow: pip install 'hpo-suite[png]'; without a file --plot draws here") from None

    width = max(one.figure.width for one in drawn) + 2 * _EDGE
    height = sum(one.figure.height + _HEAD for one in drawn) + _EDGE
    image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
    top = 0
    for one in drawn:
        canvas = ImageDraw.Draw(image)
        font = ImageFont.load_default(17 * SCALE)
        canvas.text((_EDGE * SCALE, (top + 8) * SCALE), one.title, "#1c2430", font)
        image.paste(_drawn(one.figure), (_EDGE * SCALE, (top + _HEAD) * SCALE))
        top += one.figure.height + _HEAD
    made = io.BytesIO()
    image.save(made, "PNG", optimize=True)
    return made.getvalue()


def _drawn(figure: Figure) -> Image.Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (figure.width * SCALE, figure.height * SCALE), "white")
    canvas = ImageDraw.Draw(image)
    for mark in figure.marks:
        places = [(x * SCALE, y * SCALE) for x, y in mark.points]
        colour = _colour(mark)
        if mark.shape == "line":
            wide = next((_WIDTHS[word] for word in mark.kind.split() if word in _WIDTHS), 1.0)
            canvas.line(places, colour, round(wide * SCALE), joint="curve")
        elif mark.shape == "dots":
            radius = (4.5 if mark.kind == "winner" else 3.0 if mark.kind == "complete" else 2.2) * SCALE
            for x, y in places:
                canvas.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
        elif mark.shape == "bar":
            for (x, y), (width, height) in zip(places[::2], places[1::2], strict=True):
                canvas.rectangle((x, y, x + width, y + height), colour)
        else:
            _write(image, canvas, mark, places[0], colour)
    return image


def _write(
    image: Image.Image, canvas: ImageDraw.ImageDraw, mark: Mark, place: tuple[float, float], colour: str
) -> None:
    from PIL import Image, ImageDraw, ImageFont

    words = clean(mark.words).replace("★", "*")  # which the font has not
    font, kinds = ImageFont.load_default(11 * SCALE), mark.kind.split()
    if mark.turned:
        _, _, right, bottom = font.getbbox(words)
        turned = Image.new("RGB", (int(right) + 2, int(bottom) + 2), "white")
        ImageDraw.Draw(turned).text((0, 0), words, colour, font)
        turned = turned.rotate(90, expand=True)
        image.paste(turned, (int(place[0] - turned.width / 2), int(place[1] - turned.height / 2)))
        return
    anchor = "ms" if "mid" in kinds else "rs" if "end" in kinds else "ls"
    canvas.text(place, words, colour, font, anchor=anchor)


def _colour(mark: Mark) -> str:
    """Of a mark on white, its opacity included."""
    kinds = mark.kind.split()
    full = next((_COLOURS[word] for word in reversed(kinds) if word in _COLOURS), "#1c2430")
    opacity = _FAINT if "curve" in kinds and "winner" not in kinds else mark.opacity
    parts = (int(full[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * opacity):02x}" for part in parts)
