"""A file in the making: keys with their values, each beside the knobs that it carries, and notes on the other knobs.

Knobs that no key and no note names are listed at the end, so that nothing of a recipe is dropped in silence.
"""

from __future__ import annotations

import pprint
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from hpo.search.report.formats.common.run import Run

_WIDTH = 110


class Sheet:
    """Lines of one file, in the order in which they are put down."""

    def __init__(self, run: Run, tool: str, checked: str) -> None:
        """Begin with what the run is and how its step is cut."""
        self.run, self.tool = run, tool
        self._lines: list[tuple[str, Any, str] | str] = []
        self._told: set[str] = set()
        for line in (
            f"{run.title}, for {tool} on {run.share.devices} device{'s' * (run.share.devices > 1)}",
            *run.facts,
        ):
            self._note(line)
        self._note(f"keys as in {checked}; behind # stand the recipe's knobs that a key carries, and what has no key")

    def section(self, title: str) -> None:
        """Begin a group of keys."""
        self._lines.append("")
        self._note(f"--- {title}")

    def set(self, key: str, value: Any, *knobs: str, why: str = "") -> None:
        """Give a key its value; ``knobs`` are those of the recipe that it carries."""
        named = ", ".join(self._names(knobs))
        self._lines.append((key, value, ": ".join(part for part in (named, why) if part)))

    def note(self, text: str, *knobs: str) -> None:
        """Say something, behind those of ``knobs`` that are in force and their values; nothing where none is."""
        known = [name for name in knobs if name in self.run.knobs and self.run.in_force(name)]
        named = ", ".join(f"{name}: {self.run.knobs[name]}" for name in self._names(known))
        if knobs and not named:
            return
        self._note(f"{named} - {text}" if named else text)

    def code(self, source: str) -> None:
        """Put down source code as a comment."""
        self._lines += [f"# {line}".rstrip() for line in source.splitlines()]

    def rest(self) -> None:
        """List every knob that was not named so far: what it does where it is in force, its name alone where not."""
        left = [name for name in self.run.knobs if name not in self._told]
        forced = [name for name in left if self.run.in_force(name)]
        if forced:
            self.section(f"in the recipe, and without a key in {self.tool}")
        for name in forced:
            self.note(self.run.about(name) or "a knob of your objective", name)
        if idle := [name for name in left if name not in forced]:
            self.section("not in force in this recipe")
            self._note(", ".join(idle))

    def yaml(self) -> str:
        """The file as YAML, floats so that YAML 1.1 reads them as floats."""
        return self._text(lambda key, value: yaml.safe_dump({key: value}, sort_keys=False, width=1000).rstrip())

    def python(self) -> str:
        """The file as assignments."""
        return self._text(lambda key, value: f"{key} = {pprint.pformat(value, sort_dicts=False, width=_WIDTH)}")

    def _text(self, form: Callable[[str, Any], str]) -> str:
        found: list[str] = []
        for line in self._lines:
            if isinstance(line, str):
                found.append(line)
                continue
            key, value, why = line
            text = form(key, value)
            beside = f"{text}  # {why}"
            if not why:
                found.append(text)
            elif "\n" not in text and len(beside) <= _WIDTH:
                found.append(beside)
            else:
                found += [*_wrapped(why), text]
        return "\n".join(found) + "\n"

    def _note(self, text: str) -> None:
        self._lines += _wrapped(text)

    def _names(self, knobs: Iterable[str]) -> list[str]:
        """The knobs to name: the first that the recipe has, and those of the others that are in force."""
        known = [name for name in knobs if name in self.run.knobs]
        named = [name for at, name in enumerate(known) if not at or self.run.in_force(name)]
        self._told.update(named)
        return named


def _wrapped(text: str) -> list[str]:
    """A comment in lines; whatever the recipe's texts hold stays within it."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(
        " ".join(plain.split()), _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
