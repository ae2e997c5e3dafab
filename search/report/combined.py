"""What combining the models of the fresh runs gave, in words."""

from __future__ import annotations

from hpo.search.report import text
from hpo.search.terms.ensemble import SINGLE, Ensemble, Option

HEAD = ("models combined", "how many", "ms for 64 rows", "kB")
"""Columns of ``rows``, before them the metric."""


def lines(found: Ensemble) -> list[str]:
    """The verdict, in a line or two."""
    alone = found.option(SINGLE)
    if not found.taken:
        others = [option for option in found.options if option.kind != SINGLE]
        beaten = f"; {_short(others[0], found.metric)}" if others else ""
        return [
            "not combined: no combination is better for certain than the best model alone, "
            f"{found.metric} {text.short(alone.value)}{beaten}"
        ]
    best = found.option(str(found.combination["kind"]))
    told = [
        f"combined ({best.kind} of {best.models} models): {found.metric} {text.short(best.value)} on validation rows "
        f"that it was not fitted on, the best model alone {text.short(alone.value)}",
        f"it takes {text.short(best.milliseconds)} ms for 64 rows and {text.short(best.kilobytes)} kB, one model "
        f"{text.short(alone.milliseconds)} ms and {text.short(alone.kilobytes)} kB",
    ]
    if found.test:
        told.append(f"test split, measured once: {text.scores(found.test, [found.metric])}")
    return told


def rows(found: Ensemble) -> list[tuple[str, ...]]:
    """Every way to combine, the best first: its value, name, models, latency, size."""
    return [
        (
            text.short(option.value),
            f"{option.kind}, taken" if found.combination.get("kind") == option.kind else option.kind,
            str(option.models),
            text.short(option.milliseconds),
            text.short(option.kilobytes),
        )
        for option in found.options
    ]


def _short(option: Option, metric: str) -> str:
    return f"{option.kind} of {option.models} models has {text.short(option.value)}"
