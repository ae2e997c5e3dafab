"""Programs as objectives: a command line, or a Python script with options, and where their metrics come from.

A reference holds all of it, so that a stored study and an exported recipe name the same training::

    command:./train.sh --lr {lr}          the words of a command
    script:train.py                       a script, relative to the study's folder
    script:train.py<line end>{"logs": "runs", "metrics": {"val_loss": "loss is (\\S+)"}}
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.search.terms.errors import UserError

COMMAND = "command:"
"""Prefix of a command line's canonical reference."""

SCRIPT = "script:"
"""Prefix of a script's."""

PLACEHOLDER = re.compile(r"(?<![{$])\{(\w+(?:\.[A-Za-z_]\w*)*)\}(?!\})")
"""``{knob}`` in a command line; ``{{knob}}`` and ``${knob}`` are not placeholders."""

WHOLE = "recipe"
"""``{recipe}`` stands for the whole recipe as JSON, where no knob has this name."""

_SETTINGS = re.compile(r"\n(\{.*\})\Z")


@dataclass(frozen=True)
class Program:
    """What is started once per trial.

    Attributes:
        text: the command line, or the script's path as the study names it.
        script: whether it is a script.
        metrics: a regular expression for each metric that is not read by its name; its one group is the number.
        logs: folder, relative to the study's, whose event files and tables of metrics are read; empty for none.
        stand_ins: whether what it logs with wandb and mlflow is read, and sent nowhere.
    """

    text: str
    script: bool = False
    metrics: Mapping[str, str] = field(default_factory=dict)
    logs: str = ""
    stand_ins: bool = True

    @classmethod
    def read(cls, reference: str) -> Program | None:
        """The program of a canonical reference; None where that is another kind of objective.

        >>> Program.read("script:train.py").text, Program.read("mlp")
        ('train.py', None)
        """
        prefix = next((known for known in (COMMAND, SCRIPT) if reference.startswith(known)), None)
        if prefix is None:
            return None
        found = _SETTINGS.search(reference)
        settings = _settings(found[1]) if found is not None else {}
        text = reference.removeprefix(prefix)
        return cls(text[: -len(found[0])] if found is not None and settings else text, prefix == SCRIPT, **settings)

    @property
    def reference(self) -> str:
        """Canonical: the same program, the same text."""
        settings: dict[str, Any] = {"metrics": dict(self.metrics)} if self.metrics else {}
        settings |= ({"logs": self.logs} if self.logs else {}) | ({} if self.stand_ins else {"stand_ins": False})
        told = f"\n{json.dumps(settings, sort_keys=True)}" if settings else ""
        return f"{SCRIPT if self.script else COMMAND}{self.text}{told}"

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.text.rpartition("/")[2] if self.script else "the command"

    def words(self) -> list[str]:
        """Words of a command line, as a shell splits them; of a script its path.

        Raises:
            UserError: a quote is not closed, or there is no word.
        """
        if self.script:
            return [self.text]
        try:
            words = shlex.split(self.text)
        except ValueError as error:
            raise UserError(f"the command cannot be split into words: {str(error).lower()}") from None
        if not words:
            raise UserError("the command is empty")
        return words


def _settings(text: str) -> dict[str, Any]:
    """The settings of a reference; none where the line is the command's own."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(found, dict) or not found.keys() <= {"metrics", "logs", "stand_ins", "record"}:
        return {}
    return {"stand_ins" if key == "record" else key: value for key, value in found.items()}  # as earlier stores have it
