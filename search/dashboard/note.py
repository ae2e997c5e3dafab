"""The note of a study: what was asked, what came of it, what to do next, and the study file, in Markdown. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.search.report import text
from hpo.search.report.out import clean
from hpo.search.terms.winner import Winner

_FINALISTS = 10


@dataclass(frozen=True)
class Summary:
    """What the note tells.

    Attributes:
        goals: each goal as in the study file, such as ``minimize loss``; ``metrics`` their metrics.
        counts: trials by state, such as ``complete``.
        steps: points of all learning curves.
        best: number and value of the best complete trial; None with several goals.
        verdict: None while it is not decided.
        file: the study file.
        known: what was known before the first trial; see ``report.text.known``.
        batch: what the trials tell of batch size, a line each; see ``report.batch``.
    """

    name: str
    question: str
    goals: Sequence[str]
    metrics: Sequence[str]
    counts: Mapping[str, int] = field(default_factory=dict)
    steps: int = 0
    best: tuple[int, float] | None = None
    verdict: Winner | None = None
    file: str = ""
    known: str = ""
    batch: Sequence[str] = ()


def markdown(summary: Summary) -> str:
    """Write the note."""
    parts = [f"# {_plain(summary.name)}", _plain(summary.question)]
    facts = {"goal": ", ".join(summary.goals)}
    if summary.known:
        facts["known before"] = _plain(summary.known)
    if summary.verdict is not None:
        facts |= _outcome(summary, summary.verdict)
    parts.append(_table(["", ""], [[name, value] for name, value in facts.items()]))
    if summary.verdict is not None:
        parts.append("## Finalists" if len(summary.metrics) == 1 else "## Pareto front")
        parts += [_finalists(summary.metrics, summary.verdict), "## Next", _commands(summary.name)]
        if summary.batch:
            parts += ["## Batch size", "\n".join(f"- {_plain(line)}" for line in summary.batch)]
    else:
        parts.append("No winner has been chosen yet.")
    parts += ["## Logs", "What a trial printed; with `--follow` also what it prints while it trains:", _log(summary)]
    if summary.file:
        parts += ["## Study file", _fenced(summary.file, "yaml")]
    return clean("\n\n".join(filter(None, parts)) + "\n")


def _outcome(summary: Summary, verdict: Winner) -> dict[str, str]:
    states = ", ".join(f"{count} {state}" for state, count in summary.counts.items() if count)
    facts = {
        "trials": f"{sum(summary.counts.values())}: {states}",
        "training steps": f"{summary.steps:,}",
    }
    if summary.best is not None:
        number, value = summary.best
        facts["best in the search"] = f"{text.short(value)} (trial {number})"
    first = verdict.first
    if len(summary.metrics) == 1:
        count = len(first.runs)
        fresh = f"mean of {count} fresh runs" if count else "not confirmed by fresh runs"
        facts["winner"] = f"**{_values(summary.metrics, first.mean, first.halves())}** (trial {first.trial}, {fresh})"
    if verdict.test:
        scores = text.scores(verdict.test, summary.metrics)
        facts["on the test split"] = f"{scores} (trial {first.trial}, trained again)"
    return facts


def _finalists(metrics: Sequence[str], verdict: Winner) -> str:
    """One row per finalist, best first: what the search saw, what fresh runs gave, its searched knobs."""
    shown = verdict.candidates[:_FINALISTS]
    knobs = list(dict.fromkeys(knob for candidate in shown for knob in candidate.point))
    rows = [
        [
            str(candidate.trial),
            _values(metrics, candidate.searched),
            _values(metrics, candidate.mean, candidate.halves()) if candidate.runs else "",
            *(_knob(candidate.point[knob]) if knob in candidate.point else "" for knob in knobs),
        ]
        for candidate in shown
    ]
    table = _table(["trial", "in the search", "fresh runs", *knobs], rows)
    left = len(verdict.candidates) - len(shown)
    return f"{table}\n\nand {left} more." if left else table


def _values(metrics: Sequence[str], means: Sequence[float], halves: Sequence[float | None] = ()) -> str:
    """The value of each goal with its interval, named where there are several.

    >>> _values(["loss"], [0.5], [0.025])
    '0.500 ± 0.025'
    """
    shown = [text.interval(mean, half) for mean, half in zip(means, halves or [None] * len(means), strict=True)]
    return shown[0] if len(shown) == 1 else ", ".join(f"{m} {value}" for m, value in zip(metrics, shown, strict=True))


def _commands(name: str) -> str:
    study = shlex.quote(name)
    lines = [f"hpo show --study {study}", f"hpo export --study {study} --output best.yaml", "hpo train best.yaml"]
    return _fenced("\n".join(lines), "")


def _log(summary: Summary) -> str:
    number = summary.verdict.first.trial if summary.verdict is not None else 0
    return _fenced(f"hpo show {shlex.quote(summary.name)} {number} --log", "")


def _knob(value: Any) -> str:
    return text.short(value) if isinstance(value, float) else _plain(text.number(value))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def _fenced(block: str, language: str) -> str:
    """A code block that its text cannot end: its fence is longer than any in it."""
    fence = "```"
    while fence in block:
        fence += "`"
    return f"{fence}{language}\n{block.rstrip()}\n{fence}"


def _plain(words: str) -> str:
    """Text without what Markdown and HTML would read as more than text.

    >>> _plain("does *dropout* help? <b>")
    'does \\\\*dropout\\\\* help? \\\\<b\\\\>'
    """
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#$" else letter for letter in words)
