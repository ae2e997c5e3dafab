"""Options that a script gives to ``argparse`` (or ``absl.flags``), read from its calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hpo.search.describe.annotations import literal, value_of
from hpo.search.describe.script_option import Form, Option
from hpo.search.describe.source import Source
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob

_KINDS = {"int": "int", "float": "float", "str": "str", "bool": "bool", "Path": "str"}
_FLAGS = {
    "DEFINE_float": "float", "DEFINE_integer": "int", "DEFINE_string": "str", "DEFINE_bool": "bool",
    "DEFINE_boolean": "bool", "DEFINE_enum": "str", "DEFINE_list": "str",
}  # fmt: skip

_DEFAULT = re.compile(r"\s*\(?\[?(default:? *)?%\(default\)\w\)?\]?")
"""What a help text says of the default."""


def declared(source: Source) -> tuple[list[Option], bool]:
    """Options that the file's own calls declare, in their order, and whether there are others whose text is unclear."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    commands = [literal(call.args[0]) for call in calls if _called(call) == "add_parser" and call.args]
    found: list[Option] = []
    unclear, defaults = False, dict[str, Any]()
    for call in calls:
        named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
        name = _called(call)
        if name == "add_argument" and call.args:
            option = _argument(call, named, source)
            unclear = unclear or option is None
            found += [option] if option is not None and option.knob.name else []
        elif name == "add_subparsers":
            knob = Knob(str(_said(named, "dest", "command")), options=tuple(map(str, commands)))
            found.append(Option(knob, form="place"))
        elif name == "set_defaults":
            defaults |= {key: value_of(item, source.find) for key, item in named.items()}
        elif name in _FLAGS and call.args and isinstance(literal(call.args[0]), str):
            found.append(_absl(call, named, _FLAGS[name], source))
    return _merged([_with_default(option, defaults) for option in found]), unclear


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _said(named: Mapping[str, ast.expr], key: str, otherwise: Any = None) -> Any:
    return literal(named[key]) if key in named else otherwise


def _argument(call: ast.Call, named: Mapping[str, ast.expr], source: Source) -> Option | None:
    """One ``add_argument``; nameless for what is no knob (``--version``), None where its flag is unclear."""
    flags = [literal(argument) for argument in call.args]
    if not all(isinstance(flag, str) and flag for flag in flags):
        return None
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    name = _said(named, "dest", long.lstrip("-").replace("-", "_"))
    action = str(_said(named, "action", "store"))
    if action in ("help", "version", "store_const", "append_const") or not isinstance(name, str):
        return Option(Knob(""))
    place = not long.startswith("-")
    if action in ("store_true", "store_false", str(UNKNOWN)):  # the last is BooleanOptionalAction, or one of their own
        return _switch(name, long, action, named, source)
    default = value_of(named["default"], source.find) if "default" in named else None
    nargs = _said(named, "nargs")
    if _said(named, "required") is True or (place and nargs not in ("?", "*")):
        default = REQUIRED
    kind = _KINDS.get(ast.unparse(named["type"]).rpartition(".")[2]) if "type" in named else None
    if kind is None and "type" in named and isinstance(default, bool):
        kind = "bool"  # a function that reads yes and no
    if kind in ("int", "float") and isinstance(default, str):
        default = _number(default)  # argparse reads it too
    several = nargs in ("+", "*") or (isinstance(nargs, int) and nargs > 1)
    form: Form = "count" if action == "count" else "several" if several else "place" if place else "value"
    if form == "count":
        kind, default = "int", default or 0
    if several and isinstance(default, (list, tuple)):
        default = " ".join(map(str, default))
    kinds = frozenset({kind, *(["none"] if default is None else []), *(["str"] if several else [])} if kind else ())
    knob = Knob(name, default, kinds, _choices(named.get("choices"), source), doc=_help(named))
    bare = kind == "bool" and ast.unparse(named["type"]) == "bool" if "type" in named else False
    return Option(knob, "" if place else long, form=form, empty_is_false=bare)


def _switch(name: str, flag: str, action: str, named: Mapping[str, ast.expr], source: Source) -> Option | None:
    if action == str(UNKNOWN) and not ast.unparse(named["action"]).endswith("BooleanOptionalAction"):
        return Option(Knob(name, UNKNOWN, doc=_help(named)), flag)
    default = value_of(named["default"], source.find) if "default" in named else action == "store_false"
    knob = Knob(name, default, frozenset({"bool"}), doc=_help(named))
    if action == "store_false":
        return Option(knob, "", flag, "switch")
    return Option(knob, flag, f"--no-{flag.lstrip('-')}" if action == str(UNKNOWN) else "", "switch")


def _absl(call: ast.Call, named: Mapping[str, ast.expr], kind: str, source: Source) -> Option:
    default = value_of(call.args[1], source.find) if len(call.args) > 1 else _said(named, "default")
    enum = _called(call) == "DEFINE_enum"
    options = _choices(call.args[2] if len(call.args) > 2 else named.get("enum_values"), source) if enum else ()
    name = literal(call.args[0])
    kinds = frozenset({kind, *(["none"] if default is None else [])})
    return Option(Knob(name, default, kinds if not options else frozenset(), options, doc=_help(named)), f"--{name}")


def _choices(node: ast.expr | None, source: Source) -> tuple[Any, ...]:
    """Values of a list, of a mapping's keys, of a range; none where the text does not tell them."""
    if node is None:
        return ()
    if isinstance(node, ast.Call):
        if _called(node) == "range":
            ends = [literal(argument) for argument in node.args]
            return tuple(range(*ends)) if ends and all(isinstance(end, int) for end in ends) else ()
        inner = node.func.value if _called(node) == "keys" and isinstance(node.func, ast.Attribute) else None
        inner = node.args[0] if _called(node) in ("list", "sorted", "tuple", "set") and node.args else inner
        return _choices(inner, source)
    found = value_of(node, source.find)
    values = tuple(found) if isinstance(found, (list, tuple, dict, set)) else ()
    return values if all(isinstance(value, (str, int, float)) for value in values) else ()


def _help(named: Mapping[str, ast.expr]) -> str:
    text = _said(named, "help", "")
    return (
        " ".join(re.sub(r"\s*\(?\[?(default:? *)?%\(default\)\w\)?\]?", "", text).split())
        if isinstance(text, str)
        else ""
    )


def _number(text: str) -> Any:
    value = float(text) if re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", text) else UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() and "." not in text else value


def _with_default(option: Option, defaults: Mapping[str, Any]) -> Option:
    name = option.knob.name
    return replace(option, knob=replace(option.knob, default=defaults[name])) if name in defaults else option


def _merged(options: list[Option]) -> list[Option]:
    """One option per knob: ``--amp`` and ``--no-amp`` of one destination are the two ends of a switch."""
    found: dict[str, Option] = {}
    for option in options:
        known = found.get(option.knob.name)
        if known is None:
            found[option.knob.name] = option
        elif known.form == option.form == "switch":
            found[option.knob.name] = replace(known, flag=known.flag or option.flag, off=known.off or option.off)
    return list(found.values())


def imported_files(source: Source) -> Iterator[str]:
    """Dotted names of the modules that a file imports."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
