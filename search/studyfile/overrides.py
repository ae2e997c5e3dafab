"""Settings of the command line laid over a study file, so that one validation serves both.

Each keeps its place: a mistake in ``--set dropout=much`` is reported at ``--set dropout:1:1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hpo.search.studyfile.yaml12 import Node, parse
from hpo.search.terms.errors import Mistake, StudyFileError

_TEXT = ("name", "storage", "device")
_EXAMPLE = "--set learning_rate=0.01, or --set 'dropout={float: [0, 0.3]}'"


def overlay(root: Node, overrides: Iterable[tuple[str, str]], mistakes: list[Mistake]) -> Node:
    """Lay pairs of (key, YAML text) over a study; see ``studyfile.read``.

    A section that is not a mapping is left as it is, for its own mistake to be reported.
    """
    assert isinstance(root.value, dict)
    for key, text in overrides:
        try:
            root = _set(root, text, mistakes) if key == "set" else _replace(root, key, text, mistakes)
        except StudyFileError as error:
            mistakes += error.mistakes
    return root


def _replace(root: Node, key: str, text: str, mistakes: list[Mistake]) -> Node:
    section, _, name = key.rpartition(".")
    flag = f"--{name.replace('_', '-')}"
    node = _words(text, flag) if key in _TEXT else _parse(text, flag, mistakes)
    return _put(root, name, node) if not section else _into(root, section, name, node)


def _set(root: Node, text: str, mistakes: list[Mistake]) -> Node:
    """Fix or search a knob, whichever its value says, and drop what the file says of it."""
    knob, separator, value = text.partition("=")
    knob = knob.strip()
    if not separator or not knob:
        raise StudyFileError([Mistake(f"--set takes KNOB=VALUE, got {text!r}", _EXAMPLE, "--set", text)])
    node = _parse(value, f"--set {knob}", mistakes)
    searched = isinstance(node.value, dict)
    for section in ("search", "fixed") if searched else ("search", "fixed", "prior"):
        held = _values(root).get(section)
        if held is not None and isinstance(held.value, dict) and knob in held.value:
            rest = {name: item for name, item in held.value.items() if name != knob}
            keys = {name: place for name, place in held.keys.items() if name != knob}
            root = _put(root, section, _with(held, rest, keys), root.keys.get(section))
    return _into(root, "search" if searched else "fixed", knob, node)


def _parse(text: str, flag: str, mistakes: list[Mistake]) -> Node:
    return parse(text, flag, mistakes) if text.strip() else Node(None, flag, text)


def _words(text: str, flag: str) -> Node:
    """Text that may look like something else: ``--name 007``, ``--storage C:\\studies.db``."""
    try:
        node = parse(text, flag)
    except StudyFileError:
        node = Node(None, flag, text)
    return node if isinstance(node.value, str) else Node(text, flag, text, width=max(1, len(text)))


def _into(root: Node, section: str, name: str, node: Node) -> Node:
    held = _values(root).get(section)
    key = _key(name, node)
    if held is None or held.value is None:
        return _put(root, section, _with(node, {name: node}, {name: key}))
    if not isinstance(held.value, dict):
        return root
    inner = _with(held, {**held.value, name: node}, {**held.keys, name: key})
    return _put(root, section, inner, root.keys.get(section))


def _put(root: Node, key: str, node: Node, place: Node | None = None) -> Node:
    return _with(root, {**_values(root), key: node}, {**root.keys, key: place or _key(key, node)})


def _key(name: str, node: Node) -> Node:
    """Place of a key that a flag stands for: its value's."""
    return Node(name, node.source, node.text, node.line, node.column, node.width)


def _values(root: Node) -> dict[str, Node]:
    assert isinstance(root.value, dict)
    return root.value


def _with(held: Node, value: dict[str, Node], keys: Mapping[str, Node]) -> Node:
    return Node(value, held.source, held.text, held.line, held.column, held.width, keys)
