"""How alike two runs of one recipe are, and what of all that a run depends on was another one. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

EXACT = 17
"""Significant digits that tell any two doubles apart."""

_ALIKE = 4
"""Significant digits from which on a difference is one of rounding, not of training."""


def agreement(recorded: Sequence[tuple[int, float]], curve: Sequence[tuple[int, float]]) -> int:
    """Significant digits to which the curves agree at every step that both have: 0 to 17, which is exactly.

    Each difference is taken relative to the larger of its two values.

    >>> agreement([(1, 0.123456), (2, 0.1)], [(1, 0.123457), (2, 0.1)]), agreement([(1, 2.0)], [(1, 3.0)])
    (5, 0)
    """
    digits, ours = EXACT, dict(curve)
    for step, value in recorded:
        other = ours.get(step, value)
        if other == value or (math.isnan(other) and math.isnan(value)):
            continue
        if not (math.isfinite(other) and math.isfinite(value)):
            return 0
        scale = max(abs(other), abs(value))
        share = abs(other / scale - value / scale) or 10.0 ** (1 - EXACT)
        digits = min(digits, max(0, math.floor(-math.log10(share))))
    return digits


def alike(recorded: Sequence[tuple[int, float]], curve: Sequence[tuple[int, float]]) -> bool:
    """Whether one is the other but for rounding, all along what was recorded.

    >>> alike([(1, 0.5)], [(1, 0.500001), (2, 0.4)]), alike([(1, 0.5)], [(1, 0.6)]), alike([(1, 0.5)], [])
    (True, False, False)
    """
    reached = curve[-1][0] if curve else 0
    return agreement(recorded, curve) >= _ALIKE and (not recorded or reached >= recorded[-1][0])


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What differs, in words, and what was not recorded.

    Args:
        recorded: ``machine`` and ``versions`` as mappings, ``data``, ``source``, ``start_from`` and ``metric`` as
            digests; what is None is unknown.
        now: the same of this run.

    >>> differences({"versions": {"torch": "2.1"}, "data": "a"}, {"versions": {"torch": "2.2"}, "data": "b"})
    (['torch 2.1 is 2.2 now', 'the data is another one'], ['machine'])
    """
    found, unknown = [], []
    for part in ("machine", "versions"):
        before, after = recorded.get(part) or {}, now.get(part) or {}
        if not before:
            unknown.append(part)
        for name in [name for name in before if before[name] != after.get(name)]:
            found.append(f"{name} {before[name]} is {after.get(name, 'not there')} now")
    for part, word in (
        ("data", "the data"),
        ("source", "the objective's source"),
        ("start_from", "what it starts from"),
        ("metric", "the metric's function"),
    ):
        before, after = recorded.get(part), now.get(part)
        if after is not None and before is None:
            unknown.append(part)
        elif before != after:
            found.append(f"{word} is another one")
    return found, unknown


def verdict(
    recorded: Sequence[tuple[int, float]],
    curve: Sequence[tuple[int, float]],
    facts: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    alone: bool = False,
    doubtful: bool = False,
) -> str:
    """One line: whether the curve is the recorded one, within what tolerance, and what differs where it is not.

    Args:
        recorded: (step, value) pairs of the recorded run.
        curve: those of this run.
        facts: of the recorded run; see ``differences``.
        now: of this run.
        alone: a model that the suite trained beside others then, and alone now.
        doubtful: whether the recipe is the recorded one is not known.
    """
    digits = agreement(recorded, curve)
    last, reached = recorded[-1][0], curve[-1][0] if curve else 0
    if reached < last:
        length = f"; it ends at step {reached}, the recorded one at step {last}"
    else:
        length = f", which was stopped at step {last}" if reached > last else ""
    if digits == EXACT and reached >= last:
        return f"the curve equals the recorded one exactly{length}"
    if digits == EXACT:
        told = f"the curve equals the recorded one exactly as far as it goes{length}"
    elif digits >= _ALIKE:
        told = f"the curve equals the recorded one to {digits} significant digits, not exactly{length}"
    else:
        ours = dict(curve)
        first = next(step for step, value in recorded if step in ours and ours[step] != value)
        told = (
            f"the curve differs from the recorded one from step {first} on, by more than {_ALIKE} digits allow{length}"
        )
    found, unknown = differences(facts, now)
    reasons = list(found)
    if alone and digits >= _ALIKE:
        reasons.append("it was trained beside other trials and is trained alone now, which rounds in another order")
    if unknown:
        reasons.append(f"not recorded: {', '.join(unknown)}")
    if not reasons:
        reasons.append(
            "machine, versions, data and source are as recorded, so it depends on more than they and the seed"
            + (", or the recipe in the file was changed" if doubtful else "")
        )
    return f"{told}: {'; '.join(reasons)}"
