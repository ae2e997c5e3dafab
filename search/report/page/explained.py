"""What a model's predictions follow from, in figures: columns of a table, pixels of images, attention over text.

An explanation comes as the plain data that ``hpo explain --json`` prints, so nothing of what is trained is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hpo.search.report import text
from hpo.search.report.page.drawn import Drawn
from hpo.search.report.page.figures import WIDTH, knob_axis
from hpo.search.report.page.svg import BOTTOM, LEFT, RIGHT, TOP, Figure, numbers

_SHOWN = 24
"""Columns that are drawn at most, the most important ones."""
_CURVES = 6
"""Columns whose dependence is drawn."""
_NAMES = 178
"""Pixels for names at the left."""
_SHADES = " ░▒▓█"
_INK = ("ink", "cell wrong")
_PARTS = ("cell", "cell wrong")


def explained(found: Mapping[str, Any]) -> list[Drawn]:
    """Every figure of an explanation.

    Args:
        found: of a model, as ``hpo explain --json`` has it; ``kind`` says of what.
    """
    makers: Mapping[str, Callable[[Mapping[str, Any]], Iterable[Drawn]]] = {
        "columns": _columns, "images": _images, "attention": _attention,
    }  # fmt: skip
    return list(makers[found["kind"]](found))


def summary(found: Mapping[str, Any]) -> list[str]:
    """What an explanation of images or of attention comes to, a sentence each."""
    if found["kind"] == "images":
        what = "the log odds of the class predicted" if found["classes"] else "the prediction"
        return [
            f"where the {found['hidden']} pixels that an image's answer follows from most are hidden, {what} "
            f"move{'' if found['classes'] else 's'} by {text.short(found['moved'])} on average, and by "
            f"{text.short(found['moved_at_random'])} where as many are hidden at random"
        ]
    if found["kind"] == "attention":
        return [_habit(head) for head in sorted(found["heads"], key=lambda head: head["spread"])]
    return []


def _habit(head: Mapping[str, Any]) -> str:
    """
    >>> _habit({"layer": 1, "head": 2, "itself": 0.1, "before": 0.7, "first": 0.05, "spread": 2.134})
    'layer 1 head 2 looks at 2.1 tokens: 70% at the one before, 10% at itself, 5% at the first'
    """
    parts = {"the one before": head["before"], "itself": head["itself"], "the first": head["first"]}
    told = ", ".join(f"{share:.0%} at {name}" for name, share in sorted(parts.items(), key=lambda part: -part[1]))
    return f"layer {head['layer']} head {head['head']} looks at {head['spread']:.1f} tokens: {told}"


def shades(values: Sequence[Sequence[float]]) -> list[str]:
    """A map for a terminal, two characters a square.

    >>> shades([[0.0, 1.0], [4.0, 2.0]])
    ['  ░░', '██▒▒']
    """
    return ["".join(2 * _SHADES[round(4 * value)] for value in row) for row in _scaled(values)]


def _columns(found: Mapping[str, Any]) -> Iterable[Drawn]:
    columns = found["columns"][:_SHOWN]
    if not columns:
        return
    left = f" The first {_SHOWN} of {len(found['columns'])} columns." if len(found["columns"]) > _SHOWN else ""
    yield Drawn(
        "Which columns matter",
        _importances(columns, f"growth of the {found['loss']}"),
        f"How much the {found['loss']} of a row, {text.short(found['value'])} on {found['rows']} rows, grows when a "
        f"column is dealt out anew, with its 95 % interval over rows: one that crosses 0 tells nothing.{left}",
    )
    if columns[0].get("attribution") is not None:
        unit = "the log odds of the class predicted" if found["shown"] is not None else "the prediction"
        ranked = sorted(columns, key=lambda column: -column["attribution"])
        rows = [(column["name"], column["attribution"]) for column in ranked]
        note = f"How far a column moves {unit} on average, by integrated gradients."
        yield Drawn("How far columns move the output", _bars(rows, note), note)
    of = f"the probability of {found['shown']!r}" if found["shown"] is not None else "the prediction"
    curved = [c for c in columns if len(c["dependence"]) > 1 and c["importance"] > c["half"]][:_CURVES]
    for column in curved:
        note = f"Mean of {of} where {column['name']} has this value in every row, all else as it is."
        yield Drawn(f"With {column['name']}", _dependence(column, of), note)


def _importances(columns: Sequence[Mapping[str, Any]], title: str) -> Figure:
    height = TOP + BOTTOM + 22 * len(columns)
    ends = [column["importance"] + side * column["half"] for column in columns for side in (-1, 1)]
    x = numbers(title, [0.0, *ends], _NAMES + 8, WIDTH - RIGHT, log=False)
    figure = Figure(WIDTH, height, "importance of the columns, with intervals")
    bottom = height - BOTTOM
    for value, label in x.ticks():
        figure.line([(x(value), TOP), (x(value), bottom)], "grid")
        figure.text(x(value), bottom + 18, label, "tick mid")
    figure.line([(x(0), TOP), (x(0), bottom)], "axis")
    figure.text((x.start + x.end) / 2, height - 8, title, "title mid")
    for place, column in enumerate(columns):
        at, importance, half = TOP + 11 + 22 * place, column["importance"], column["half"]
        kind = "complete" if importance > half else "pruned"
        figure.text(_NAMES, at + 4, _cut(column["name"]), "tick end")
        figure.line([(x(importance - half), at), (x(importance + half), at)], f"interval {kind}", column["name"])
        figure.dots([(x(importance), at)], kind)
    return figure


def _bars(rows: Sequence[tuple[str, float]], label: str) -> Figure:
    figure = Figure(WIDTH, 22 * len(rows) + 12, label)
    most = max((value for _, value in rows), default=0.0) or 1.0
    for place, (name, value) in enumerate(rows):
        top, wide = 6 + 22 * place, value / most * (WIDTH - _NAMES - 90)
        figure.text(_NAMES, top + 13, _cut(name), "tick end")
        figure.bar(_NAMES + 8, top + 2, wide, 14, "bar")
        figure.text(_NAMES + 14 + wide, top + 13, text.short(value), "tick")
    return figure


def _dependence(column: Mapping[str, Any], of: str) -> Figure:
    width, height = WIDTH, 240
    values, means = [value for value, _ in column["dependence"]], [mean for _, mean in column["dependence"]]
    figure = Figure(width, height, f"{of} over {column['name']}")
    x, places = knob_axis(column["name"], values, LEFT, width - RIGHT)
    y = numbers(of, means, height - BOTTOM, TOP, log=False)
    figure.frame(x, y)
    points = [
        (x(value if places is None else places[text.number(value)]), y(mean))
        for value, mean in zip(values, means, strict=True)
    ]
    if places is None:
        figure.line(points, "best")
    figure.dots(points, "complete")
    return figure


def _images(found: Mapping[str, Any]) -> Iterable[Drawn]:
    unit = "the log odds of the class predicted" if found["classes"] else "the prediction"
    average = found["average"]
    side = 240 / max(len(average), len(average[0]))
    figure = Figure(WIDTH, round(side * len(average)) + 8, "mean absolute saliency of each pixel")
    figure.cells(LEFT, 4, side, _scaled(average), _PARTS)
    yield Drawn(
        "Where it looks", figure, f"How far each pixel moves {unit} on average over {found['rows']} held-out images."
    )
    if not found["pictures"]:
        return
    half = (len(found["pictures"]) + 1) // 2
    yield Drawn(
        "Single images",
        _pictures(found["pictures"], half, classes=found["classes"]),
        f"Each image above what its pixels add to {unit}, or take from it (red), by integrated gradients. Upper rows: "
        "the images that it is surest of, and right; lower rows: those that it is most wrong about.",
    )
    first = found["pictures"][0]
    if first["features"]:
        yield Drawn(
            "Feature maps",
            _features(first),
            f"What the channels of the first convolution make of the first image, a {_label(first['truth'])}: above 0 "
            "and below (red), before the nonlinearity.",
        )


def _pictures(pictures: Sequence[Mapping[str, Any]], columns: int, *, classes: bool) -> Figure:
    wide = (WIDTH - 20) / columns
    rows, columns_of = len(pictures[0]["pixels"]), len(pictures[0]["pixels"][0])
    side = min(wide - 12, 150) / max(rows, columns_of)
    high = 2 * side * rows + 44
    brightest = [value for picture in pictures for row in picture["pixels"] for value in row]
    low, high_value = min(brightest), max(brightest)
    figure = Figure(WIDTH, round(high * math.ceil(len(pictures) / columns)), "images and what their pixels add")
    for place, picture in enumerate(pictures):
        left, top = 10 + wide * (place % columns), high * (place // columns) + 18
        told = f"{_label(picture['truth'])}, taken for {_label(picture['predicted'])}"
        figure.text(left, top - 5, told[: max(8, round(wide / 6))], "title")
        shades = [[(value - low) / ((high_value - low) or 1.0) for value in row] for row in picture["pixels"]]
        figure.cells(left, top, side, shades, _INK)
        figure.cells(left, top + side * rows + 6, side, _scaled(picture["saliency"]), _PARTS)
    return figure


def _features(picture: Mapping[str, Any]) -> Figure:
    maps = picture["features"]
    across = min(8, len(maps))
    wide = (WIDTH - 20) / 8
    side = (wide - 8) / max(len(maps[0]), len(maps[0][0]))
    high = side * len(maps[0]) + 22
    figure = Figure(WIDTH, round(high * math.ceil(len(maps) / across)) + 4, "feature maps of the first convolution")
    for place, values in enumerate(maps):
        left, top = 10 + wide * (place % across), high * (place // across) + 16
        figure.text(left, top - 3, f"channel {place}", "tick")
        figure.cells(left, top, side, _scaled(values), _PARTS)
    return figure


def _attention(found: Mapping[str, Any]) -> Iterable[Drawn]:
    heads = found["heads"]
    sharpest = min(heads, key=lambda head: head["spread"])
    yield Drawn(
        f"Layer {sharpest['layer']}, head {sharpest['head']}",
        _labelled(sharpest, found["tokens"]),
        "The head that looks at the fewest tokens: rows look at columns, the stronger the more. It is one stretch of "
        "text; the shares above are means over "
        f"{found['positions']:,} tokens of {found['rows']} stretches.",
    )
    across = min(6, max(head["head"] for head in heads))
    wide = (WIDTH - 20) / across
    count = len(heads[0]["weights"])
    side = min(wide - 10, 170) / count
    high = side * count + 24
    figure = Figure(WIDTH, round(high * math.ceil(len(heads) / across)) + 4, "attention of every head")
    for place, head in enumerate(heads):
        left, top = 10 + wide * (place % across), high * (place // across) + 18
        figure.text(left, top - 5, f"layer {head['layer']} head {head['head']}", "tick")
        figure.line(
            [(left, top), (left + side * count, top), (left + side * count, top + side * count),
             (left, top + side * count), (left, top)], "grid",
        )  # fmt: skip
        figure.cells(left, top, side, _strength(head["weights"]), _PARTS)
    yield Drawn("All heads", figure, "The same stretch of text; a first column that stays strong is a head at rest.")


def _labelled(head: Mapping[str, Any], tokens: Sequence[str]) -> Figure:
    side = min(20.0, (WIDTH - 110) / len(tokens))
    figure = Figure(WIDTH, round(side * len(tokens)) + 84, "attention of one head over tokens")
    for place, token in enumerate(tokens):
        figure.text(92, 76 + side * (place + 0.5) + 4, _token(token), "tick end")
        figure.text(98 + side * (place + 0.5) + 4, 70, _token(token), "tick", turned=True)
    figure.cells(98, 76, side, _strength(head["weights"]), _PARTS)
    return figure


def _strength(weights: Sequence[Sequence[float]]) -> list[list[float]]:
    """Shares by their roots, so that small ones are seen too."""
    return [[math.sqrt(value) for value in row] for row in weights]


def _scaled(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """A map with 1 where it is farthest from 0."""
    largest = max((abs(value) for row in values for value in row), default=0.0) or 1.0
    return [[value / largest for value in row] for row in values]


def _token(token: str) -> str:
    """
    >>> _token(" the"), _token("\\n"), _token("")
    ('·the', '\\\\n', '∅')
    """
    return (
        token.replace(" ", "·").encode("unicode_escape").decode()
        if not token.isprintable()
        else token.replace(" ", "·")
    )[:12] or "∅"


def _label(value: Any) -> str:
    return text.short(value) if isinstance(value, float) else str(value)


def _cut(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
