"""Rows of figures as the benchmarks print them: a mean with its standard error is a list of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [
            f"{v[0]:.3f} ± {v[1]:.3f}" if isinstance(v, list) else "-" if v is None else str(v) for v in row.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean_and_error(values: NDArray[np.float64]) -> list[float]:
    """Mean and its standard error, 0 for a single value."""
    error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
    return [round(float(values.mean()), 4), round(float(error), 4)]
