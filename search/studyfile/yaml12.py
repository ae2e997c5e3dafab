"""YAML as people mean it: 1.2 numbers and booleans, with the place of everything, and no surprises.

PyYAML alone reads ``1e-4`` as a string, ``no`` as False and ``12:30`` as 750. Here they are 0.0001, ``'no'`` and
``'12:30'``. Tags, anchors and duplicate keys are refused: nothing a study file needs, and how files go wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from hpo.search.terms.errors import Mistake, StudyFileError, lines_of

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_TAGS = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}
_PREFIX = "tag:yaml.org,2002:"
_DEEPEST = 40
_LARGEST = 1_000_000
_UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")

Value: TypeAlias = "str | int | float | bool | list[Node] | dict[str, Node] | None"


@dataclass(frozen=True)
class Node:
    """A value with its place. ``keys`` holds, for a mapping, the place of each key."""

    value: Value
    source: str = "<study>"
    text: str = field(default="", repr=False)
    line: int = 1
    column: int = 1
    width: int = 1
    keys: Mapping[str, Node] = field(default_factory=dict, repr=False)

    def plain(self) -> Any:
        """The value as plain data.

        >>> parse("{a: [1e-4, no, 12:30]}").plain()
        {'a': [0.0001, 'no', '12:30']}
        """
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def mistake(self, message: str, hint: str = "", about: str = "") -> Mistake:
        """A mistake at this node's place; ``about`` tells several at one place apart."""
        return Mistake(message, hint, self.source, self.text, self.line, self.column, self.width, about)

    @property
    def kind(self) -> str:
        """What this is, in the words of a message."""
        names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a whole number"}
        return {**names, float: "a number", type(None): "nothing"}[type(self.value)]


class _Loader(yaml.SafeLoader):
    """Resolves scalars as YAML 1.2 does; refuses anchors where they stand, and nesting that no study needs."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        if getattr(event, "anchor", None) is not None:
            problem = "anchors and aliases are not supported: write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply for a study", problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern in _TAGS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever either YAML 1.1 or 1.2 would not read back as the same string."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: list(found) for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if "\x85" in text else None  # PyYAML folds this line end away in single quotes
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
for _tag, _pattern in _TAGS.items():
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)


def parse(text: str, source: str = "<study>", mistakes: list[Mistake] | None = None) -> Node:
    """Read one YAML document.

    Args:
        text: the document.
        source: what messages call it.
        mistakes: takes the mistakes after which reading can go on (duplicate keys, numbers out of range); None
            raises them too.

    Raises:
        StudyFileError: it is not YAML, or uses tags, anchors, duplicate or non-text keys.
    """

    def refuse(message: str, line: int = 1, column: int = 1, hint: str = "") -> StudyFileError:
        return StudyFileError([Mistake(message, hint, source, text, line, column)])

    if len(text) > _LARGEST:
        problem = f"{len(text) / 1e6:.1f} MB are too much for a study"
        raise StudyFileError([Mistake(problem, "is this the right file?", source)])
    try:
        tree = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise refuse(*_explain(error, text, line, column)) from None
    except yaml.reader.ReaderError as error:
        before = lines_of(text[: error.position] + "x")
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise refuse(f"the character U+{code:04X} cannot stand here", len(before), len(before[-1])) from None
    except (RecursionError, ValueError, OverflowError):  # PyYAML's own conversions: escapes, %YAML versions
        raise refuse("not YAML: a number or escape in it is out of range, or it is nested too deeply") from None
    if tree is None:
        raise refuse("the file is empty", hint="see `hpo list` for examples")
    found: list[Mistake] = []
    fatal: list[Mistake] = []
    node = _convert(tree, source, text, found, fatal)
    if fatal or (found and mistakes is None):
        raise StudyFileError([*found, *fatal])
    if mistakes is not None:
        mistakes += found
    return node


def dump(data: Any) -> str:
    """Write plain data as YAML that reads back the same under YAML 1.1 and 1.2.

    >>> print(dump({"a": 1e-4, "b": "no", "c": [1, 2]}), end="")
    a: 0.0001
    b: 'no'
    c: [1, 2]
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def flow(data: Any) -> str:
    """The same on one line.

    >>> flow({"float": [1e-4, 1.0], "log": True})
    '{float: [0.0001, 1.0], log: true}'
    """
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10**6)
    return str(text).removesuffix("...\n").strip()


def _explain(error: yaml.MarkedYAMLError, text: str, line: int, column: int) -> tuple[str, int, int, str]:
    """Message, place and hint for what PyYAML could not read."""
    problem = error.problem or "not YAML"
    shown = lines_of(text)[line - 1] if line <= len(lines_of(text)) else ""
    if "\t" in shown and ("'\\t'" in problem or not shown[: column - 1].strip()):
        return "a tab indents this line", line, shown.index("\t") + 1, "YAML indents with spaces"
    if "could not find expected ':'" in problem:
        start = error.context_mark or error.problem_mark
        if start is not None:
            return "this line has no ': ' after its key", start.line + 1, start.column + 1, "write key: value"
    if "mapping values are not allowed" in problem:
        above = [number for number, other in enumerate(lines_of(text)[: line - 1], 1) if other.strip()]
        if above and not re.search(r"[:#,\[{]", lines_of(text)[above[-1] - 1]):
            return "this line has no ': ' after its key", above[-1], 1, "write key: value"
        return "a ':' where none can stand", line, column, "quote text that contains ': ', and check the indentation"
    if "expected the node content, but found" in problem or "while parsing a flow" in (error.context or ""):
        opened = error.context_mark
        if opened is not None and "flow" in (error.context or ""):
            what = "[" if "sequence" in (error.context or "") else "{"
            end = {"[": "]", "{": "}"}[what]
            inside = lines_of(text)[opened.line][opened.column :]
            if re.match(r"\{\s*command:\s*[^\s'\"]", inside):
                return (
                    "a command with { or } in it is not in quotes",
                    line,
                    column,
                    'write {command: "python ... {knob}"}',
                )
            hint = f"is a ',' or the closing {end!r} missing? the {what!r} is at {opened.line + 1}:{opened.column + 1}"
            return f"the {what}...{end} opened before cannot be read on", line, column, hint
    if "expected <block end>" in problem:
        return "this line does not fit the lines above", line, column, "check the indentation"
    if "expected a single document" in (error.context or ""):
        return "a second document begins here", line, column, "a study file holds one"
    return " ".join(filter(None, [error.context, problem])), line, column, ""


def _convert(tree: yaml.Node, source: str, text: str, found: list[Mistake], fatal: list[Mistake]) -> Node:
    start, end = tree.start_mark, tree.end_mark
    width = end.column - start.column if end.line == start.line else 1
    node = Node(None, source, text, start.line + 1, start.column + 1, max(1, width))
    value: Value = None
    keys: dict[str, Node] = {}
    if isinstance(tree, yaml.MappingNode) and tree.tag == f"{_PREFIX}map":
        value = {}
        for key_tree, value_tree in tree.value:
            key = _convert(key_tree, source, text, found, fatal)
            item = _convert(value_tree, source, text, found, fatal)
            if isinstance(key.value, (list, dict)) or key.value is None:
                found.append(key.mistake("a key must be a name", _placeholder(value_tree)))
                continue
            name = key_tree.value
            if name in value:
                found.append(key.mistake(f"{name} is given twice", f"first on line {keys[name].line}"))
                continue
            value[name], keys[name] = item, key
    elif isinstance(tree, yaml.SequenceNode) and tree.tag == f"{_PREFIX}seq":
        value = [_convert(item, source, text, found, fatal) for item in tree.value]
    elif isinstance(tree, yaml.ScalarNode) and tree.tag.removeprefix(_PREFIX) in (*_TAGS, "str"):
        value = _scalar(tree, node, found)
    else:
        tag = tree.tag.replace(_PREFIX, "!!")
        fatal.append(node.mistake(f"the tag {tag} is not supported", "write plain values"))
    return Node(value, source, text, node.line, node.column, node.width, keys)


def _placeholder(value: yaml.Node) -> str:
    """``{{x}}`` and ``{x}`` left over from a template read as mappings with odd keys."""
    return "quote text that begins with '{'" if isinstance(value, yaml.ScalarNode) and value.value == "" else ""


def _scalar(tree: yaml.ScalarNode, node: Node, found: list[Mistake]) -> str | int | float | bool | None:
    kind, raw = tree.tag.removeprefix(_PREFIX), str(tree.value)
    if kind == "str":
        if _UNUSABLE.search(raw):
            found.append(node.mistake("text cannot hold the character NUL or half a surrogate pair"))
            return _UNUSABLE.sub("?", raw)
        return raw
    if not _TAGS[kind].match(raw):
        found.append(node.mistake(f"{raw!r} is not {kind}"))
        return None
    if kind == "null":
        return None
    if kind == "bool":
        return raw.lower() == "true"
    if kind == "int":
        if len(raw) > 30:
            found.append(node.mistake("a whole number of more than 30 digits"))
            return 1
        return int(raw, 0) if raw.startswith(("0o", "0x")) else int(raw)
    special = raw.lstrip("+-").lower()
    if special in (".inf", ".nan"):
        return float(raw.replace(".", "", 1))
    number = float(raw)
    if math.isinf(number):
        found.append(node.mistake("a number beyond 1.8e308"))
        return 1.0
    return number
