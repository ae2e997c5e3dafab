"""What a study's page shows in figures: curves, knobs, finalists, fronts; None where there is nothing to see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.search.report import text
from hpo.search.report.page.svg import BOTTOM, LEFT, RIGHT, TOP, Axis, Figure, categories, numbers
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Curve, Trial

WIDTH, HEIGHT = 720, 320
CURVES = 240
"""Most curves drawn: all complete ones and finalists first, then pruned ones evenly over the study."""

_LETTER = 7
"""Pixels of a letter of an axis' title."""
_LAYERS = ("winner", "best3")
"""Looks of neighbouring layers."""

KINDS = {"complete": "complete", "pruned": "pruned", "failed": "failed"}


def sign_of(found: StudyReport) -> float:
    """1 where the first goal is minimized, -1 where it is maximized."""
    return -1.0 if found.goals and found.goals[0].startswith("maximize") else 1.0


def _values(found: StudyReport, values: Sequence[float], start: float, end: float, title: str) -> Axis:
    """An axis for values of the first goal; the worst tenth may lie at its end, so that the best can be told apart."""
    finite = sorted((value for value in values if math.isfinite(value)), key=lambda value: sign_of(found) * value)
    return numbers(title, finite[: max(2, math.ceil(len(finite) * 0.9))], start, end)


def curves(
    found: StudyReport, size: tuple[int, int] = (WIDTH, HEIGHT), *, most: int = CURVES, marked: int | None = None
) -> Figure | None:
    """Learning curves of the trials, the winner's on top, or that of the trial numbered ``marked``."""
    width, height = size
    with_curves = [trial for trial in found.trials if len(trial.curve) > 1]
    if not with_curves:
        return None
    if marked is None:
        marked = found.winner.first.trial if found.winner else None
    complete = [trial for trial in with_curves if trial.state == "complete"]
    others = [trial for trial in with_curves if trial.state != "complete"]
    room = max(most - len(complete), most // 3)
    shown = others[:: max(1, -(-len(others) // room))] + complete[-most:]
    shown += [trial for trial in with_curves if trial.number == marked and trial not in shown]
    shown.sort(key=lambda trial: trial.number == marked)
    x = numbers("step", [step for trial in shown for step, _ in trial.curve], LEFT, width - RIGHT, log=False)
    metric = found.metrics[0] if found.metrics else "value"
    y = _values(found, [v for trial in shown for _, v in trial.curve], height - BOTTOM, TOP, metric)
    figure = Figure(width, height, f"learning curves of {len(shown)} of {len(found.trials)} trials")
    figure.frame(x, y)
    for trial in shown:
        kind = "winner" if trial.number == marked else KINDS.get(trial.state, "pruned")
        points = [(x(step), y(value)) for step, value in _thinned(trial.curve) if math.isfinite(value)]
        why = trial.reason.partition("\n")[0] or trial.state
        figure.line(points, f"curve {kind}", f"trial {trial.number}: {why}")
    return figure


def _thinned(curve: Sequence[tuple[int, float]], most: int = 80) -> Sequence[tuple[int, float]]:
    if len(curve) <= most:
        return curve
    return [curve[round(i * (len(curve) - 1) / (most - 1))] for i in range(most)]


def history(found: StudyReport, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Figure | None:
    """Values of the trials in their order, and the best so far."""
    width, height = size
    valued = [trial for trial in found.trials if trial.values and math.isfinite(trial.values[0])]
    complete = [trial for trial in valued if trial.state == "complete"]
    if len(complete) < 2:
        return None
    sign = sign_of(found)
    x = numbers("trial", [trial.number for trial in found.trials], LEFT, width - RIGHT, log=False)
    y = _values(found, [trial.values[0] for trial in valued], height - BOTTOM, TOP, found.metrics[0])
    figure = Figure(width, height, "value of each trial, and the best so far")
    figure.frame(x, y)
    for state in ("pruned", "complete"):
        figure.dots([(x(t.number), y(t.values[0])) for t in valued if t.state == state], state)
    best, line = math.inf, list[tuple[float, float]]()
    for trial in complete:
        if sign * trial.values[0] < best:
            if line:
                line.append((x(trial.number), line[-1][1]))
            best = sign * trial.values[0]
            line.append((x(trial.number), y(trial.values[0])))
    figure.line([*line, (float(width - RIGHT), line[-1][1])], "best")
    return figure


def finalists(found: StudyReport) -> Figure | None:
    """Means and intervals of the finalists' fresh runs, each run, and what the search had promised."""
    if not found.winner or len(found.goals) > 1 or not any(c.runs for c in found.winner.candidates):
        return None
    leaders = [candidate for candidate in found.winner.candidates if candidate.runs][:12]
    spans = [(c.mean[0] - (h or 0.0), c.mean[0] + (h or 0.0)) for c in leaders for h in [c.halves()[0]]]
    runs = [run[0] for c in leaders for run in c.runs if run and math.isfinite(run[0])]
    everything = [*runs, *(value for span in spans for value in span), *(c.searched[0] for c in leaders)]
    height = TOP + BOTTOM + 30 * len(leaders)
    x = numbers(found.metrics[0], everything, LEFT, WIDTH - RIGHT)
    y = categories("trial", [str(c.trial) for c in leaders], TOP, height - BOTTOM)
    figure = Figure(WIDTH, height, "finalists: mean and 95 % interval of fresh runs, and the value in the search")
    figure.frame(x, y)
    for place, (leader, (low, high)) in enumerate(zip(leaders, spans, strict=True)):
        at = y(place)
        figure.line([(x(low), at), (x(high), at)], "interval")
        figure.dots([(x(run[0]), at) for run in leader.runs if run and math.isfinite(run[0])], "run")
        figure.dots([(x(leader.mean[0]), at)], "winner" if place == 0 else "complete")
        figure.line([(x(leader.searched[0]), at - 8), (x(leader.searched[0]), at + 8)], "searched")
    return figure


def slices(found: StudyReport) -> list[tuple[str, Figure]]:
    """A figure for each searched knob: value over the knob, trials that were trained to the end apart from others."""
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.point))
    made = []
    for name in names:
        having = [t for t in found.trials if name in t.point and t.values and math.isfinite(t.values[0])]
        if len({repr(trial.point[name]) for trial in having}) > 1:
            made.append((name, _slice(found, name, having)))
    return made


def knob_axis(
    title: str, values: Sequence[Any], start: float, end: float, *, room: float = 0.03
) -> tuple[Axis, Mapping[str, float] | None]:
    """An axis for a knob, and the places of its values where they are names."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return numbers(title, [float(value) for value in values], start, end, room=room), None
    names = sorted({text.number(value) for value in values})
    return categories(title, names, start, end), {name: float(i) for i, name in enumerate(names)}


def _slice(found: StudyReport, name: str, trials: Sequence[Trial]) -> Figure:
    width, height = 340, 220
    x, places = knob_axis(name, [trial.point[name] for trial in trials], LEFT, width - RIGHT)
    y = _values(found, [trial.values[0] for trial in trials], height - BOTTOM, TOP, found.metrics[0])
    figure = Figure(width, height, f"{found.metrics[0]} over {name}")
    figure.frame(x, y)
    winner = found.winner.first.trial if found.winner else None

    def at(trial: Trial) -> tuple[float, float]:
        value = trial.point[name]
        return x(float(value) if places is None else places[text.number(value)]), y(trial.values[0])

    for state in ("pruned", "complete"):
        figure.dots([at(trial) for trial in trials if trial.state == state and trial.number != winner], state)
    figure.dots([at(trial) for trial in trials if trial.number == winner], "winner")
    return figure


def parallel(found: StudyReport, most: int = 300) -> Figure | None:
    """Recipes as lines over one axis a knob, the better the stronger; the last axis is the value."""
    trials = [trial for trial in found.ranked() if math.isfinite(trial.values[0])][:most]
    names = [name for name in dict.fromkeys(n for t in trials for n in t.point) if all(name in t.point for t in trials)]
    names = [name for name in names if len({repr(trial.point[name]) for trial in trials}) > 1]
    if len(trials) < 3 or len(names) < 2:
        return None
    width, height, bottom = max(WIDTH, 90 * (len(names) + 1)), 300, 300 - 34
    figure = Figure(width, height, "recipes of the complete trials over their knobs")
    steps = (width - 120) / len(names)
    columns = [60 + i * steps for i in range(len(names) + 1)]
    axes = [knob_axis(name, [t.point[name] for t in trials], bottom, 20, room=0.0) for name in names]
    last = numbers(found.metrics[0], [trial.values[0] for trial in trials], bottom, 20, room=0.0)
    for place, trial in reversed(list(enumerate(trials))):
        points = []
        for column, name, (axis, places) in zip(columns, names, axes, strict=False):
            value = trial.point[name]
            points.append((column, axis(float(value) if places is None else places[text.number(value)])))
        points.append((columns[-1], last(trial.values[0])))
        share = place / max(1, len(trials) - 1)
        kind = "winner" if place == 0 else "best3" if share < 0.1 else "complete" if share < 0.5 else "pruned"
        figure.line(points, f"curve {kind}", f"trial {trial.number}: {text.recipe(trial.point)}")
    for column, axis in zip(columns, [*(axis for axis, _ in axes), last], strict=True):
        figure.line([(column, 20), (column, bottom)], "axis")
        figure.text(column, height - 8, axis.title, "title mid")
        ends = axis.ticks() if axis.names else [(axis.low, text.short(axis.low)), (axis.high, text.short(axis.high))]
        for value, label in ends:
            figure.text(column + 4, axis(value) + 4, label, "tick")
    return figure


def front(found: StudyReport) -> Figure | None:
    """Two goals against each other, the front that no trial beats apart."""
    if len(found.metrics) != 2:
        return None
    trials = [t for t in found.trials if len(t.values) == 2 and all(map(math.isfinite, t.values))]
    if len(trials) < 2:
        return None
    x = numbers(found.goals[0], [trial.values[0] for trial in trials], LEFT, WIDTH - RIGHT)
    y = numbers(found.goals[1], [trial.values[1] for trial in trials], HEIGHT - BOTTOM, TOP)
    figure = Figure(WIDTH, HEIGHT, f"{found.metrics[0]} against {found.metrics[1]}")
    figure.frame(x, y)
    figure.dots([(x(t.values[0]), y(t.values[1])) for t in trials], "complete")
    best = sorted(found.front(), key=lambda trial: trial.values[0])
    figure.line([(x(t.values[0]), y(t.values[1])) for t in best], "best")
    figure.dots([(x(t.values[0]), y(t.values[1])) for t in best], "winner")
    return figure


def bars(rows: Sequence[tuple[str, float]], label: str) -> Figure:
    """Shares of 1 as bars."""
    height = 22 * len(rows) + 12
    figure = Figure(WIDTH, height, label)
    for place, (name, share) in enumerate(rows):
        top = 6 + 22 * place
        figure.text(178, top + 13, name, "tick end")
        figure.bar(186, top + 2, share * (WIDTH - 260), 14, "bar")
        figure.text(192 + share * (WIDTH - 260), top + 13, f"{share:.0%}", "tick")
    return figure


def layers(curves: Mapping[str, Curve], title: str, *, share: bool) -> Figure:
    """A statistic of training over its steps, a line for each layer; a ``share`` is on an even scale from 0."""
    end, height = WIDTH - RIGHT - 70, 220
    x = numbers("step", [step for curve in curves.values() for step, _ in curve], LEFT, end, log=False)
    values = [value for curve in curves.values() for _, value in curve]
    whole = [0.0, 0.1] if share else []
    y = numbers(title, [*whole, *values], height - BOTTOM, TOP, log=False if share else None)
    figure = Figure(WIDTH, height, f"{title} over the steps of training")
    figure.frame(x, y)
    names, free = list(curves), float(TOP)
    for name, curve in sorted(curves.items(), key=lambda item: y(item[1][-1][1])):
        points = [(x(step), y(value)) for step, value in _thinned(curve) if math.isfinite(value)]
        if len(points) == 1:
            figure.dots(points, "complete")
        figure.line(points, f"curve {_LAYERS[names.index(name) % len(_LAYERS)]}", name)
        label = name.partition("/")[2]
        if points and label and (at := max(points[-1][1], free)) <= height - BOTTOM + 6:
            figure.text(points[-1][0] + 6, at + 4, label[:11], "tick")
            free = at + 12
    return figure


def heat(cells: Mapping[str, Any]) -> Figure | None:
    """The heat map of ``plots.rate_and_batch``: best value by learning rate and batch, the better the stronger."""
    data = cells["data"][0]
    rows, columns = [str(tick) for tick in data["y"]], len(data["z"][0]) if data["z"] else 0
    if not rows or not columns:
        return None
    ticks = data["x"]
    edges = len(ticks) == columns + 1
    names = [f"{math.sqrt(ticks[i] * ticks[i + 1]):.2g}" if edges else str(ticks[i]) for i in range(columns)]
    height = TOP + BOTTOM + max(26 * len(rows), _LETTER * len(cells["layout"]["yaxis"]["title"]["text"]))
    x = categories(cells["layout"]["xaxis"]["title"]["text"], names, LEFT, WIDTH - RIGHT)
    y = categories(cells["layout"]["yaxis"]["title"]["text"], rows, height - BOTTOM, TOP)
    figure = Figure(WIDTH, height, "best value by learning rate and batch")
    figure.frame(x, y)
    wide, last = (WIDTH - RIGHT - LEFT) / columns, max(1, data["zmax"])
    for i, row in enumerate(data["z"]):
        for j, rank in enumerate(row):
            if rank is not None:
                top = y(i) - 12
                strength = 1 - rank / last
                figure.bar(
                    x(j) - wide / 2 + 1,
                    top,
                    wide - 2,
                    24,
                    "cell",
                    data["hovertext"][i][j].replace("<br>", ", "),
                    0.08 + 0.72 * strength,
                )
                figure.text(x(j), top + 16, data["text"][i][j], "on mid")
    return figure


def calibration(bins: Sequence[tuple[float, float, int]], *, values: bool) -> Figure:
    """Predictions against what was true, a dot for each bin of rows; ``values`` are in the target's own units."""
    side = 360
    both = [value for told, true, _ in bins for value in (told, true)] if values else [0.0, 1.0]
    x = numbers("predicted", both, LEFT, side - RIGHT, log=False)
    y = numbers("true", both, side - BOTTOM, TOP, log=False)
    figure = Figure(side, side, "calibration: predictions against what was true")
    figure.frame(x, y)
    figure.line([(x(min(both)), y(min(both))), (x(max(both)), y(max(both)))], "ideal")
    figure.line([(x(told), y(true)) for told, true, _ in bins], "interval", ", ".join(f"{n} rows" for *_, n in bins))
    figure.dots([(x(told), y(true)) for told, true, _ in bins], "complete")
    return figure


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Counts of true classes (rows) and predicted ones (columns)."""
    count = len(matrix)
    side = min(44, max(18, 520 // max(1, count)))
    left, top = 120, 30
    figure = Figure(left + side * count + 20, top + side * count + 16, "confusion matrix")
    figure.text(left + side * count / 2, 14, "predicted", "title mid")
    for i, row in enumerate(matrix):
        total = max(1, sum(row))
        figure.text(left - 6, top + side * (i + 0.5) + 4, classes[i][:16], "tick end")
        for j, number in enumerate(row):
            kind = "cell" if i == j else "cell wrong"
            share = number / total
            figure.bar(
                left + side * j,
                top + side * i,
                side - 1,
                side - 1,
                kind,
                f"{classes[i]} taken for {classes[j]}: {number}",
                0.05 + 0.75 * share,
            )
            if number and side >= 22:
                figure.text(left + side * (j + 0.5), top + side * (i + 0.5) + 4, str(number), "on mid")
    return figure
