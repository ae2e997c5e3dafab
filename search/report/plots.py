"""Plots as plotly figures in plain data: dicts that any plotly, such as the one in the dashboard's page, draws.

Pure: no plotly, no optuna, no I/O.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.search.terms.domain import Choice, Domain
from hpo.search.terms.space import Space

RATES = ("learning_rate", "lr", "learning_rate_init", "eta0")
"""Knobs that are a learning rate, as objectives spell them; the first one searched counts."""
BATCHES = ("batch_size", "per_device_train_batch_size")
EFFECTIVE = "effective_batch"
"""Knob that says the samples of a step outright, whatever they are cut into."""
ACCUMULATIONS = ("accumulation_steps", "gradient_accumulation_steps", "accumulate_grad_batches")

_COLUMNS = 12
_PER_DECADE = 3


@dataclass(frozen=True)
class Tried:
    """One trial: its number, its knob values, what it reached, and whether it was trained to the end."""

    number: int
    recipe: Mapping[str, Any]
    value: float
    complete: bool


@dataclass(frozen=True)
class _Axis:
    """Columns or rows of a heat map: their labels, or their edges on a continuous axis, and where a value lies."""

    title: str
    type: str
    ticks: Sequence[Any]
    count: int
    place: Callable[[Any], int]


def rate_and_batch(
    space: Space,
    fixed: Mapping[str, Any],
    tried: Iterable[Tried],
    *,
    metric: str,
    maximize: bool,
    winner: int | None = None,
) -> dict[str, Any] | None:
    """Best value for each learning rate and batch size as a heat map; None unless both are searched and tried.

    The batch is the effective one where it is searched itself, and with accumulation, ``batch_size *
    accumulation_steps``: two factorizations of one effective batch are one point. A cell shows the best complete trial,
    or in parentheses the best pruned one where none is complete; the cell of the trial numbered ``winner`` has a star.
    """
    rate = _first(RATES, space.names())
    batch = _first((EFFECTIVE, *BATCHES), space.names())
    if rate is None or batch is None or (batch != EFFECTIVE and fixed.get(EFFECTIVE)):
        return None
    accumulation = None
    if batch != EFFECTIVE:
        accumulation = _first(ACCUMULATIONS, [*space.names(), *(name for name in fixed if fixed[name] != 1)])
    points = [
        (trial, trial.recipe[rate], trial.recipe[batch] * (trial.recipe.get(accumulation, 1) if accumulation else 1))
        for trial in tried
        if rate in trial.recipe and batch in trial.recipe and math.isfinite(trial.value)
    ]
    if not points:
        return None
    x = _rate_axis(rate, space[rate].domain)
    y = _batch_axis(batch if accumulation is None else f"{batch} x {accumulation}", [size for _, _, size in points])
    cells: dict[tuple[int, int], list[Tried]] = {}
    for trial, speed, size in points:
        cells.setdefault((y.place(size), x.place(speed)), []).append(trial)
    sign = -1.0 if maximize else 1.0
    shown = {
        place: min(cell, key=lambda trial: (not trial.complete, sign * trial.value)) for place, cell in cells.items()
    }
    return {
        "data": [_heat(x, y, cells, shown, sign, metric, winner)],
        "layout": {
            "title": {"text": f"Best {metric} by {rate} and batch<br><sub>(in parentheses: all pruned)</sub>"},
            "xaxis": {"title": {"text": rate}, "type": x.type, "exponentformat": "power"},
            "yaxis": {"title": {"text": y.title}, "type": y.type},
        },
    }


def _heat(
    x: _Axis,
    y: _Axis,
    cells: Mapping[tuple[int, int], Sequence[Tried]],
    shown: Mapping[tuple[int, int], Tried],
    sign: float,
    metric: str,
    winner: int | None,
) -> dict[str, Any]:
    """Color is the rank among the cells, best brightest, so that a diverged recipe does not make all others alike."""
    ordered = sorted((trial.value for trial in shown.values()), key=lambda value: sign * value)
    last = max(len(ordered) - 1, 1)

    def table(entry: Callable[[tuple[int, int]], Any], empty: Any) -> list[list[Any]]:
        return [[entry((i, j)) if (i, j) in shown else empty for j in range(x.count)] for i in range(y.count)]

    def label(place: tuple[int, int]) -> str:
        trial = shown[place]
        star = "★ " if any(known.number == winner for known in cells[place]) else ""
        return star + (f"{trial.value:.3g}" if trial.complete else f"({trial.value:.3g})")

    def detail(place: tuple[int, int]) -> str:
        cell, trial = cells[place], shown[place]
        complete = sum(known.complete for known in cell)
        return f"{metric} {trial.value:.6g} (trial {trial.number})<br>{len(cell)} tried, {complete} complete"

    quarters = sorted({round(share * last / 4) for share in range(5)} & set(range(len(ordered))))
    return {
        "type": "heatmap",
        "x": list(x.ticks),
        "y": list(y.ticks),
        "z": table(lambda place: ordered.index(shown[place].value), None),
        "text": table(label, ""),
        "texttemplate": "%{text}",
        "hovertext": table(detail, ""),
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
        "colorscale": "Viridis",
        "reversescale": True,
        "zmin": 0,
        "zmax": last,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {
            "title": {"text": metric},
            "tickvals": quarters,
            "ticktext": [f"{ordered[rank]:.3g}" for rank in quarters],
        },
    }


def _rate_axis(title: str, domain: Domain) -> _Axis:
    count = domain.count()
    if count is not None and (isinstance(domain, Choice) or count <= _COLUMNS):
        numbers = sorted({float(value) for value in domain.grid() or () if isinstance(value, (int, float))})
        labels = [f"{n:g}" for n in numbers]
        labels = labels if len(set(labels)) == len(labels) else [repr(n) for n in numbers]

        def place(value: Any) -> int:
            known = domain.nearest(value)
            assert isinstance(known, (int, float))
            return numbers.index(float(known))

        return _Axis(title, "category", labels, len(numbers), place)
    assert not isinstance(domain, Choice)
    count = 8
    if domain.log:
        count = min(_COLUMNS, max(4, round(_PER_DECADE * math.log10(domain.high / domain.low))))
    edges = [_between(domain.low, domain.high, i / count, domain.log) for i in range(count + 1)]
    return _Axis(
        title,
        "log" if domain.log else "linear",
        edges,
        count,
        lambda value: min(max(bisect.bisect_right(edges, float(value)) - 1, 0), count - 1),
    )


def _between(low: float, high: float, share: float, log: bool) -> float:
    value = low * (high / low) ** share if log else low + share * (high - low)
    return float(f"{value:.6g}")


def _batch_axis(title: str, sizes: Iterable[int]) -> _Axis:
    """Every size tried is a row, or where they are many every power of two."""
    known = sorted({int(size) for size in sizes})
    if len(known) <= _COLUMNS:
        return _Axis(title, "category", [str(size) for size in known], len(known), lambda size: known.index(int(size)))
    least = known[0].bit_length()
    labels = [f"{2 ** (bits - 1)} to {2**bits - 1}" for bits in range(least, known[-1].bit_length() + 1)]
    return _Axis(title, "category", labels, len(labels), lambda size: int(size).bit_length() - least)


def _first(names: Iterable[str], known: Iterable[str]) -> str | None:
    present = set(known)
    return next((name for name in names if name in present), None)
