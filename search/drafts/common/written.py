"""A draft as the text of a study file."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from hpo.search.contracts.draft import Draft
from hpo.search.studyfile.yaml12 import flow

_WIDTH = 100
_COLUMN = 48


def text_of(draft: Draft) -> str:
    """The file: its question, its keys with their reasons, and what was not taken over."""
    if draft.text:
        return draft.text
    lines = _comment(draft.question)
    for key, value in draft.study.items():
        if isinstance(value, Mapping) and key in ("search", "fixed") and value:
            lines.append(_with(f"{key}:", draft.why.get(key, "")))
            for knob, domain in value.items():
                lines.append(_with(f"  {flow(knob)}: {flow(domain)}", draft.why.get(f"{key}.{knob}", "")))
        else:
            lines += _with(f"{flow(key)}: {flow(value)}", draft.why.get(key, "")).split("\n")
    for title, notes in (("before it runs", draft.asks), ("not taken over", draft.left)):
        if notes:
            lines += ["", f"# {title}:"]
            lines += [line for note in notes for line in _comment(note, "# - ", "#   ")]
    return "\n".join(lines) + "\n"


def _with(line: str, why: str) -> str:
    if not why:
        return line
    plain = " ".join(why.split())
    if len(line) < _COLUMN and len(plain) <= 70:
        return f"{line:<{_COLUMN}}# {plain}"
    margin = " " * (len(line) - len(line.lstrip()))
    return "\n".join([*_comment(plain, f"{margin}# ", f"{margin}# "), line])


def _comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    plain = " ".join(text.split())
    return textwrap.wrap(plain, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False)
