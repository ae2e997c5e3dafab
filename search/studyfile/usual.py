"""Ranges that are usually searched, by a knob's name, default, choices and limits."""

from __future__ import annotations

import math
import re
from typing import Any

from hpo.search.terms.knobs import Knob


def _words(listed: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|_)(?:{'|'.join(listed.split())})(?:$|_|\d)")


_LOGGED = _words("lr rate decay wd l1 l2 alpha lambda epsilon eps temperature c")
_SHARES = _words("dropout drop smoothing mixup ratio fraction prob p subsample colsample warmup")
_SIZES = _words("hidden width units dim channels filters size embed embedding neurons rank leaves")
_DEPTHS = _words("layers depth blocks heads n_estimators neighbors degree")
_SWITCHES = _words("nesterov augment augmentation amsgrad batch_norm layer_norm bn residual shuffle")
_CHOICES = _words("opt optim optimizer activation act sched schedule scheduler loss kernel norm init arch model")
_NEVER = _words(
    "epochs? seed workers? threads gpus? device log logging print save checkpoint data dataset dir path output port "
    "rank world local version debug verbose interval freq frequency every classes patience test eval image img input "
    "vocab max_steps steps iters? iterations"
)


def usual(knob: Knob) -> dict[str, Any] | None:
    """The range that a study might search for a knob; None for what is usually left alone.

    >>> usual(Knob("lr", 0.1)), usual(Knob("batch_size", 64)), usual(Knob("epochs", 10))
    ({'float': [0.001, 1.0], 'log': True}, {'choice': [16, 32, 64, 128]}, None)
    >>> usual(Knob("batch_size", 32, options=(16, 32)))
    {'choice': [16, 32]}
    """
    name, value = (
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", knob.name).lower().replace("-", "_").replace(".", "_"),
        knob.default,
    )
    if knob.options and not _NEVER.search(name.replace("batch_size", "")):
        told = _CHOICES.search(name) or not any(isinstance(option, str) for option in knob.options)
        return {"choice": list(knob.options)} if told and len(knob.options) > 1 else None
    if "batch" in name and isinstance(value, int) and value > 0 and not _NEVER.search(name.replace("batch_size", "")):
        return {"choice": _limited([max(1, value // 4), max(1, value // 2), value, value * 2], knob)}
    if _NEVER.search(name):
        return None
    if isinstance(value, bool):
        return {"choice": [False, True]} if _SWITCHES.search(name) else None
    if isinstance(value, int) and value > 0 and (_SIZES.search(name) or _DEPTHS.search(name)):
        low, high = _ends(
            max(1, value // 4 if _SIZES.search(name) else value // 2), value * (4 if value > 8 else 2), knob
        )
        return {"int": [int(low), int(high)], **({"log": True} if low > 0 and high >= 8 * low else {})}
    if not isinstance(value, (int, float)):
        return None
    if name.startswith(("momentum", "beta")) or name.endswith("momentum"):
        return {"float": list(_ends(0.5 if value < 0.98 else 0.9, 0.99 if value < 0.98 else 0.9999, knob))}
    if _SHARES.search(name) and 0 <= value < 1:
        return {"float": list(_ends(0.0, 0.5 if value <= 0.5 else 1.0, knob))}
    if _LOGGED.search(name):
        low, high = (value / 100, value * 10) if value > 0 else (1e-6, 0.1 if "decay" in name or "wd" in name else 1.0)
        return {"float": [_round(end) for end in _ends(low, high, knob)], "log": True}
    return None


def around(knob: Knob) -> dict[str, Any] | None:
    """A range around the default of any positive number, or its choices; None for anything else."""
    value = knob.default
    if knob.options:
        return {"choice": list(knob.options)} if len(knob.options) > 1 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        return None
    bottom, top = (0.0, math.inf) if knob.limits is None else (knob.limits.low, knob.limits.high)
    if isinstance(value, int):
        low, high = max(1, value // 4), value * 4
        return {"int": [low, high if high <= top else max(low + 1, int(top))]}
    most = min(value * 10, (value + top) / 2)
    return {"float": [_round(max(value / 10, bottom)), float(f"{most:.4g}")], "log": True}  # 0.9995 is not 1


def _ends(low: float, high: float, knob: Knob) -> tuple[float, float]:
    limits = knob.limits
    if limits is None:
        return low, high
    low = max(low, limits.low + (1e-3 if limits.open_low and limits.low >= low else 0))
    return low, min(high, limits.high - (1e-3 if limits.open_high and limits.high <= high else 0))


def _limited(values: list[int], knob: Knob) -> list[int]:
    kept = [value for value in dict.fromkeys(values) if knob.limits is None or value in knob.limits]
    return kept or values


def _round(value: float) -> float:
    return float(f"{value:.3g}")
