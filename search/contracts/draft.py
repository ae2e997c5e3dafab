"""The contract of drafts: a first study file from what somebody has, one file of ``search/drafts`` per kind of source.

A file defines::

    takes(given: Given) -> bool      whether this is its kind of source; of several the first by name is taken
    MARK: str                        of another tool's files, what they are known by: "a W&B sweep (parameters)"
    draft(given: Given) -> Draft     the study, with why its keys are so and what could not be taken over
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Given:
    """What a study is to be made from.

    Attributes:
        word: what was named: a script, an objective; empty for nothing.
        source: a file of another tool; None for none.
        content: what that file says, as plain data.
        data: a file of rows; None for none.
        target: its column that is predicted; None where nothing was said.
        folder: where the study file will lie.
    """

    word: str = ""
    source: Path | None = None
    content: Any = None
    data: Path | None = None
    target: str | None = None
    folder: Path = field(default_factory=Path)

    def path(self, target: Path) -> str:
        """A path as the study file names it."""
        return Path(os.path.relpath(target.resolve(), self.folder.resolve())).as_posix()


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
        text: the whole file where its source writes that itself; else it is written from the other fields.
    """

    name: str
    question: str
    study: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    text: str = ""
