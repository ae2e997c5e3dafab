"""A metric of the user's own, ``./mine.py:profit``: read from its file's text, and imported where it is measured."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hpo.search.describe.source import Source
from hpo.search.terms.errors import UserError, did_you_mean

_USUAL = "metric"
"""Function that is meant where a file has several and none is named."""

_EXAMPLE = "def profit(y_true, y_pred): return a number"


def name_of(reference: str) -> str:
    """What a curve calls it, without the ``val_`` before it.

    >>> name_of("/x/mine.py:profit")
    'profit'
    """
    return reference.rpartition(":")[2]


def file_of(reference: str) -> Path:
    """The file of a reference that ``find`` gave."""
    return Path(reference.rpartition(":")[0])


def find(written: str, folder: Path) -> str:
    """The reference with its file absolute and its function named.

    Args:
        written: as in a study file: ``./mine.py``, of the only function in it, or ``./mine.py:profit``.
        folder: to which the path is relative.

    Raises:
        UserError: there is no such file or function, or it takes something else than targets and predictions.
    """
    target, colon, function = written.partition(".py:")
    try:
        path = (folder / Path(f"{target}.py" if colon else written).expanduser()).resolve()
        if not path.is_file():
            raise UserError(f"there is no file {path.name} in {path.parent}")
        source = Source(path)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}," if isinstance(error, SyntaxError) and error.lineno else ""
        raise UserError(f"{path.name}{line} is not Python: {getattr(error, 'msg', error)}") from None
    except (OSError, RuntimeError) as error:
        raise UserError(f"{written[:80]} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    known = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    public = [name for name in known if not name.startswith("_")]
    if not function:
        function = public[0] if len(public) == 1 else _USUAL
        if function not in known:
            told = f"defines {', '.join(public)}" if public else "defines no function"
            hint = f"name one: {path.name}:{public[0]}" if public else _EXAMPLE
            raise UserError(f"{path.name} {told}: {hint}")
    if function not in known:
        raise UserError(f"{path.name} has no function {function!r}: {did_you_mean(function, public) or _EXAMPLE}")
    taken = known[function].args
    named = [*taken.posonlyargs, *taken.args]
    needed = len(named) - len(taken.defaults)
    keywords = [each.arg for each, given in zip(taken.kwonlyargs, taken.kw_defaults, strict=True) if given is None]
    if keywords:
        raise UserError(f"{function} of {path.name} needs {', '.join(keywords)}, which it is not given: give a default")
    if needed > 2 or (len(named) < 2 and taken.vararg is None):
        raise UserError(f"{function} of {path.name} is given what is true and what is predicted: {_EXAMPLE}")
    return f"{path}:{function}"


def digest_of(reference: str | None) -> str | None:
    """Function, file and digest of its text, as a study records it; None where there is no such metric.

    Raises:
        UserError: the file is gone.
    """
    if reference is None:
        return None
    path = file_of(reference)
    try:
        return f"{name_of(reference)} of {path.name}, {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    except OSError as error:
        raise UserError(f"the metric's file {path} cannot be read: {error.strerror}") from None


def import_metric(reference: str) -> Callable[..., Any]:
    """The function; errors of its file pass through."""
    path = file_of(reference)
    return _function(reference, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _function(reference: str, digest: str) -> Callable[..., Any]:
    """The function, imported again in a process that has met the file with another text, as a notebook may."""
    path = file_of(reference)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that nothing is shadowed
    module = ModuleType(f"_hpo_metric_{path.stem}_{hashlib.sha256(f'{reference} {digest}'.encode()).hexdigest()[:12]}")
    vars(module)["__file__"] = str(path)
    sys.modules[module.__name__] = module  # where dataclasses, pickle and typing look for it
    try:
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    found: Callable[..., Any] = getattr(module, name_of(reference))
    return found
