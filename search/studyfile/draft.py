"""A first study file, made from what somebody has already: its keys, why they are so, what could not be taken over."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.search.studyfile.yaml12 import dump

_WIDTH = 100


@dataclass
class Draft:
    """A study file to be.

    Attributes:
        name: of the file, without its ending.
        question: its first comment.
        study: its keys, as a study file spells them.
        why: comments behind a key, or behind a knob under ``search.knob`` and ``fixed.knob``.
        left: what has no counterpart, a sentence each.
        asks: what its user must put in before it runs, a sentence each.
    """

    name: str
    question: str
    study: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The file."""
        lines = _comment(self.question)
        for key, value in self.study.items():
            if isinstance(value, Mapping) and key in ("search", "fixed") and value:
                lines.append(_with(f"{key}:", self.why.get(key, "")))
                for knob, domain in value.items():
                    lines += _entry(knob, domain, self.why.get(f"{key}.{knob}", ""), "  ")
            else:
                lines += _entry(key, value, self.why.get(key, ""), "")
        for title, notes in (("Before it runs", self.asks), ("Not taken over", self.left)):
            if notes:
                lines += ["#", f"# {title}:"]
                lines += [line for note in notes for line in _comment(note, "# - ", "#   ")]
        return "\n".join(lines) + "\n"


def _entry(key: str, value: Any, why: str, margin: str) -> list[str]:
    text = f"{dump({key: value})}".rstrip("\n").splitlines()
    if len(text) == 1 or not why:
        return [margin + _with(text[0], why), *(margin + line for line in text[1:])]
    return [*(margin + line for line in _comment(why)), *(margin + line for line in text)]


def _with(line: str, why: str) -> str:
    return f"{line:<44}  # {' '.join(why.split())}" if why else line


def _comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    plain = " ".join(text.split())
    return textwrap.wrap(plain, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False)
