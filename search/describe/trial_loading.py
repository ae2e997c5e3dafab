"""The definitions of a script without its search: what is imported when its objective is trained here."""

from __future__ import annotations

import ast

_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_SEARCHES = ("create_study", "load_study", "optimize")


def definitions(tree: ast.Module) -> ast.Module:
    """The module up to where it begins its own search; after that functions, classes and imports only.

    >>> kept = definitions(ast.parse("x = 1\\nstudy = create_study()\\nprint(study)\\nimport math"))
    >>> ast.unparse(kept).splitlines()
    ['x = 1', 'import math']
    """
    body, searched, searching = list[ast.stmt](), False, _searching(tree)
    for node in tree.body:
        if isinstance(node, _DEFINES):
            body.append(node)
            continue
        searched = searched or (not _guarded(node) and not _called(node).isdisjoint(searching))
        if not searched:
            body.append(node)
    return ast.Module(body, tree.type_ignores)


def _searching(tree: ast.Module) -> set[str]:
    """Names of what begins a search: Optuna's, and the file's own functions that call them, or one another."""
    functions = {node.name: _called(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = set(_SEARCHES)
    while more := {name for name, calls in functions.items() if name not in found and not calls.isdisjoint(found)}:
        found |= more
    return found


def _called(node: ast.stmt) -> set[str]:
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def _guarded(node: ast.stmt) -> bool:
    """``if __name__ == "__main__"``, which is not entered anyway."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
