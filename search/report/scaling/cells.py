"""Runs of one size: one parametrization, parameters within 5 %, and tokens within 5 %. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpo.search.report.scaling.powerlaw import At
from hpo.search.report.scaling.runs import Run

SAME = 1.05
_SHOWN = 3
_NAMED = ("width", "depth", "heads", "context")


def cells_of(runs: Sequence[Run]) -> dict[tuple[str | None, At], list[Run]]:
    """Runs by parametrization and size, smallest first."""
    found: dict[tuple[str | None, At], list[Run]] = {}
    kinds: dict[str | None, list[Run]] = {}
    for run in runs:
        kind = run.recipe.get("parametrization")
        kinds.setdefault(None if kind is None else str(kind), []).append(run)
    for kind, members in kinds.items():
        for same_n in _near(members, lambda run: run.n):
            for same in _near(same_n, lambda run: run.d or 1.0):
                n = middle([run.n for run in same_n])
                d = None if same[0].d is None else middle([run.d or 1.0 for run in same])
                found[kind, At(n, d)] = same
    return found


def _near(runs: Sequence[Run], of: Callable[[Run], float]) -> list[list[Run]]:
    """Runs in groups whose values lie near the group's smallest."""
    groups: list[list[Run]] = []
    for run in sorted(runs, key=of):
        if groups and of(run) <= of(groups[-1][0]) * SAME:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def middle(values: Sequence[float]) -> float:
    """Geometric mean; exactly the value where all are one."""
    low, high = min(values), max(values)
    return low if low == high else math.exp(math.fsum(map(math.log, values)) / len(values))


def differing(cells: Mapping[Any, Sequence[Run]]) -> list[str]:
    """Knobs that are one value within each size and not the same in all, first those the sizes are named by."""
    settled: dict[str, set[str]] = {}
    mixed: set[str] = set()
    for runs in cells.values():
        for name in {name for run in runs for name in run.recipe}:
            values = {repr(run.recipe.get(name)) for run in runs}
            mixed |= {name} if len(values) > 1 else set()
            settled.setdefault(name, set()).update(values)
    left_out = mixed | {"seed", "parametrization"}
    found = [name for name, values in settled.items() if len(values) > 1 and name not in left_out]
    order = {name: place for place, name in enumerate(_NAMED)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))[:_SHOWN]


def counted(value: float) -> str:
    """A count in three digits with the letter for thousands, millions, billions or trillions.

    >>> counted(850.0), counted(49152), counted(2.0e7), counted(1.25e11)
    ('850', '49.2k', '20M', '125B')
    """
    for factor, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= factor * 0.9995:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"
