"""What expressions of a script stand for, as far as its text tells: constants, knobs, the trial itself."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpo.search.describe.trial_made import Made
from hpo.search.terms.domain import Choice, Domain, Int, Scalar
from hpo.search.terms.knobs import UNKNOWN

MOST = 100
"""Values that a condition on a whole number may list, and turns that a loop may take."""

SUPER = "super()"
"""What a method's names hold that under, which no name is."""

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
class Instance:
    """A class of the script, or an object of it, whose methods are followed.

    Attributes:
        node: the class.
        source: file in which it is.
        held: attributes that its ``__init__`` gave an object; None for the class itself.
    """

    node: ast.ClassDef
    source: Any
    held: dict[str, Any] | None = field(default=None, compare=False)

    def lineage(self) -> list[Instance]:
        """The class and those of the script that it inherits from, in the order in which Python looks for a name."""
        found: dict[int, Instance] = {}
        waiting = [Instance(self.node, self.source)]
        for _ in range(MOST):
            if not waiting:
                break
            one = waiting.pop(0)
            found.pop(id(one.node), None)  # what several inherit from comes behind them all
            found[id(one.node)] = one
            bases = [base for base in map(one.source.find, one.node.bases) if base is not None]
            kinds = [Instance(node, where) for where, node in bases if isinstance(node, ast.ClassDef)]
            waiting[:0] = [kind for kind in kinds if kind.node is not one.node]
        return list(found.values())


@dataclass(frozen=True)
class Above:
    """What ``super()`` is in a method: the object, looked at from above the class in which the method stands."""

    of: Instance
    stands: ast.ClassDef


@dataclass(frozen=True)
class Function:
    """A function of the script, with the names that it sees where it was defined, and what made it or its owner."""

    node: ast.FunctionDef
    seen: Mapping[str, Any]
    source: Any
    owner: Instance | None = None
    made: Made | None = None


_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: lambda one, many: one**many if abs(many) < 1000 else UNKNOWN,
    ast.LShift: lambda one, many: one << many if many < 1000 else UNKNOWN,
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
    return value is not UNKNOWN and not isinstance(value, (Trial, Suggested, Function, Instance))


PLAIN: Mapping[str, Callable[..., Any]] = {
    "str": str, "int": int, "float": float, "bool": bool, "len": len, "min": min, "max": max, "abs": abs,
    "list": list, "tuple": list, "sorted": sorted, "set": list, "dict": dict,
    "range": lambda *ends: list(range(*ends)),
}  # fmt: skip
"""Functions of Python that are computed where all that they are given is known."""


def computed(name: str, given: list[Any], named: Mapping[str, Any]) -> Any:
    """What one of ``PLAIN`` gives; ``UNKNOWN`` where it fails or could be long."""
    if name not in PLAIN or not (known(given) and known(dict(named))):
        return UNKNOWN
    if name == "range" and any(not isinstance(end, int) or abs(end) > _LARGEST for end in given):
        return UNKNOWN
    try:
        return PLAIN[name](*given, **named)
    except Exception:  # the script's own fault, said when it runs
        return UNKNOWN


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


def split(test: ast.expr, value: Callable[[ast.expr, Mapping[str, Scalar]], Any]) -> tuple[When, When] | None:
    """Conditions on knobs under which a test holds, and under which it does not; None where they cannot be told.

    A test of one knob with few values is worked out for each of them; of several joined by ``and`` each by itself.

    Args:
        test: of an ``if``.
        value: what an expression stands for where some knobs have some values.
    """
    knob = _only_knob(test, value)
    if knob is not None:
        values = knob.values() or ()
        told = [value(test, {knob.name: one}) for one in values]
        if not told or not all(known(truth) for truth in told):
            return None
        sides = [
            tuple(v for v, truth in zip(values, told, strict=True) if bool(truth) == side) for side in (True, False)
        ]
        return ((knob.name, sides[0]),), ((knob.name, sides[1]),)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        parts = [split(part, value) for part in test.values]
        return (sum((p[0] for p in parts if p), ()), ()) if any(parts) else None
    return None


def _only_knob(test: ast.expr, value: Callable[[ast.expr, Mapping[str, Scalar]], Any]) -> Suggested | None:
    """The one knob that a test is about; None where it is about several or none."""
    parts = [node for node in ast.walk(test) if isinstance(node, (ast.Name, ast.Subscript, ast.Call, ast.NamedExpr))]
    found = {one.name: one for node in parts if isinstance(one := value(node, {}), Suggested)}
    return next(iter(found.values())) if len(found) == 1 else None
