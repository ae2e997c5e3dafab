"""A table in words: its rows, parts and classes, how each column is read and why, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDEST = 40
"""Characters of a cell at most."""


def lines(found: Mapping[str, Any], columns: int | None = None) -> list[str]:
    """The summary of a table, as ``summaries`` of the data gives it: plain data.

    Args:
        found: the summary.
        columns: how many are shown at most; None for all.
    """
    told = [f"{found['rows']} rows"]
    if found["target"]:
        told.append(f"{found['task']} of {found['target']!r}, as {found['why']}")
        parts = ", ".join(f"{count} {name}" for name, count in found["parts"].items())
        told.append(f"parts: {parts} (validation, test, groups, time)")
    if found["classes"]:
        total = sum(found["classes"].values())
        told.append("classes: " + ", ".join(f"{label} {n / total:.1%}" for label, n in found["classes"].items()))
    shown = found["columns"][:columns]
    cells = [("column", "read as", "because", "missing", "becomes", "changed by")]
    cells += [
        (
            each["name"], each["kind"], each["why"], str(each["missing"] or ""), ", ".join(each["features"]),
            each["change"],
        )
        for each in shown
    ]  # fmt: skip
    told += _table(cells)
    left = len(found["columns"]) - len(shown)
    told += [f"... and {left} more columns"] if left else []
    return told + [f"look: {doubt}" for doubt in found["doubts"]]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    cut = [[cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 3]}..." for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cut) for place in range(len(cut[0]))]
    return ["  ".join(f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=True)).rstrip() for row in cut]
