"""An ``objective`` that is a program: ``{command: ...}`` or ``{script: train.py}``, and where its metrics come from."""

from __future__ import annotations

import re
from typing import Any

from hpo.search.describe.program import Program
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, did_you_mean

PROGRAMS = ("command", "script")
"""Keys that say what is started."""

_KEYS = (*PROGRAMS, "metrics", "logs", "stand_ins")


def read_program(node: Node, mistakes: list[Mistake]) -> tuple[Node, str] | None:
    """The place and the canonical reference of the program; None with a mistake where there is none."""
    assert isinstance(node.value, dict)
    before = len(mistakes)
    for key in [key for key in node.value if key not in _KEYS]:
        mistakes.append(node.keys[key].mistake(f"a program has no key {key!r}", did_you_mean(key, _KEYS)))
    named = [key for key in PROGRAMS if key in node.value]
    if len(named) > 1:
        mistakes.append(node.mistake("an objective is a command or a script, not both", "drop one of them"))
    place = node.value[named[0]]
    if not isinstance(place.value, str) or not place.value.strip():
        example = "./train.sh --lr {lr}" if named[0] == "command" else "train.py"
        mistakes.append(place.mistake(f"{named[0]} must be text, got {place.kind}", f"{named[0]}: {example}"))
    patterns = _patterns(node.value.get("metrics"), mistakes)
    logs, stand_ins = _text(node.value.get("logs"), mistakes), _flag(node.value.get("stand_ins"), mistakes)
    if len(mistakes) > before:
        return None
    assert isinstance(place.value, str)
    return place, Program(place.value.strip(), named[0] == "script", patterns, logs, stand_ins).reference


def _patterns(node: Node | None, mistakes: list[Mistake]) -> dict[str, str]:
    if node is None or node.value is None:
        return {}
    example = "metrics: {val_loss: 'loss is (\\S+)'}"
    if not isinstance(node.value, dict):
        mistakes.append(node.mistake(f"metrics is a mapping of patterns, got {node.kind}", example))
        return {}
    for item in node.value.values():
        problem = _problem(item.value)
        if problem:
            mistakes.append(item.mistake(problem, example))
    return {name: str(item.value) for name, item in node.value.items()}


def _problem(pattern: Any) -> str:
    """What is wrong with a pattern; nothing where it is one."""
    if not isinstance(pattern, str):
        return "a pattern is a regular expression"
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        return f"not a regular expression ({error})"
    return "" if groups == 1 else f"a pattern has one group in parentheses, around the number; this has {groups}"


def _text(node: Node | None, mistakes: list[Mistake]) -> str:
    if node is None or node.value is None:
        return ""
    if not isinstance(node.value, str) or not node.value.strip():
        mistakes.append(node.mistake(f"logs names a folder, got {node.kind}", "logs: runs"))
        return ""
    return node.value.strip()


def _flag(node: Node | None, mistakes: list[Mistake]) -> bool:
    if node is not None and not isinstance(node.value, bool):
        mistakes.append(node.mistake(f"stand_ins is true or false, got {node.kind}", "stand_ins: false"))
    return node is None or node.value is not False
