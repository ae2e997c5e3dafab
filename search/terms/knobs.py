"""Knobs: the keywords of an objective or plug-in, with the types, values and ranges they take.

Pure: no I/O; ``hpo.search.describe.source`` reads them from Python files without importing these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpo.search.terms.errors import spelt

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()
"""Default of a knob that must be given."""

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda self: "..."})()
"""Default that is an expression, known only at run time."""

ClassWeights: TypeAlias = str
"""Of a knob that takes weights by class, ``{no: 1, yes: 10}``: JSON text, so that it is one of several choices."""

_WORDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "none": "null",
    "weights": "weights by class such as {no: 1, yes: 10}",
}  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Numbers a knob takes: ``low`` to ``high``, without the ends that are open."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        """The limits in words.

        >>> str(Range(0, open_low=True)), str(Range(0, 1, open_high=True)), str(Range(0, 1))
        ('above 0', 'at least 0 and below 1', 'from 0 to 1')
        """
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"{'below' if self.open_high else 'at most'} {self.high:g}"
        if math.isinf(self.high):
            return low
        if math.isinf(self.low):
            return high
        return f"{low} and {high}" if self.open_low or self.open_high else f"from {self.low:g} to {self.high:g}"


POSITIVE = Range(0, open_low=True)
AT_LEAST_0 = Range(0)
AT_LEAST_1 = Range(1)
AT_LEAST_2 = Range(2)
FRACTION = Range(0, 1)
BELOW_1 = Range(0, 1, open_high=True)
INSIDE_1 = Range(0, 1, open_low=True, open_high=True)
PERCENT = Range(0, 100)


@dataclass(frozen=True)
class Knob:
    """One keyword of an objective or plug-in.

    Attributes:
        name: the keyword.
        default: its default, ``REQUIRED`` or ``UNKNOWN``.
        kinds: the types it takes, of int, float, bool, str, none, plugin, weights; empty when its annotation is silent.
        options: single values it takes (``Literal``), or empty.
        limits: the numbers it takes (``Annotated[float, Range(...)]``); None when the source does not say.
        doc: its one-line description, where the source has one.
    """

    name: str
    default: Any = REQUIRED
    kinds: frozenset[str] = frozenset()
    options: tuple[Any, ...] = ()
    limits: Range | None = None
    doc: str = ""

    def accepts(self, value: Any) -> bool:
        """Whether a value is of a type this knob takes.

        >>> Knob("x", kinds=frozenset({"float"})).accepts(3), Knob("x", kinds=frozenset({"int"})).accepts(2.5)
        (True, False)
        """
        if any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in self.options):
            return True
        if not self.kinds:
            return not self.options
        if value is None:
            return "none" in self.kinds
        if isinstance(value, bool):
            return "bool" in self.kinds
        if isinstance(value, int):
            return bool(self.kinds & {"int", "float"})
        if isinstance(value, float):
            return "float" in self.kinds or ("int" in self.kinds and value.is_integer())
        if "weights" in self.kinds and (isinstance(value, Mapping) or str(value).startswith("{")):
            return not weights_problem(value)
        if isinstance(value, str):
            return bool(self.kinds & {"str", "plugin"})
        return "plugin" in self.kinds

    def problem(self, value: Any) -> str:
        """What is wrong with a value, or nothing.

        >>> Knob("dropout", kinds=frozenset({"float"}), limits=Range(0, 1, open_high=True)).problem(1)
        'dropout must be at least 0 and below 1, got 1'
        """
        if not self.accepts(value):
            return f"{self.name} takes {self.expects}, got {spelt(value)}"
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if self.limits is not None and number and value not in self.limits:
            return f"{self.name} must be {self.limits}, got {value!r}"
        return ""

    def whole(self, value: Any) -> Any:
        """The value, a whole float as an int where the knob takes whole numbers only, weights by class as their text.

        >>> Knob("batch_size", kinds=frozenset({"int"})).whole(1e2)
        100
        """
        if isinstance(value, Mapping) and "weights" in self.kinds:
            return json.dumps({str(name): weight for name, weight in value.items()})
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole and "int" in self.kinds and "float" not in self.kinds else value

    @property
    def expects(self) -> str:
        """What it takes, for a message."""
        words = [_WORDS[kind] for kind in _WORDS if kind in self.kinds]
        if self.options:
            shown = ", ".join(map(str, self.options))
            words.insert(0, f"one of {shown}" if len(self.options) > 1 else shown)
        return " or ".join(words) or "another value"


def weights_problem(value: Any) -> str:
    """What is wrong with weights by class, or their text; nothing where they are some.

    >>> weights_problem({"no": 1, "yes": 10}), weights_problem('{"no": -1}')
    ('', "the weight of 'no' is a number from 0 on, got -1")
    """
    try:
        found = value if isinstance(value, Mapping) else json.loads(value)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, Mapping) or not found:
        return f"weights are a mapping of classes, such as {{no: 1, yes: 10}}, got {spelt(value)}"
    for name, weight in found.items():
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not 0 <= weight < math.inf:
            return f"the weight of {name!r} is a number from 0 on, got {spelt(weight)}"
    return ""


@dataclass(frozen=True)
class Signature:
    """The knobs of a function; ``open`` when it takes any further keyword, or its source does not say which."""

    knobs: dict[str, Knob] = field(default_factory=dict)
    open: bool = False
    doc: str = ""

    def __or__(self, other: Signature) -> Signature:
        return Signature({**self.knobs, **other.knobs}, self.open or other.open, self.doc or other.doc)


def says_length(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe says how long it trains, in passes or tokens: an objective's own ``max_steps`` gives way then.

    >>> says_length({"max_tokens": 8e6}), says_length({"max_steps": 300}), says_length({"epochs": 0})
    (True, False, False)
    """
    return bool(recipe.get("epochs") or recipe.get("max_tokens"))


@dataclass(frozen=True)
class Settled:
    """What an objective makes of a study as a whole, so that its trials can be compared.

    Attributes:
        fixed: further fixed knobs.
        note: a sentence that tells the user of them, or nothing.
        at: the knob that makes trials unlike whatever is fixed, with what is wrong and the ways out; or nothing.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    at: str = ""
    problem: str = ""
    hint: str = ""
