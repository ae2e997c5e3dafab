"""A study's page: question, answer, cost, figures, how to repeat it; one file with its style and no script."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from hpo.search.report import batch, combined, show, text
from hpo.search.report.flattery import flattery
from hpo.search.report.importance import importance
from hpo.search.report.out import clean
from hpo.search.report.page import figures
from hpo.search.report.page.drawn import drawn
from hpo.search.report.page.explained import explained, summary
from hpo.search.report.page.style import STYLE
from hpo.search.report.study import StudyReport
from hpo.search.terms.winner import Winner

ROWS = 20
"""Trials in the table of the best."""
MOST_CLASSES = 40
"""Classes whose confusion can still be looked at."""


def page(found: StudyReport, explanation: Mapping[str, Any] | str = "") -> str:
    """The page, UTF-8 text; nothing in it is loaded from elsewhere.

    Args:
        found: a finished or running study.
        explanation: of the winner's model, see ``explained``; or how to get one, in a sentence.
    """
    return _document(
        found.name,
        found.question,
        [answer(found), _cost(found), *_sections(found, explanation), _repeat(found) if found.winner else ""],
    )


def model_page(title: str, question: str, facts: Sequence[tuple[str, str]], found: Mapping[str, Any]) -> str:
    """A page that explains a trained model.

    Args:
        title: of the page.
        question: what it answers.
        facts: (name, value) pairs of the model.
        found: the explanation, see ``explained``.
    """
    return _document(title, question, [pairs(facts, "answer"), *_explained(found)])


def _document(title: str, question: str, parts: Iterable[str]) -> str:
    """A whole page."""
    name = escape(clean(title))
    head = [f"<h1>{name}</h1>", f'<p class="question">{escape(clean(question))}</p>' if question else ""]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(filter(None, [*head, *parts]))
        + "\n</main></body></html>\n"
    )


def _sections(found: StudyReport, explanation: Mapping[str, Any] | str) -> Iterable[str]:
    known = importance(found)
    for title, figure, note in drawn(found, known):
        yield _figure(title, str(figure), note)
    if not known.shares and found.trials:
        yield f"<h2>Which knobs matter</h2><p>{escape(known.note)}</p>"
    slices = figures.slices(found)
    if slices:
        yield (
            "<h2>Each knob</h2>"
            + '<div class="grid2">'
            + "".join(f"<figure>{figure}</figure>" for _, figure in slices)
            + "</div>"
        )
    if told := batch.lines(found):
        yield "<h2>Batch size</h2>" + _list(told)
    yield from _picture(found.winner) if found.winner else ()
    if found.winner and found.winner.ensemble is not None:
        ensemble = found.winner.ensemble
        yield "<h2>Models combined</h2>" + _list(combined.lines(ensemble))
        yield _table([ensemble.metric, *combined.HEAD], combined.rows(ensemble))
    yield from _explained(explanation)
    yield _best(found)
    for state, title in (("pruned", "Why trials were stopped"), ("failed", "Why trials failed")):
        if told := show.endings(found, state, 12):
            yield f"<h2>{title}</h2>" + _list(told)


def _explained(explanation: Mapping[str, Any] | str) -> Iterable[str]:
    """What the winner's model follows from, or how to get to know."""
    if isinstance(explanation, str):
        if explanation:
            yield f'<h2>What the predictions follow from</h2><p class="note">{escape(clean(explanation))}</p>'
        return
    yield _list(summary(explanation))
    for title, figure, note in explained(explanation):
        yield _figure(title, str(figure), note)


def answer(found: StudyReport) -> str:
    """The winner: its value and interval, its test scores, its recipe."""
    if found.winner is None:
        return '<p class="answer">No winner has been chosen yet.</p>'
    first, several = found.winner.first, len(found.goals) > 1
    rows = [("winner" if not several else "first of the front", f"trial {first.trial}")]
    for place, goal in enumerate(found.goals):
        shown = text.interval(first.mean[place], first.halves()[place])
        runs = f"mean of {len(first.runs)} fresh runs" if first.runs else "one run, the best of many: rather optimistic"
        rows.append((goal, f"{shown} ({runs})"))
        if first.runs:
            rows.append(("in the search", text.short(first.searched[place])))
    if sentence := flattery(found):
        rows.append(("the best value seen", sentence))
    if found.winner.test:
        rows.append(("test part, measured once", text.scores(_numbers(found.winner.test), found.metrics)))
    recipe = [(name, text.number(value)) for name, value in sorted(found.winner.recipe.items())]
    return pairs(rows, "answer") + "<h2>Recipe</h2>" + pairs(recipe, "recipe")


def _cost(found: StudyReport) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    rows = [("trials", f"{sum(found.counts.values())}: {counts or 'none'}"), ("steps trained", f"{found.points:,}")]
    if found.saved > 0:
        rows.append(("saved by pruning", f"{found.saved:.0%} of the steps of complete training"))
    rows.append(("time", text.duration(found.seconds)))
    rows += [(what, text.duration(took)) for what, took in found.spent.items() if took and len(found.spent) > 1]
    return "<h2>What it cost</h2>" + pairs(rows, "cost")


def _picture(winner: Winner) -> Iterable[str]:
    """Where the winner errs on the test part."""
    matrix, bins = winner.picture.get("confusion_matrix"), winner.picture.get("calibration")
    if bins:
        of = "of values" if not matrix else "of the second class" if len(matrix) == 2 else "of the class predicted"
        told = f"Predictions {of} against what was true on the test part; on the line they say what is so."
        yield _figure("Calibration", str(figures.calibration(bins, values=not matrix)), told)
    if matrix and len(matrix) <= MOST_CLASSES:
        labels = winner.picture.get("labels") or [str(i) for i in range(len(matrix))]
        note = "True classes in rows, predicted ones in columns, on the test part."
        yield _figure("Confusion", str(figures.confusion(matrix, labels)), note)


def _numbers(scores: Any) -> dict[str, float]:
    return {name: value for name, value in scores.items() if isinstance(value, (int, float))}


def _best(found: StudyReport) -> str:
    trials = found.leading()[:ROWS]
    if not trials:
        return ""
    names = list(dict.fromkeys(name for trial in trials for name in trial.point))
    head = ["trial", *found.metrics, "steps", *names]
    rows = [
        [
            str(trial.number),
            *map(text.short, trial.values),
            str(len(trial.curve)),
            *(text.number(_rounded(trial.point[name])) if name in trial.point else "" for name in names),
        ]
        for trial in trials
    ]
    return "<h2>Best trials</h2>" + _table(head, rows)


def _rounded(value: Any) -> Any:
    return float(text.short(value)) if isinstance(value, float) else value


def _repeat(found: StudyReport) -> str:
    name = shlex.quote(found.name)
    commands = f"hpo export --study {name} --output best.yaml\nhpo train best.yaml"
    known = found.definition.get("versions") or {}
    versions = ", ".join(f"{package} {version}" for package, version in known.items())
    parts = ["<h2>How to repeat it</h2>", f"<pre>{escape(commands)}</pre>"]
    if found.study_file:
        parts.append(
            f"<details open><summary>study file</summary><pre>{escape(clean(found.study_file))}</pre></details>"
        )
    if versions:
        parts.append(f'<p class="note">Trained with {escape(versions)}.</p>')
    return "".join(parts)


def _figure(title: str, figure: str, note: str) -> str:
    return f"<h2>{escape(title)}</h2><figure>{figure}<figcaption>{escape(note)}</figcaption></figure>"


def pairs(rows: Sequence[tuple[str, str]], kind: str) -> str:
    """Names with their values, one below the other."""
    cells = "".join(f"<dt>{escape(clean(name))}</dt><dd>{escape(clean(value))}</dd>" for name, value in rows)
    return f'<dl class="{kind}">{cells}</dl>'


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(clean(line))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{escape(clean(cell))}</{kind}>" for cell in cells) + "</tr>"

    return '<div class="wide"><table>' + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table></div>"
