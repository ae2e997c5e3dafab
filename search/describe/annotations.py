"""Annotations and defaults as a syntax tree holds them, turned into knobs."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob, Range

_KINDS = {"int": "int", "float": "float", "bool": "bool", "str": "str", "None": "none", "ClassWeights": "weights"}
_PLUGINS = ("BaseSampler", "Pruner")


class File(Protocol):
    """A parsed file that looks up what its names stand for."""

    def find(self, expression: ast.expr, depth: int = 0) -> tuple[File, ast.stmt] | None:
        """Statement that defines a name, and the file it is in."""


Find: TypeAlias = "Callable[[ast.expr], tuple[File, ast.stmt] | None]"


def knob_of(name: str, annotation: ast.expr | None, default: ast.expr | None, find: Find) -> Knob:
    """Knob of a parameter or field; ``find`` looks up the names in its annotation."""
    kinds, options, limits = set[str](), list[Any](), None
    for part in _parts(annotation, find):
        if isinstance(part, Range):
            limits = part
        elif isinstance(part, ast.Subscript) and _last(part.value) == "Literal":
            items = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
            options += [literal(item) for item in items]
        elif _last(part) in _PLUGINS:
            kinds.add("plugin")
        elif ast.unparse(part) in _KINDS:
            kinds.add(_KINDS[ast.unparse(part)])
        else:
            kinds, options, limits = set(), [], None
            break
    if None in options:
        options.remove(None)
        kinds.add("none")
    if UNKNOWN in options:
        options, kinds = [], set()
    value = default_of(default)
    return Knob(name, REQUIRED if value is None else value[0], frozenset(kinds), tuple(options), limits)


def default_of(node: ast.expr | None) -> tuple[Any] | None:
    """Default in a tuple of one; None for a field that the constructor does not take."""
    if node is None:
        return (REQUIRED,)
    if isinstance(node, ast.Call) and _last(node.func) == "field":
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if "init" in given and literal(given["init"]) is False:
            return None
        if "default" in given:
            return (literal(given["default"]),)
        return (UNKNOWN,) if "default_factory" in given or None in given else (REQUIRED,)
    return (literal(node),)


def literal(node: ast.expr) -> Any:
    """Value of a literal, ``UNKNOWN`` for any other expression."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return UNKNOWN


def value_of(node: ast.expr, find: Find) -> Any:
    """Value of a literal, or of a tuple or list of values, ``UNKNOWN`` for any other expression.

    Names stand for what ``find`` says they are assigned, in this file or in the one that they are imported from. Tuples
    may be joined, and lists: ``(*ONE, "two")``, ``ONE + TWO``.
    """
    try:
        return _value(node, find, 0)
    except RecursionError:
        return UNKNOWN


def _value(node: ast.expr, find: Find, depth: int) -> Any:
    if isinstance(node, (ast.Name, ast.Attribute)):
        found = find(node) if depth < 8 else None
        statement = None if found is None else found[1]
        if found is None or not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            return UNKNOWN
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        whole = all(isinstance(target, ast.Name) for target in targets)  # a, b = 1, 2 gives neither name all of it
        return _value(statement.value, found[0].find, depth + 1) if whole else UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, find, depth), _value(node.right, find, depth)
        joinable = isinstance(left, (tuple, list)) and type(left) is type(right)
        return left + right if joinable else UNKNOWN
    if isinstance(node, (ast.Tuple, ast.List)):
        items: list[Any] = []
        for item in node.elts:
            starred = isinstance(item, ast.Starred)
            value = _value(item.value if isinstance(item, ast.Starred) else item, find, depth)
            if value is UNKNOWN or (starred and not isinstance(value, (tuple, list))):
                return UNKNOWN
            items += value if starred else [value]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    return literal(node)


def parsed(annotation: ast.expr) -> ast.expr:
    """The annotation, out of its quotes if it has any."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return ast.Name("Any")
    return annotation


def _parts(annotation: ast.expr | None, find: Find, depth: int = 0) -> Iterator[ast.expr | Range]:
    """Members of a union, names of type aliases followed; limits of ``Annotated`` among them."""
    node = ast.Name("Any") if annotation is None else parsed(annotation)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _parts(node.left, find, depth)
        yield from _parts(node.right, find, depth)
        return
    if isinstance(node, ast.Subscript):
        kind, items = _last(node.value), node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if kind in ("Optional", "Union", "Final", "Required"):
            for item in items:
                yield from _parts(item, find, depth)
            if kind == "Optional":
                yield ast.Constant(None)
            return
        if kind == "Annotated":
            yield from _parts(items[0], find, depth)
            for item in items[1:]:
                limits = _limits(item, find, depth)
                if limits is not None:
                    yield limits
            return
    if isinstance(node, (ast.Name, ast.Attribute)) and _last(node) not in (*_KINDS, *_PLUGINS) and depth < 8:
        found = find(node)
        if found is not None and isinstance(found[1], (ast.Assign, ast.AnnAssign)) and found[1].value is not None:
            yield from _parts(found[1].value, found[0].find, depth + 1)
            return
    yield node


def _limits(node: ast.expr, find: Find, depth: int) -> Range | None:
    """``Range(0, 1, open_high=True)``, or a name that stands for such a call."""
    if isinstance(node, (ast.Name, ast.Attribute)) and depth < 8:
        found = find(node)
        if found is None or not isinstance(found[1], (ast.Assign, ast.AnnAssign)) or found[1].value is None:
            return None
        return _limits(found[1].value, found[0].find, depth + 1)
    if not isinstance(node, ast.Call) or _last(node.func) != "Range":
        return None
    names = ("low", "high", "open_low", "open_high")
    given = dict(zip(names, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg in names}
    values = {name: _number(value) for name, value in given.items()}
    if UNKNOWN in values.values():
        return None
    return Range(**{str(name): value for name, value in values.items()})


def _number(node: ast.expr) -> Any:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return value if value is UNKNOWN else -value
    return math.inf if ast.unparse(node) == "math.inf" else literal(node)


def _last(node: ast.expr | Range) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
