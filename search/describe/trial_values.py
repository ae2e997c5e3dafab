"""What expressions of a script stand for, as far as its text tells: constants, knobs, the trial itself."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hpo.search.terms.domain import Choice, Domain, Int, Scalar
from hpo.search.terms.knobs import UNKNOWN

MOST = 100
"""Values that a condition on a whole number may list, and turns that a loop may take."""

When: TypeAlias = "tuple[tuple[str, tuple[Scalar, ...]], ...]"


class Trial:
    """The parameter that is the trial."""


@dataclass(frozen=True)
class Suggested:
    """The value of a knob."""

    name: str
    domain: Domain

    def values(self) -> tuple[Scalar, ...] | None:
        """All that it can be, where these are few."""
        if isinstance(self.domain, Choice):
            return self.domain.values
        if isinstance(self.domain, Int) and self.domain.count() <= MOST:
            return tuple(self.domain.grid())
        return None


@dataclass(frozen=True)
class Function:
    """A function of the script, with the names that it sees where it was defined."""

    node: ast.FunctionDef
    seen: Mapping[str, Any]
    source: Any


_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, many: one in many, ast.NotIn: lambda one, many: one not in many,
    ast.Is: lambda one, other: one is other, ast.IsNot: lambda one, other: one is not other,
}  # fmt: skip
_LARGEST = 10_000  # nothing of a script is computed that could be long


def known(value: Any) -> bool:
    """Whether it is a plain constant, with everything in it."""
    if isinstance(value, (list, tuple)):
        return all(map(known, value))
    if isinstance(value, dict):
        return all(map(known, value.values()))
    return value is not UNKNOWN and not isinstance(value, (Trial, Suggested, Function))


def combined(kind: type[ast.AST], left: Any, right: Any) -> Any:
    """``left + right`` and the like, of constants; ``UNKNOWN`` where it fails or could be long."""
    short = all(not isinstance(side, (str, list, tuple)) or len(side) < _LARGEST for side in (left, right))
    numbers = isinstance(left, (str, list, tuple)) and isinstance(right, int) and right > _LARGEST
    if kind not in _OPERATORS or not (known(left) and known(right) and short) or numbers:
        return UNKNOWN
    try:
        return _OPERATORS[kind](left, right)
    except Exception:  # such as a division by 0: the script's own fault, said when it runs
        return UNKNOWN


def split(test: ast.expr, value: Callable[[ast.expr], Any]) -> tuple[When, When] | None:
    """Conditions on knobs under which a test holds, and under which it does not; None where they cannot be told.

    Args:
        test: of an ``if``.
        value: what an expression in it stands for.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        found = split(test.operand, value)
        return None if found is None else (found[1], found[0])
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        parts = [split(part, value) for part in test.values]
        return None if any(part is None for part in parts) else (sum((p[0] for p in parts if p), ()), ())
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right, kind = value(test.left), value(test.comparators[0]), type(test.ops[0])
        if isinstance(left, Suggested) and known(right):
            return _by(left, lambda one: combined(kind, one, right))
        if isinstance(right, Suggested) and known(left):
            return _by(right, lambda one: combined(kind, left, one))
        return None
    found_value = value(test)
    return _by(found_value, bool) if isinstance(found_value, Suggested) else None


def _by(knob: Suggested, holds: Callable[[Scalar], Any]) -> tuple[When, When] | None:
    values = knob.values()
    if values is None:
        return None
    told = [holds(value) for value in values]
    if any(truth is UNKNOWN for truth in told):
        return None
    sides = [tuple(v for v, truth in zip(values, told, strict=True) if bool(truth) == side) for side in (True, False)]
    return ((knob.name, sides[0]),), ((knob.name, sides[1]),)
