"""Options of scripts whose command line is a function or a dataclass: click, typer, fire, Hugging Face, tyro."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hpo.search.describe.annotations import knob_of, literal, parsed, value_of
from hpo.search.describe.script_option import Option
from hpo.search.describe.source import Source
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob, Range, Signature

_CLASSES = ("HfArgumentParser", "add_arguments", "parse", "cli", "auto_cli", "CLI", "ArgParser", "Fire")
"""Calls that turn a dataclass or a function, their first argument, into a command line."""

_OWNERS = ("simple_parsing", "tyro", "pyrallis", "draccus", "jsonargparse", "fire", "transformers", "parser")
_DASHES = ("tyro",)
"""Libraries that write ``learning_rate`` as ``--learning-rate``, and a switch as ``--amp`` or ``--no-amp``."""

_DEEPEST = 8

_FLAT = ("simple_parsing", "parser")
"""Libraries that leave out where a field of an inner dataclass lies, as long as no other is called so."""

_TYPES = {"INT": "int", "FLOAT": "float", "STRING": "str", "BOOL": "bool", "Path": "str", "File": "str"}


def declared(source: Source) -> tuple[list[Option], bool]:
    """Options of the file's command lines, and whether there are others that its text does not tell."""
    found: list[Option] = []
    unclear = False
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
            options = [call for call in calls if _last(call.func) in ("option", "argument")]
            found += [_clicked(call, source) for call in reversed(options) if call.args][::-1]
            if any(_last(call.func) == "command" for call in calls) and not options:
                found += _typed(node, source)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.run" and node.args:
            held = source.find(node.args[0])
            found += _typed(held[1], held[0]) if held is not None and isinstance(held[1], ast.FunctionDef) else []
        elif isinstance(node, ast.Call) and _last(node.func) in _CLASSES and _known(node.func):
            told = list(_structured(node, source))
            unclear = unclear or not told or any(signature is None or signature.open for signature in told)
            owner = ast.unparse(node.func)
            dashes, flat = owner.startswith(_DASHES), owner.startswith(_FLAT)
            for signature in told:
                knobs = list(signature.knobs.values()) if signature is not None else []
                last = [knob.name.rpartition(".")[2] for knob in knobs]
                found += [
                    _field(knob, dashes=dashes, flat=flat and last.count(own) == 1)
                    for knob, own in zip(knobs, last, strict=True)
                ]
    return found, unclear


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _known(function: ast.expr) -> bool:
    """Whether a call's name is that of a library for command lines, not one that merely sounds alike."""
    text = ast.unparse(function)
    owner = text.partition(".")[0]
    return owner in _OWNERS if "." in text else text in ("HfArgumentParser", "CLI", "auto_cli", "Fire")


def _structured(call: ast.Call, source: Source) -> Iterator[Signature | None]:
    given = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "config_class"), None)
    for item in given.elts if isinstance(given, (ast.Tuple, ast.List)) else [given]:
        held = None if item is None else source.find(item)
        if held is None or not isinstance(item, ast.Name):
            yield None
        else:
            function = isinstance(held[1], ast.FunctionDef)
            yield source.signature(item.id) if function else _with_parts(held[0], source.fields(item.id), item.id)


def _with_parts(source: Source, signature: Signature | None, name: str, depth: int = 0) -> Signature | None:
    """A dataclass's fields; in the place of those that are dataclasses theirs, ``optimizer.lr``."""
    if signature is None or depth > _DEEPEST:
        return signature
    parts, knobs, open_ = source.parts(name), dict[str, Knob](), signature.open
    for own, knob in signature.knobs.items():
        if own not in parts:
            knobs[own] = knob
            continue
        where, kind, given = parts[own]
        inner = _with_parts(where, where.fields(kind), kind, depth + 1) or Signature({}, True)
        open_ = open_ or inner.open
        for field, one in inner.knobs.items():
            default = given.get(field, one.default)
            knobs[f"{own}.{field}"] = replace(one, name=f"{own}.{field}", default=default)
    return replace(signature, knobs=knobs, open=open_)


def _field(knob: Knob, *, dashes: bool, flat: bool) -> Option:
    place, _, own = knob.name.rpartition(".")
    written = (knob.name if not flat else own).replace("_", "-") if dashes else own if flat else knob.name
    if dashes and "bool" in knob.kinds:
        off = f"{place.replace('_', '-')}." if place else ""
        return Option(knob, f"--{written}", f"--{off}no-{own.replace('_', '-')}", "switch")
    return Option(knob, f"--{written}")


def _clicked(call: ast.Call, source: Source) -> Option:
    """One ``click.option`` or ``click.argument``."""
    names = [name for argument in call.args if isinstance(name := literal(argument), str)]
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    flags = [name for name in names if name.startswith("-")]
    flag, _, off = next((name for name in flags if name.startswith("--")), flags[0] if flags else "").partition("/")
    own = next((name for name in names if not name.startswith("-")), flag.lstrip("-"))
    place = _last(call.func) == "argument"
    default = value_of(named["default"], source.find) if "default" in named else REQUIRED if place else None
    if literal(named.get("required", ast.Constant(place))) is True and "default" not in named:
        default = REQUIRED
    text = literal(named.get("help", ast.Constant("")))
    doc, name = " ".join(text.split()) if isinstance(text, str) else "", own.replace("-", "_").lower()
    if off or literal(named.get("is_flag", ast.Constant(False))) is True:
        return Option(Knob(name, bool(default), frozenset({"bool"}), doc=doc), flag.strip(), off.strip(), "switch")
    kinds, options, limits = _clicked_type(named.get("type"), default, source)
    if default is None and kinds:
        kinds |= {"none"}
    return Option(Knob(name, default, kinds, options, limits, doc), flag, form="place" if place else "value")


def _clicked_type(
    node: ast.expr | None, default: Any, source: Source
) -> tuple[frozenset[str], tuple[Any, ...], Range | None]:
    if node is None:  # click goes by the default
        kind = type(default).__name__ if isinstance(default, (bool, int, float, str)) else ""
        return frozenset({kind} if kind else ()), (), None
    if not isinstance(node, ast.Call):
        kind = _TYPES.get(_last(node), _last(node))
        return frozenset({kind} if kind in ("int", "float", "str", "bool") else ()), (), None
    name = _last(node.func)
    if name == "Choice" and node.args:
        values = value_of(node.args[0], source.find)
        return frozenset(), tuple(values) if isinstance(values, (list, tuple)) else (), None
    if name in ("FloatRange", "IntRange"):
        ends = dict(zip(("min", "max"), node.args, strict=False)) | {k.arg: k.value for k in node.keywords}
        return frozenset({"float" if name == "FloatRange" else "int"}), (), _range(ends, "min", "max")
    kind = _TYPES.get(name, "")
    return frozenset({kind} if kind else ()), (), None


def _range(given: Mapping[Any, ast.expr], low: str, high: str) -> Range | None:
    ends = {name: literal(given[key]) for name, key in (("low", low), ("high", high)) if key in given}
    numbers = {name: float(value) for name, value in ends.items() if isinstance(value, (int, float))}
    return Range(numbers.get("low", -math.inf), numbers.get("high", math.inf)) if numbers else None


def _typed(function: ast.FunctionDef, source: Source) -> list[Option]:
    """Parameters of a function that typer runs."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    padded = [*([None] * (len(positional) - len(arguments.defaults))), *arguments.defaults]
    pairs = [*zip(positional, padded, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [_parameter(argument, default, source) for argument, default in pairs]


def _parameter(argument: ast.arg, default: ast.expr | None, source: Source) -> Option:
    told = next((call for call in [default, *_metadata(argument.annotation)] if _is_typer(call)), None)
    words, named = [], dict[str | None, ast.expr]()
    if isinstance(told, ast.Call):
        words = [literal(item) for item in told.args]
        named = {keyword.arg: keyword.value for keyword in told.keywords}
    flags = [word for word in words if isinstance(word, str) and word.startswith("-")]
    if told is default and told is not None:  # the default is its first argument
        assert isinstance(told, ast.Call)
        default = named.get("default", told.args[0] if told.args else None)
        default = None if isinstance(default, ast.Constant) and default.value is ... else default
    knob = knob_of(argument.arg, argument.annotation, default, source.find)
    text = literal(named.get("help", ast.Constant("")))
    options = knob.options or _members(argument.annotation, source)
    knob = Knob(
        knob.name, knob.default, frozenset() if options else knob.kinds, options, _range(named, "min", "max"),
        " ".join(text.split()) if isinstance(text, str) else "",
    )  # fmt: skip
    optional = told is not None and isinstance(told, ast.Call) and _last(told.func) == "Option"
    if not optional and (knob.default is REQUIRED or told is not None):
        return Option(knob, form="place")
    flag, _, off = next(
        (flag for flag in flags if flag.startswith("--")), f"--{knob.name.replace('_', '-')}"
    ).partition("/")
    if "bool" in knob.kinds:
        return Option(knob, flag, off or ("" if flags else f"--no-{flag[2:]}"), "switch")
    return Option(knob, flag)


def _is_typer(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and _last(node.func) in ("Option", "Argument")


def _metadata(annotation: ast.expr | None) -> list[ast.expr]:
    node = None if annotation is None else parsed(annotation)
    if isinstance(node, ast.Subscript) and _last(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        return node.slice.elts[1:]
    return []


def _members(annotation: ast.expr | None, source: Source) -> tuple[Any, ...]:
    """Values of an enumeration that is the annotation."""
    node = None if annotation is None else parsed(annotation)
    if isinstance(node, ast.Subscript) and _last(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        node = node.slice.elts[0]
    held = source.find(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    if held is None or not isinstance(held[1], ast.ClassDef) or "Enum" not in " ".join(map(ast.unparse, held[1].bases)):
        return ()
    values = [literal(item.value) for item in held[1].body if isinstance(item, ast.Assign)]
    return tuple(values) if UNKNOWN not in values else ()
