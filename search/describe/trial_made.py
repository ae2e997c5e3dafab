"""Objectives that a script makes where it searches: ``study.optimize(Objective(data))`` in its ``main``.

What stands before in the same function, and is not of the search, is what the objective is made of. It is kept as a
function of its own, so that the search, which is ours, need not run.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SEARCHES = ("create_study", "load_study", "optimize")
"""Calls that begin a search."""

NOTHING = ast.arguments([], [], None, [], [], None, [])
"""Arguments of what takes none."""

_PREFIX = "_hpo_made_"


@dataclass(frozen=True)
class Made:
    """An objective that is made while the script runs.

    Attributes:
        name: by which a study names it: the variable, or the class or function that makes it.
        expression: what makes it.
        before: statements that it needs, in their order.
        arguments: of the function in which it stands, all with defaults.
        shared: whether they are the module's own, under ``if __name__ == "__main__"``.
    """

    name: str
    expression: ast.Call
    before: tuple[ast.stmt, ...] = ()
    arguments: ast.arguments = NOTHING
    shared: bool = True


def maker_of(name: str) -> str:
    """Name of the function that makes an objective, among the script's definitions."""
    return _PREFIX + name


def made(tree: ast.Module) -> Iterator[Made]:
    """Objectives that are made in a function or behind ``if __name__``, of each name the first."""
    searching, told = searching_names(tree), set[str]()
    outside = {*vars(builtins), *_bound(tree.body)}
    for body, arguments, shared in _places(tree):
        for place, statement in enumerate(body):
            for call in _optimizing(statement):
                handed = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "func"), None)
                before = _kept(body[:place], searching)
                found = _named(handed, before)
                if found is None or found[0] in told:
                    continue
                inside = {*_bound(before), *(argument.arg for argument in _listed(arguments))}
                if _loaded(found[1]) <= {*outside, *inside}:
                    told.add(found[0])
                    yield Made(*found, tuple(before), arguments, shared)


def makers(tree: ast.Module) -> list[ast.stmt]:
    """A function for each of them that makes it when it is called."""
    found: list[ast.stmt] = []
    for one in made(tree):
        bound = sorted(_bound(one.before)) if one.shared else []
        body = [*([ast.Global(bound)] if bound else []), *one.before, ast.Return(one.expression)]
        function = ast.parse(f"def {maker_of(one.name)}(): pass").body[0]
        assert isinstance(function, ast.FunctionDef)
        function.args, function.body = one.arguments, copy.deepcopy(body)
        found.append(ast.fix_missing_locations(function))
    return found


def searching_names(tree: ast.Module) -> set[str]:
    """Names of what begins a search: Optuna's, and the file's own functions that call them, or one another."""
    functions = {node.name: called(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = set(SEARCHES)
    while more := {name for name, calls in functions.items() if name not in found and not calls.isdisjoint(found)}:
        found |= more
    return found


def called(node: ast.stmt) -> set[str]:
    """Names of everything that a statement calls."""
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def guarded(node: ast.stmt) -> bool:
    """``if __name__ == "__main__"``, which is not entered where the module is imported."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _places(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], ast.arguments, bool]]:
    """Bodies that may search: of the module, of what is guarded, of functions that need no argument."""
    yield tree.body, NOTHING, True
    for node in tree.body:
        if guarded(node):
            assert isinstance(node, ast.If)
            yield node.body, NOTHING, True
        elif isinstance(node, ast.FunctionDef):
            given = node.args
            positional = [*given.posonlyargs, *given.args]
            if len(positional) == len(given.defaults) and None not in given.kw_defaults:
                yield node.body, given, False


def _optimizing(statement: ast.stmt) -> list[ast.Call]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) or guarded(statement):
        return []
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "optimize"]


def _named(handed: ast.expr | None, before: Sequence[ast.stmt]) -> tuple[str, ast.Call] | None:
    """The name of what is optimized and what makes it; None where no call does."""
    if isinstance(handed, ast.Call) and isinstance(handed.func, ast.Name):
        return handed.func.id, handed
    if isinstance(handed, ast.Name):
        for statement in reversed(before):
            if isinstance(statement, ast.Assign) and handed.id in _bound([statement]):
                value = statement.value
                return (handed.id, value) if isinstance(value, ast.Call) else None
    return None


def _kept(body: Sequence[ast.stmt], searching: set[str]) -> list[ast.stmt]:
    """Statements that neither search nor use what a search gives."""
    kept, searched = list[ast.stmt](), set[str]()
    for statement in body:
        if called(statement).isdisjoint(searching) and _loaded(statement).isdisjoint(searched):
            kept.append(statement)
        else:
            searched |= _bound([statement])
    return [statement for statement in kept if not guarded(statement)]


def _bound(body: Sequence[ast.stmt]) -> set[str]:
    """Names that statements bind, as far as they are plain."""
    found = set[str]()
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).partition(".")[0])
    return found


def _loaded(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _listed(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
