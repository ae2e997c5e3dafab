"""Objectives that are functions of the running process: defined in a notebook, a script or a closure.

They train where they are, or in worker processes, which are sent them by value with all that they use.
"""

from __future__ import annotations

import inspect
import pickle
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hpo.search.describe.live_text import takes_trial, written
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import REQUIRED, Knob, Signature

LIVE = "live:"
"""Prefix of a live function's reference."""

_functions: dict[str, Callable[..., Any]] = {}
_texts: dict[str, str] = {}  # of functions of a trial, whose knobs are read from them
_KINDS = {int: "int", float: "float", bool: "bool", str: "str", type(None): "none"}


def live(function: Callable[..., Any]) -> str:
    """Reference under which a study names a function; the function's module where other processes can import it.

    >>> import math
    >>> live(lambda x: x)
    'live:<lambda>'

    Raises:
        UserError: it is a function of a trial whose source cannot be read.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", type(function).__name__)
    held = sys.modules.get(str(module))
    in_file = (getattr(held, "__file__", None) or "").endswith(".py")
    if module not in (None, "__main__") and in_file and getattr(held, name, None) is function:
        return f"{module}:{name}"
    _functions[name] = function
    _texts.pop(name, None)
    if takes_trial(function):
        _texts[name] = written(function)
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


def text_of(reference: str) -> str | None:
    """What a function of a trial says, with the definitions that it uses; None for other functions."""
    return _texts.get(reference.removeprefix(LIVE))


def pack(reference: str) -> bytes:
    """A function as processes that were started afresh take it: by value, with the globals and closures that it uses.

    Raises:
        UserError: it uses what belongs to this process alone, which is named.
    """
    import cloudpickle

    function = function_of(reference)
    try:
        packed: bytes = cloudpickle.dumps((function, text_of(reference)))
    except Exception as error:  # whatever an object raises that is looked at
        name = reference.removeprefix(LIVE)
        culprits = [f"{used} ({type(value).__name__})" for used, value in _used(function).items() if not _packs(value)]
        what = ", ".join(culprits) or "what cannot be sent"
        raise UserError(
            f"{name} cannot train in other processes, for it uses {what}: {' '.join(str(error).split())[:200]}; make "
            "that inside the function, put both in a file of their own, or train here (workers: 1)"
        ) from None
    return packed


def take(reference: str, packed: bytes) -> None:
    """Know a function of another process from here on.

    Raises:
        UserError: what it takes along by name only is not here.
    """
    name = reference.removeprefix(LIVE)
    try:
        function, text = pickle.loads(packed)  # of our own coordinator, by the way that all its messages take
    except Exception as error:  # of an import, whatever a module raises
        told = f"{type(error).__name__} there, {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"{name} cannot train in another process: {told}; what it imports must be installed there or lie in the "
            "folder that this was started in"
        ) from error
    _functions[name] = function
    if text is not None:
        _texts[name] = text


def uses(reference: str) -> list[str]:
    """Names of the data that a function takes along: globals and closures that are no code."""
    code = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
    return sorted(name for name, value in _used(function_of(reference)).items() if not isinstance(value, code))


def _used(function: Any) -> Mapping[str, Any]:
    try:
        found = inspect.getclosurevars(inspect.unwrap(function))
    except TypeError:  # an object that can be called
        return dict(vars(function)) if hasattr(function, "__dict__") else {}
    return {**found.globals, **found.nonlocals}


def _packs(value: Any) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception:  # asked of each to name the one; what it raised is in the message already
        return False
    return True


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
