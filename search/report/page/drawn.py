"""The figures of a study with their titles and what to know of them: for its page, a terminal and a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from hpo.search.report import plots
from hpo.search.report.page import figures
from hpo.search.report.page.svg import Figure
from hpo.search.report.study import StudyReport
from hpo.search.terms.plain_space import space_from
from hpo.search.terms.statistics import STATISTICS

if TYPE_CHECKING:
    from hpo.search.report.importance import Importance


class Drawn(NamedTuple):
    """A figure, what it is of, and what to know of it."""

    title: str
    figure: Figure
    note: str


def drawn(found: StudyReport, known: Importance) -> Iterable[Drawn]:
    """Every figure that there is something to see on; ``known`` is the importance of the study's knobs."""
    made = [
        finalists(found), front(found), curves(found), history(found), rate_by_batch(found), knobs(known),
        recipes(found),
    ]  # fmt: skip
    there = (Drawn(one.title, one.figure, one.note) for one in made if one.figure is not None)
    return [*there, *_statistics(found)]


class Perhaps(NamedTuple):
    """A figure with its title and what to know of it, or why there is none."""

    title: str
    figure: Figure | None
    note: str


def finalists(found: StudyReport) -> Perhaps:
    """Fresh runs of the finalists."""
    note = (
        "Mean (large dot), 95 % interval and each fresh run; the upright mark is the value in the search, the best of "
        "many and so rather optimistic."
    )
    return _made("Finalists", figures.finalists(found), note, "no finalist has fresh runs of one goal")


def front(found: StudyReport) -> Perhaps:
    """Two goals against each other."""
    note = "Trials on the line are beaten by no other in both goals."
    return _made("Front", figures.front(found), note, "it takes two goals, and two complete trials")


def curves(found: StudyReport) -> Perhaps:
    """Learning curves."""
    return _made("Learning curves", figures.curves(found), _curves_note(found), "no trial has a curve of two points")


def history(found: StudyReport) -> Perhaps:
    """Values in the order of the trials."""
    note = "Each trial's value in its order, pruned ones faint, and the best so far."
    return _made("Search", figures.history(found), note, "it takes two complete trials")


def rate_by_batch(found: StudyReport) -> Perhaps:
    """Best value by learning rate and batch."""
    note = "Best value of each cell, in parentheses where all were pruned."
    why = "it takes one goal, and a search of a learning rate and a batch size"
    return _made("Learning rate and batch", _heat(found), note, why)


def knobs(known: Importance) -> Perhaps:
    """How much each knob matters."""
    bars = figures.bars(list(known.shares.items()), "importance of the knobs") if known.shares else None
    note = known.note or "Share of the variance over the space that each knob explains."
    return _made("Which knobs matter", bars, note, known.note)


def recipes(found: StudyReport) -> Perhaps:
    """Complete trials over their knobs."""
    note = f"Complete trials, the better the stronger{_in_colour(found)}."
    return _made("Recipes", figures.parallel(found), note, "it takes three complete trials that differ in two knobs")


def _made(title: str, figure: Figure | None, note: str, why_not: str) -> Perhaps:
    return Perhaps(title, figure, note if figure is not None else why_not)


def _statistics(found: StudyReport) -> Iterable[Drawn]:
    """Statistics of the training of the winner's trial, or of the best so far, where they were recorded."""
    trial = next((trial for trial in found.leading() if trial.statistics), None)
    for kind, what in STATISTICS.items() if trial is not None else ():
        assert trial is not None
        layers = {name: curve for name, curve in trial.statistics.items() if name.partition("/")[0] == kind}
        if layers:
            title = kind.replace("_", " ").capitalize()
            note = f"Of trial {trial.number}: {what}; a line for each layer, named as the weights are."
            yield Drawn(f"{title} through training", figures.layers(layers, kind, share=what.startswith("share")), note)


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
