"""A study and a trial as the output of a notebook's cell: the answer, small figures, the best trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from hpo.search.report import text
from hpo.search.report.out import clean
from hpo.search.report.page import figures
from hpo.search.report.page.html import answer, pairs
from hpo.search.report.page.style import within
from hpo.search.report.page.svg import Figure
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Trial

PLACE = "hpo-cell"
"""Class of the element that the output is."""
_SMALL = (340, 220)
_CURVES = 40
"""Most curves of a small figure."""
_ROWS = 8
"""Trials in the table of the best."""
_STROKE = (90, 20)
_LINES = 10
"""Lines of what a trial printed."""


def study(found: StudyReport) -> str:
    """A study: its answer, what it cost, small figures, the best trials with their curves."""
    question = f" - {found.question}" if found.question else ""
    return _cell(
        f"<b>{_words(found.name)}</b>{_words(question)}",
        answer(found),
        f'<p class="note">{_words(_cost(found))}</p>',
        _side_by_side([figures.curves(found, _SMALL, most=_CURVES), figures.history(found, _SMALL)]),
        _best(found),
    )


def trial(found: StudyReport, one: Trial, printed: str) -> str:
    """A trial: its knobs and end, its curve among the others', the end of what it printed."""
    reached = [f"{metric} {text.short(value)}" for metric, value in zip(found.metrics, one.values, strict=False)]
    after = f" after {len(one.curve)} steps" if one.curve else ""
    knobs = [(name, text.number(value)) for name, value in one.point.items()]
    lines = printed.rstrip().splitlines()[-_LINES:]
    curve = figures.curves(found, _SMALL, most=_CURVES, marked=one.number) if len(one.curve) > 1 else None
    return _cell(
        f"<b>trial {one.number}</b> of {_words(found.name)}: {one.state}, {_words(', '.join(reached) + after)}",
        pairs(knobs, "recipe"),
        f'<p class="note">{_words(one.reason)}</p>' if one.reason else "",
        _side_by_side([curve]),
        f"<pre>{_words(chr(10).join(lines))}</pre>" if lines else "",
    )


def _cell(*parts: str) -> str:
    return f'<div class="{PLACE}"><style>{within(PLACE)}</style>' + "".join(filter(None, parts)) + "</div>"


def _cost(found: StudyReport) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    saved = f", {found.saved:.0%} of epochs saved by pruning" if found.saved > 0 else ""
    return f"{counts or 'no trials'}; {found.points:,} steps{saved}; {text.duration(found.seconds)}"


def _side_by_side(made: Sequence[Figure | None]) -> str:
    shown = "".join(f"<figure>{figure}</figure>" for figure in made if figure is not None)
    return f'<div class="grid2">{shown}</div>' if shown else ""


def _best(found: StudyReport) -> str:
    trials = found.leading()[:_ROWS]
    if not trials:
        return ""
    curves = [value for one in trials for _, value in one.curve if math.isfinite(value)]
    span = (min(curves), max(curves)) if curves else (0.0, 1.0)
    head = "".join(f"<th>{_words(name)}</th>" for name in ("trial", *found.metrics, "steps", "curve", "recipe"))
    rows = (
        [str(one.number), *map(text.short, one.values), str(len(one.curve)), _stroke(one, *span),
         text.recipe(one.point)]
        for one in trials
    )  # fmt: skip
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(map(_row, rows))}</table></div>'


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{c if c.startswith('<svg') else _words(c)}</td>" for c in cells) + "</tr>"


def _stroke(one: Trial, low: float, high: float) -> str:
    """A curve as small as a line of text; all of a table share their axis."""
    wide, tall = _STROKE
    points = [value for _, value in one.curve if math.isfinite(value)]
    if len(points) < 2:
        return ""
    figure = Figure(wide, tall, f"curve of trial {one.number}")
    step, span = (wide - 4) / (len(points) - 1), (high - low) or 1.0
    places = [(2 + i * step, tall - 3 - (value - low) / span * (tall - 6)) for i, value in enumerate(points)]
    figure.line(places, "curve best3")
    return str(figure).replace(f"--wide:{figure.width}px", f"width:{wide}px", 1)


def _words(shown: str) -> str:
    return escape(clean(shown))
