"""What one call of ``trial.suggest_...`` says, in Optuna's present and older spellings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from hpo.search.terms.domain import Choice, Domain, Float, Int

METHODS: Mapping[str, tuple[str, ...]] = {
    "suggest_float": ("name", "low", "high"),
    "suggest_int": ("name", "low", "high", "step", "log"),
    "suggest_categorical": ("name", "choices"),
    "suggest_uniform": ("name", "low", "high"),
    "suggest_loguniform": ("name", "low", "high"),
    "suggest_discrete_uniform": ("name", "low", "high", "q"),
}
"""Names of the arguments by their place; the others are given by name."""


class Unclear(Exception):
    """A call whose range cannot be told; the message says why."""


def domain_of(method: str, given: Mapping[str, Any]) -> Domain:
    """The domain of a call.

    Args:
        method: one of ``METHODS``.
        given: its arguments by name.

    Raises:
        Unclear: they make no range, or one that a study cannot search.

    >>> domain_of("suggest_float", {"name": "lr", "low": 1e-4, "high": 0.1, "log": True})
    Float(low=0.0001, high=0.1, log=True, step=None)
    >>> domain_of("suggest_discrete_uniform", {"name": "dropout", "low": 0.0, "high": 0.5, "q": 0.2})
    Float(low=0.0, high=0.4, log=False, step=0.2)
    """
    if method == "suggest_categorical":
        return _choice(given.get("choices"))
    low, high = given.get("low"), given.get("high")
    step, log = given.get("step", given.get("q")), bool(given.get("log", False)) or method == "suggest_loguniform"
    whole = method == "suggest_int"
    for value in (low, high, *([] if step is None else [step])):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Unclear(f"its range is from {low!r} to {high!r}")
    assert isinstance(low, (int, float))
    assert isinstance(high, (int, float))
    if low > high or (log and low <= 0):
        raise Unclear(f"its range from {low} to {high} is none" + (" on a log scale" if log else ""))
    if step is not None and step <= 0:
        raise Unclear(f"its step is {step}")
    if whole:
        width = 1 if log else int(step or 1)
        return Int(int(low), int(high) - (int(high) - int(low)) % width, log, width)
    if step is None:
        return Float(float(low), float(high), log)
    steps = (Fraction(str(high)) - Fraction(str(low))) // Fraction(str(step))  # as Optuna, in decimals
    return Float(float(low), float(Fraction(str(low)) + steps * Fraction(str(step))), step=float(step))


def _choice(choices: Any) -> Domain:
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        raise Unclear("its choices are not a list")
    if not all(value is None or isinstance(value, (str, int, float, bool)) for value in choices):
        raise Unclear("its choices are not all numbers, texts, true, false or None")
    return Choice(tuple(choices))
