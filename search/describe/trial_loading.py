"""The definitions of a script without its search: what is imported when its objective is trained here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hpo.search.describe.trial_made import called, guarded, maker_of, makers, searching_names

_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def definitions(tree: ast.Module) -> ast.Module:
    """The module up to where it begins its own search; after that functions, classes and imports only.

    What makes an objective in a function that searches is a function beside them.

    >>> kept = definitions(ast.parse("x = 1\\nstudy = create_study()\\nprint(study)\\nimport math"))
    >>> ast.unparse(kept).splitlines()
    ['x = 1', 'import math']
    """
    body, searched, searching = list[ast.stmt](), False, searching_names(tree)
    for node in tree.body:
        if isinstance(node, _DEFINES):
            body.append(node)
            continue
        searched = searched or (not guarded(node) and not called(node).isdisjoint(searching))
        if not searched:
            body.append(node)
    return ast.Module([*body, *makers(tree)], tree.type_ignores)


@cache
def function_in(module: ModuleType, name: str) -> Callable[..., Any]:
    """The function of a trial of that name in an imported script: made once, where the script makes it as it searches.

    Raises:
        Exception: what the script's own code raises.
    """
    maker = getattr(module, maker_of(name), None)
    with alone(Path(getattr(module, "__file__", None) or name)):
        found: Callable[..., Any] = getattr(module, name) if maker is None else maker()
    return found


@contextmanager
def alone(script: Path) -> Iterator[None]:
    """The words of a command that runs the script alone, for what parses them as it is imported."""
    before, sys.argv = sys.argv, [str(script)]
    try:
        yield
    finally:
        sys.argv = before
