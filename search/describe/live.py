"""Objectives that are functions of the running process: defined in a notebook, a script or a closure."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import REQUIRED, Knob, Signature

LIVE = "live:"
"""Prefix of a live function's reference."""

_functions: dict[str, Callable[..., Any]] = {}
_KINDS = {int: "int", float: "float", bool: "bool", str: "str", type(None): "none"}


def live(function: Callable[..., Any]) -> str:
    """Reference under which a study names a function; the function's module where other processes can import it.

    >>> import math
    >>> live(lambda x: x)
    'live:<lambda>'
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", type(function).__name__)
    held = sys.modules.get(str(module))
    in_file = (getattr(held, "__file__", None) or "").endswith(".py")
    if module not in (None, "__main__") and in_file and getattr(held, name, None) is function:
        return f"{module}:{name}"
    _functions[name] = function
    return f"{LIVE}{name}"


def function_of(reference: str) -> Callable[..., Any]:
    """The function of a reference.

    Raises:
        UserError: it was defined in another process.
    """
    name = reference.removeprefix(LIVE)
    if name not in _functions:
        raise UserError(f"the function {name} belongs to the process that defined it: put it in a file of its own")
    return _functions[name]


def signature_of(function: Callable[..., Any]) -> Signature:
    """Knobs of a function."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
        hints = typing.get_type_hints(function)
    except (TypeError, ValueError, NameError):
        return Signature({}, True)
    doc = (inspect.getdoc(function) or "").partition("\n")[0]
    if len(parameters) == 1 and (parameters[0].name == "recipe" or hasattr(_first(hints), "__dataclass_fields__")):
        return Signature({}, True, doc)
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    knobs = {p.name: _knob(p.name, p.default, hints.get(p.name)) for p in named}
    return Signature(knobs, any(p.kind is p.VAR_KEYWORD for p in parameters), doc)


def _first(hints: dict[str, Any]) -> Any:
    return next(iter(hints.values()), None)


def _knob(name: str, default: Any, hint: Any) -> Knob:
    default = REQUIRED if default is inspect.Parameter.empty else default
    kinds, options = set[str](), list[Any]()
    for part in _parts(hint):
        if typing.get_origin(part) is typing.Literal:
            options += typing.get_args(part)
        elif part in _KINDS:
            kinds.add(_KINDS[part])
        else:
            return Knob(name, default)
    return Knob(name, default, frozenset(kinds), tuple(options))


def _parts(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for part in typing.get_args(hint):
            yield from _parts(part)
    else:
        yield hint
