"""Printing a study's report: the winner, the trials, why trials ended, what to do next."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from typing import Any

from hpo.search.report import combined, out, text
from hpo.search.report.flattery import flattery
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Trial
from hpo.search.terms.winner import Candidate, beaten


def escape(text: str) -> str:
    """The same text for a line with rich's markup, whose brackets mean nothing.

    >>> escape("a [bold] name")
    'a \\\\[bold] name'
    """
    from rich import markup

    return markup.escape(text)


def result(found: StudyReport) -> dict[str, Any]:
    """The outcome as plain data: counts and the winner."""
    return {
        "study": found.name, "goals": list(found.goals), "counts": dict(found.counts), "points": found.points,
        "saved": found.saved, "seconds": found.seconds, "spent": dict(found.spent),
        "winner": found.winner.plain() if found.winner else None,
    }  # fmt: skip


def print_result(found: StudyReport, storage: str | None = None) -> None:
    """Print how the search ended and the commands that go on from here."""
    console = out.console()
    for line in headline(found):
        console.print(line)
    if found.winner:
        console.print("")
        for line in verdict(found):
            console.print(line)
    else:
        console.print("")
        console.print(_no_winner(found), markup=False)
    option = f" --storage {shlex.quote(storage)}" if storage else ""
    name = shlex.quote(found.name)
    console.print("")
    console.print(f"look:    hpo dashboard{option}", markup=False)
    if not found.winner:
        return
    console.print(f"export:  hpo export --study {name}{option} --output best.yaml", markup=False)
    console.print("train:   hpo train best.yaml", markup=False)


def _no_winner(found: StudyReport) -> str:
    """Why an ended study has none, and what to do."""
    if not found.trials:
        why = "no trial was started"
    elif any(trial.curve for trial in found.trials):
        why = "no trial was complete"
    else:
        why = "no trial came to its first point"
    return f"no winner: {why} before the budget was spent; raise it and run the same command again, which goes on"


def headline(found: StudyReport) -> list[str]:
    """Counts, cost and savings."""
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    saved = f", {found.saved:.0%} of epochs saved by pruning" if found.saved > 0 else ""
    title = f"[bold]{escape(found.name)}[/bold]" + (f" - {escape(found.question)}" if found.question else "")
    status = [f"being run by {escape(found.running)}"] if found.running else []
    line = f"{sum(found.counts.values())} trials ({counts or 'none'}), {found.points} steps{saved}"
    parts = [f"{what} {text.duration(took)}" for what, took in found.spent.items() if took]
    on = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    return [title, *status, f"{line}, {text.duration(found.seconds)}{on}"]


def verdict(found: StudyReport) -> list[str]:
    """The winner: its recipe, its value over fresh runs, what the search had promised, its test scores."""
    assert found.winner is not None
    leaders = found.winner.candidates
    several = len(found.goals) > 1
    title = "Pareto front" if several else "winner"
    signs = [-1.0 if goal.startswith("maximize") else 1.0 for goal in found.goals]
    worse = beaten(leaders, signs) if several else {}
    lines = []
    for leader in leaders if several else leaders[:1]:
        lines.append(f"[bold green]{title}[/bold green] trial {leader.trial}: {escape(text.recipe(leader.point))}")
        for i, metric in enumerate(found.metrics):
            half = leader.halves()[i]
            how = _how(len(leader.runs), half, leader.pooled[i] if leader.pooled else 1)
            searched = f"; {text.short(leader.searched[i])} in the search" if leader.runs else ""
            lines.append(f"  {escape(metric)} [bold]{text.interval(leader.mean[i], half)}[/bold] {how}{searched}")
        if leader.trial in worse:
            lines.append(f"  [dim]by their fresh runs no better than trial {worse[leader.trial]} at any goal[/dim]")
        title = " " * len(title)
    if not several and len(leaders) > 1:
        lines += _runners_up(leaders)
    if not found.counts.get("complete"):
        lines.append(
            "  no trial came to its end within the budget: these are the best by their early points; "
            "raise it and run the same command again, which goes on"
        )
    sentence = flattery(found)
    lines += [f"  [dim]{escape(sentence)}[/dim]"] if sentence else []
    if found.winner.test:
        lines.append(f"  test split, measured once: {escape(text.scores(found.winner.test, found.metrics))}")
    if found.winner.ensemble is not None:
        first, *rest = combined.lines(found.winner.ensemble)
        lines += [f"  {escape(first)}", *(f"    {escape(line)}" for line in rest)]
    return lines


def _runners_up(leaders: Sequence[Candidate]) -> list[str]:
    first, second = leaders[:2]
    most = max(len(c.runs) for c in leaders)
    some = [f" over {len(c.runs)} of {most} fresh runs" if len(c.runs) < most else "" for c in leaders]
    shown = [
        f"trial {c.trial} {text.interval(c.mean[0], c.halves()[0])}{of}"
        for c, of in zip(leaders[1:], some[1:], strict=True)
    ]
    lines = [f"  next: {'; '.join(shown)}"]
    if first.half and second.runs and abs(first.mean[0] - second.mean[0]) < first.half[0]:
        more = f"--confirm '{{seeds: {2 * len(first.runs) + 1}}}'"
        lines.append(f"  [dim]trial {second.trial} is as good within the noise; to tell them apart: {more}[/dim]")
    return lines


def trial_rows(trials: list[Trial], limit: int) -> list[tuple[str, ...]]:
    """Rows of a table of trials: number, state, value, steps, curve, recipe."""
    curves = [value for trial in trials[:limit] for _, value in trial.curve if math.isfinite(value)]
    low, high = (min(curves), max(curves)) if curves else (0.0, 1.0)
    return [
        (
            str(trial.number),
            trial.state,
            ", ".join(map(text.short, trial.values)),
            str(len(trial.curve)),
            text.sparkline([value for _, value in trial.curve], 16, low, high),
            text.recipe(trial.point),
        )
        for trial in trials[:limit]
    ]


def statistics(trial: Trial) -> list[str]:
    """Statistics of a trial's training, where they were recorded: a line for each, from its first point to its last.

    >>> statistics(Trial(0, {}, (), "complete", statistics={"dead_units/2": ((1, 0.0), (2, 0.25))}))
    ['statistics of its training:', '  dead_units/2     0 ▁█ 0.25']
    """
    if not trial.statistics:
        return []
    width = max(map(len, trial.statistics))
    lines = [
        f"  {name:<{width}} {text.short(curve[0][1]):>5} {text.sparkline([value for _, value in curve])} "
        f"{text.short(curve[-1][1])}"
        for name, curve in sorted(trial.statistics.items())
    ]
    return ["statistics of its training:", *lines]


def endings(found: StudyReport, state: str, most: int = 5) -> list[str]:
    """Why trials were pruned or failed, most frequent first; reasons that differ in their numbers only are one."""
    groups: dict[str, list[Trial]] = {}
    for trial in found.trials:
        if trial.state == state:
            groups.setdefault("#".join(_NUMBER.split(_first_line(trial)))[:60], []).append(trial)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [f"{len(trials)} x {_common(trials)} ({_named(trials)})" for trials in ordered[:most]]


_NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf|nan)(?![\w])", re.IGNORECASE)


def _first_line(trial: Trial) -> str:
    return trial.reason.partition("\n")[0]


def _common(trials: Sequence[Trial]) -> str:
    """The reason of several trials, with the span of each number in which theirs differ.

    >>> _common([Trial(i, {}, (), "pruned", reason=f"place {9 - i} of 9 at step 3") for i in range(3)])
    'place 7 to 9 of 9 at step 3'
    """
    first = trials[0].reason or "no reason recorded"
    texts = [_NUMBER.split(_first_line(trial)) for trial in trials]
    if len(trials) == 1 or any(text != texts[0] for text in texts):
        return first
    columns = zip(*(_NUMBER.findall(_first_line(trial)) for trial in trials), strict=True)
    spans = [_span(column) for column in columns]
    return "".join(part for pair in zip(texts[0], [*spans, ""], strict=True) for part in pair) or first


def _span(numbers: Sequence[str]) -> str:
    """The one number, or the least and the greatest of several."""
    if len(set(numbers)) == 1:
        return numbers[0]
    ordered = sorted(numbers, key=lambda number: (math.isnan(float(number)), float(number)))
    return f"{ordered[0]} to {ordered[-1]}"


def _named(trials: Sequence[Trial]) -> str:
    """Which trials, for `hpo show`: one of them where they are several."""
    return f"trial {trials[0].number}" + (" and others" if len(trials) > 1 else "")


def _how(runs: int, half: float | None, pooled: int) -> str:
    if not runs:
        return "in one run, chosen as the best of many, so rather optimistic"
    if half == 0:
        return f"in each of {runs} fresh runs"
    of = f", by the spread of {pooled} finalists" if pooled > 1 else ""
    return f"over {runs} fresh runs" + (f" (95 % interval{of})" if half is not None else "")
