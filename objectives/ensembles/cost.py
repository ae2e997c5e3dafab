"""What a model costs in use, measured well enough to tell one model from four."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

ROWS = 64
"""That are predicted at a time."""
_TURNS = 5


def milliseconds(predict: Callable[[], object]) -> float:
    """Median time of a call, after one that warms up."""
    predict()
    took = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        predict()
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)
