"""Accidents that happen to YAML files: for tests that read damaged ones."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import yaml

TOKENS = (
    "", "null", "~", "true", "no", "-1", "0", "1e-4", "1e999", "-.inf", ".nan", "99999999999999999999", "0x1F", "007",
    "12:30", "'", '"', '"\\0"', '"\\ud800"', '"\\x"', "[", "]", "{", "}", "[]", "{}", "[[[[[[", "{a: {b: {c: 1}}}", ":",
    ": :", "- - -", "&a 1", "*a", "!!python/object:os.system x", "!tag x", "? x", "<<: x", "---", "...", "%YAML 9.9",
    "%TAG ! x", "|", ">", "#", "\t", "\x00", "\x1b[31m", "\ufeff", "\u2028", "é", "日本語", "\U0001f600", "x" * 5000,
    "a" * 300 + ".py", "./nosuch.py", "../../etc", "/", "~nobody/x.py", "mlp:train", "os.path:join", "a..b", "C:\\x",
    "grid", "cmaes", "nsga2", "gp", "median", "none", "wilcoxon", "freeze-thaw", "minimize", "maximize val_loss",
    "minimize best val_loss", "{float: [0, 1]}", "{int: [1, 2, 3]}", "{choice: []}", "{choice: [a, a]}", "[0, 1]",
    "{when: {depth: 1}}", "{table: {path: x}}", "{command: ''}", "{command: \"sh 'x\"}", "when", "float", "step: 0",
    "log: 1", "{tpe: {}}", "{hyperband: 3}", "{patient: {of: {patient: {of: {patient: {}}}}}}", "0.1.2", "1_000", "+1",
)  # fmt: skip


def mutate(text: str, draw: random.Random) -> str:
    """One to four accidents."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        text = draw.choice(ACCIDENTS)(text, draw)
    return text


def _lines(change: Callable[[list[str], int, int], None]) -> Callable[[str, random.Random], str]:
    def accident(text: str, draw: random.Random) -> str:
        lines = text.split("\n")
        change(lines, draw.randrange(len(lines)), draw.randrange(len(lines)))
        return "\n".join(lines)

    return accident


def _drop(lines: list[str], i: int, j: int) -> None:
    del lines[i]
    if not lines:
        lines.append("")


def _swap(lines: list[str], i: int, j: int) -> None:
    lines[i], lines[j] = lines[j], lines[i]


def _indent(lines: list[str], i: int, j: int) -> None:
    lines[i] = ("  ", "\t", " ", "    ", "- ")[j % 5] + lines[i]


def _characters(text: str, draw: random.Random) -> str:
    i = draw.randrange(len(text) + 1)
    j = min(len(text), i + draw.choice((0, 1, 1, 3)))
    return text[:i] + draw.choice(("", "", chr(draw.randrange(32, 127)), draw.choice(TOKENS)[:20])) + text[j:]


def _token(text: str, draw: random.Random) -> str:
    words = list(re.finditer(r"[^\s{}\[\],:]+", text))
    if not words:
        return text
    word = draw.choice(words)
    other = draw.choice((draw.choice(TOKENS), draw.choice(words)[0]))
    return text[: word.start()] + other + text[word.end() :]


def _value(text: str, draw: random.Random) -> str:
    """Replace a whole value somewhere in the tree; the file stays YAML."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    places = list(_places(tree))
    if not places:
        return text
    holder, key = draw.choice(places)
    odd = (
        None,
        True,
        -1,
        0,
        1.5,
        10**25,
        1e300,
        float("inf"),
        "",
        "x",
        [],
        {},
        [1],
        [0, 1],
        {"a": 1},
        {"float": [0, 1]},
    )
    if draw.random() < 0.3:
        del holder[key]
    else:
        holder[key] = draw.choice(odd)
    return str(yaml.safe_dump(tree, default_flow_style=draw.random() < 0.5))


def _places(tree: object) -> list[tuple[dict[object, object], object]]:
    found: list[tuple[dict[object, object], object]] = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += [(tree, key), *_places(value)]
    return found


def _truncate(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


ACCIDENTS: tuple[Callable[[str, random.Random], str], ...] = (
    _lines(_drop), _lines(lambda lines, i, j: lines.insert(i, lines[j])), _lines(_swap), _lines(_indent),
    _characters, _characters, _token, _token, _token, _value, _value, _truncate,
)  # fmt: skip
