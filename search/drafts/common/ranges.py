"""Ranges of other tools as a study file writes them."""

from __future__ import annotations

import math
from typing import Any, TypeGuard


def span(kind: str, low: float, high: float, *, log: bool = False, step: float | None = None) -> dict[str, Any]:
    """A range, whose last value is one of its steps.

    >>> span("float", 0.0, 1.0, step=0.3), span("int", 1, 64, log=True)
    ({'float': [0.0, 0.9], 'step': 0.3}, {'int': [1, 64], 'log': True})
    """
    if kind == "int":
        low, high = int(low), int(high)
        step = None if step is None else max(1, int(step))
    if step is not None and not log:
        high = low + math.floor((high - low) / step + 1e-9) * step
        high = int(high) if kind == "int" else float(f"{high:.12g}")
    found: dict[str, Any] = {kind: [low, high]}
    return found | (
        {"log": True} if log else {"step": step} if step not in (None, 1) or (step and kind == "float") else {}
    )


def number(value: Any) -> Any:
    """A number that another reader took for text (``1e-4`` in YAML 1.1), or what it is."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError:
            return value
    return value


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def unlike(values: list[Any]) -> bool:
    """Whether values are none of those that a choice takes: numbers, texts, true and false."""
    return any(isinstance(value, (list, dict)) for value in values)
