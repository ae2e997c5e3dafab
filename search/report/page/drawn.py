"""The figures of a study with their titles and what to know of them: for its page, a terminal and a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hpo.search.report import plots
from hpo.search.report.importance import Importance
from hpo.search.report.page import figures
from hpo.search.report.page.svg import Figure
from hpo.search.report.study import StudyReport
from hpo.search.terms.plain_space import space_from


class Drawn(NamedTuple):
    """A figure, what it is of, and what to know of it."""

    title: str
    figure: Figure
    note: str


def drawn(found: StudyReport, known: Importance) -> Iterable[Drawn]:
    """Every figure that there is something to see on; ``known`` is the importance of the study's knobs."""
    bars = figures.bars(list(known.shares.items()), "importance of the knobs") if known.shares else None
    made = [
        ("Finalists", figures.finalists(found), "Mean (large dot), 95 % interval and each fresh run; the upright mark "
         "is the value in the search, the best of many and so rather optimistic."),
        ("Front", figures.front(found), "Trials on the line are beaten by no other in both goals."),
        ("Learning curves", figures.curves(found), _curves_note(found)),
        ("Search", figures.history(found), "Each trial's value in its order, pruned ones faint, and the best so far."),
        ("Learning rate and batch", _heat(found), "Best value of each cell, in parentheses where all were pruned."),
        ("Which knobs matter", bars, known.note or "Share of the variance over the space that each knob explains."),
        ("Recipes", figures.parallel(found), f"Complete trials, the better the stronger{_in_colour(found)}."),
    ]  # fmt: skip
    return [Drawn(title, figure, note) for title, figure, note in made if figure is not None]


def _curves_note(found: StudyReport) -> str:
    long = sum(len(trial.curve) > 1 for trial in found.trials)
    cut = f" {figures.CURVES} of {long} are drawn." if long > figures.CURVES else ""
    return f"Complete trials are dark, pruned ones faint{_in_colour(found)}; hover for why each ended.{cut}"


def _in_colour(found: StudyReport) -> str:
    return ", the winner in colour" if found.winner else ""


def _heat(found: StudyReport) -> Figure | None:
    space = space_from(found.definition.get("space") or {})
    fixed = found.definition.get("fixed") or {}
    if len(found.goals) != 1:
        return None
    tried = [
        plots.Tried(trial.number, {**fixed, **trial.point}, trial.values[0], trial.state == "complete")
        for trial in found.trials
        if trial.values and trial.state in ("complete", "pruned")
    ]
    cells = plots.rate_and_batch(
        space, fixed, tried, metric=found.metrics[0], maximize=figures.sign_of(found) < 0,
        winner=found.winner.first.trial if found.winner else None,
    )  # fmt: skip
    return figures.heat(cells) if cells is not None else None
