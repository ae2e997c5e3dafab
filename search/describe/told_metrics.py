"""Metrics that a script's text prints or logs: their names, in the order of the text. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hpo.search.describe.annotations import literal
from hpo.search.describe.source import Source
from hpo.search.terms.named import COUNTERS, canonical, named_numbers

_SAYS = (
    "print",
    "info",
    "debug",
    "warning",
    "write",
    "set_description",
    "set_description_str",
    "set_postfix_str",
    "echo",
)
_TABLES = ("log", "log_metrics", "log_dict", "set_postfix", "dumps")
_SINGLE = ("log_metric", "add_scalar", "log", "log_value")
_FORMAT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[dfgeEs]|\{[^{}]*\}")
_SOME = "0.5"


def metrics_of(source: Source) -> list[str]:
    """Names of the numbers that a script tells, each once; counters such as ``epoch`` left out."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    found = [name for call in calls for name in _named(call)]
    return list(dict.fromkeys(name for name in found if canonical(name) not in COUNTERS))


def _named(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if name in _SINGLE and len(call.args) > 1 and isinstance(literal(call.args[0]), str):
        yield literal(call.args[0])
    elif name in _TABLES:
        if isinstance(first, ast.Dict):
            yield from _keys(first)
        elif name == "set_postfix":
            yield from (keyword.arg for keyword in call.keywords if keyword.arg not in (None, "refresh"))
    elif name in _SAYS:
        if isinstance(first, ast.Call) and getattr(first.func, "attr", "") == "dumps":
            return  # the inner call has its own turn
        lazy = isinstance(first, ast.Constant) and len(call.args) > 1 and "%" in str(first.value)  # as logging takes it
        texts = [_FORMAT.sub(_SOME, _text(call.args[0]))] if lazy else map(_text, call.args)
        yield from named_numbers(" ".join(texts))
        if isinstance(first, ast.Dict):
            yield from _keys(first)


def _keys(table: ast.Dict) -> Iterator[str]:
    yield from (key.value for key in table.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def _text(node: ast.expr) -> str:
    """What an expression prints, with some number where it prints a value."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else _SOME for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    held = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        held = node.func.value
    return _SOME if held is None else _FORMAT.sub(_SOME, _text(held))
