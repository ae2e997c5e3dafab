"""One option of a script: the knob that it is, and the words of a command line that set it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from hpo.search.terms.knobs import Knob

Form = Literal["value", "switch", "several", "count", "place", "config"]
"""How a value is written: behind its flag, by the flag being there, as several words, by repetition, by its place; or
not on the command line, but as ``wandb.config``."""


@dataclass(frozen=True)
class Option:
    """An option.

    Attributes:
        knob: name, type, default and choices.
        flag: what stands before its value, ``--lr``; of a switch what turns it on.
        off: what turns a switch off; empty where only its absence does.
        form: how a value is written.
        empty_is_false: whether the script takes any text for true, as ``type=bool`` does.
    """

    knob: Knob
    flag: str = ""
    off: str = ""
    form: Form = "value"
    empty_is_false: bool = False

    def words(self, value: Any) -> list[str]:
        """Words that set it; none for a value that it has without any.

        >>> Option(Knob("lr"), "--lr").words(-1e-5), Option(Knob("amp"), "--amp", form="switch").words(False)
        (['--lr=-1e-05'], [])
        >>> Option(Knob("sizes"), "--sizes", form="several").words("64 32")
        ['--sizes', '64', '32']
        """
        if value is None or self.form == "config":  # which the stand-in of wandb gives the script
            return []
        if self.form == "switch":
            return [flag] if (flag := self.flag if value else self.off) else []
        if self.form == "count":
            return [self.flag] * int(value)
        if self.form == "several":
            return [*filter(None, [self.flag]), *shlex.split(self._text(value))]
        return [self._text(value)] if self.form == "place" else [behind(self.flag, self._text(value))]

    def _text(self, value: Any) -> str:
        return "" if value is False and self.empty_is_false else str(value)


def behind(flag: str, value: str) -> str:
    """One word of a flag and its value, so that a value which begins with a minus is none of the flags."""
    return f"{flag}={value}" if len(flag) > 2 else f"{flag}{value}"
