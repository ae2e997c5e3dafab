"""Recipes: one complete, frozen set of knob values; its digest; and the seeds derived from a study's seed.

Pure: no optuna, no I/O.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> Any:
    """Make equal settings equal: whole floats stay floats, tuples become lists, NaN is refused.

    Raises:
        TypeError: the value is not plain data.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"a knob cannot be {value}")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    raise TypeError(f"a knob must be plain data, got {type(value).__name__}")


def digest(values: Mapping[str, Any], *, without_seed: bool = False) -> str:
    """Twelve hex digits that name the recipe, whatever the order of its knobs.

    >>> digest({"a": 1, "b": 2.5}) == digest({"b": 2.5, "a": 1})
    True
    >>> digest({"a": 1, "seed": 3}, without_seed=True) == digest({"a": 1, "seed": 4}, without_seed=True)
    True
    """
    kept = {name: value for name, value in values.items() if not (without_seed and name == "seed")}
    text = json.dumps(canonical(kept), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def derive_seed(seed: int, *path: str | int) -> int:
    """Seed in [0, 2**31) that depends on the study's seed and a path of words and numbers only.

    Everything random in a trial comes from here, so a resumed study goes on instead of repeating its draws.

    >>> derive_seed(0, "train", 7) == derive_seed(0, "train", 7) != derive_seed(0, "train", 8)
    True
    """
    text = "/".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
