"""Plain data as JSON that every reader takes: JSON has no infinity and no NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def to_json(data: Any, *, indent: int | None = None) -> str:
    """Write data as strict JSON; inf, -inf and nan become texts of that spelling, which ``float`` reads.

    >>> to_json({"loss": [0.5, float("inf")], "step": (1, float("nan"))})
    '{"loss": [0.5, "inf"], "step": [1, "nan"]}'
    """
    return json.dumps(_finite(data), indent=indent, allow_nan=False, default=str)


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else str(float(data))
    if isinstance(data, Mapping):
        return {str(_finite(key)) if isinstance(key, float) else key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, (list, tuple)) else data
