"""A function of a trial that is in no file: its text, with the definitions that it uses, as a module would have them.

Functions and classes are written out from their source, which a notebook keeps, and plain values by what they are now;
so ranges are read from it as from a script.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping
from typing import Any

from hpo.search.terms.errors import UserError

_TRIALS = ("Trial", "BaseTrial", "FrozenTrial")
_LONGEST = 10_000
"""Letters of a value that is written out."""


def takes_trial(function: Callable[..., Any]) -> bool:
    """Whether the only parameter without a default is a trial, by its name or annotation.

    >>> takes_trial(lambda trial: 0.0), takes_trial(lambda x: 0.0), takes_trial(lambda *, trial=None: 0.0)
    (True, False, False)
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    if len(needed) != 1 or needed[0].kind is inspect.Parameter.KEYWORD_ONLY:
        return False
    hint = needed[0].annotation
    named = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
    return needed[0].name == "trial" or named.strip("'\"").rpartition(".")[2] in _TRIALS


def written(function: Callable[..., Any]) -> str:
    """The module in which a function of a trial could stand, called there as ``called`` says.

    Raises:
        UserError: its source cannot be had, or it is no ``def``.
    """
    parts: dict[str, str] = {}
    kind, made = type(function), ""
    if isinstance(function, types.FunctionType):
        _write(function.__name__, function, parts)
    elif "__call__" in vars(kind):
        _write(kind.__name__, kind, parts)
        made = f"{called(function)} = {kind.__name__}()\n"
    if not parts:
        raise UserError(
            f"the ranges that {called(function)} suggests are read from its source, and a lambda, or code that is in "
            "no cell or file, has none: write def objective(trial): return mine(trial, data)"
        )
    return "\n\n".join([*parts.values(), made])


def called(function: Callable[..., Any]) -> str:
    """The name of a function in its text; of an object that can be called one that is free there.

    >>> called(written), called(print), called(object())
    ('written', 'print', 'object_')
    """
    return getattr(function, "__name__", f"{type(function).__name__}_")


def _write(name: str, value: Any, parts: dict[str, str]) -> None:
    """Put the definition of a name among the parts, and those of the names that it uses."""
    if name in parts:
        return
    if isinstance(value, types.ModuleType):
        parts[name] = f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
    elif isinstance(value, (types.FunctionType, type)):
        text = _source(value)
        if text is None:
            return
        own = value.__name__
        parts[name] = text if own == name else f"{text}\n{name} = {own}"
        for method in vars(value).values() if isinstance(value, type) else [value]:
            for used, what in _names(method).items():
                _write(used, what, parts)
    elif _plain(value):
        parts[name] = f"{name} = {value!r}"


def _source(value: Any) -> str | None:
    try:
        text = textwrap.dedent(inspect.getsource(value))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        return None
    defines = isinstance(tree.body[0], (ast.FunctionDef, ast.ClassDef)) and tree.body[0].name == value.__name__
    return text if defines else None


def _names(function: Any) -> Mapping[str, Any]:
    if not isinstance(function, types.FunctionType):
        return {}
    found = inspect.getclosurevars(function)
    return {**found.globals, **found.nonlocals}


def _plain(value: Any) -> bool:
    """Whether its text makes the same value: numbers, words, and lists, tuples, sets and mappings of them."""
    if isinstance(value, range):
        return True
    if not isinstance(value, (bool, int, float, str, tuple, list, dict, set, frozenset, type(None))):
        return False
    try:
        text = repr(value)
        return len(text) < _LONGEST and bool(ast.literal_eval(text) == value)
    except Exception:  # an object in it has a text of its own, or raises where it is compared
        return False
