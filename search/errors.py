"""Everything the suite raises on purpose.

::

    HpoError                  has a message for the user and an exit code; never a bug
    |-- StudyFileError        2  mistakes in a study file or an override, each with its place
    |-- UserError             2  a name, path, flag or environment that cannot be used
    |-- DataError             2  a data set that cannot be trained on
    |-- EverythingFailed      3  a study in which no trial succeeded
    |-- StoreError            4  the store cannot be read or written
    `-- Interrupted         130  the user stopped the search
    SpaceExhausted               internal: a sampler has no untried recipe left

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class HpoError(Exception):
    """A foreseeable failure; ``str(error)`` is the complete message."""

    exit_code = 2


class UserError(HpoError):
    """A name, path, flag or environment that cannot be used."""


class DataError(HpoError):
    """A data set that cannot be trained on."""


class EverythingFailed(HpoError):
    """No trial of the study succeeded."""

    exit_code = 3


class StoreError(HpoError):
    """The store cannot be read or written."""

    exit_code = 4


class Interrupted(HpoError):
    """The user stopped the search; everything finished is recorded."""

    exit_code = 130


class SpaceExhausted(Exception):
    """Raised by a sampler when every recipe of a finite space has been tried."""


@dataclass(frozen=True)
class Mistake:
    """One mistake at one place: 1-based line and column, the wrong text and the offered repair."""

    message: str
    line: int = 1
    column: int = 1
    width: int = 1
    hint: str = ""


class StudyFileError(HpoError):
    """All mistakes of one study file, in order of place."""

    def __init__(self, path: str, source: str, mistakes: Iterable[Mistake]) -> None:
        self.path = path
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column))
        self._lines = source.splitlines()
        super().__init__("\n\n".join(self._show(mistake) for mistake in self.mistakes))

    def _show(self, mistake: Mistake) -> str:
        shown = f"{self.path}:{mistake.line}:{mistake.column}: {mistake.message}"
        if 1 <= mistake.line <= len(self._lines):
            margin = f"{mistake.line} | "
            line = self._lines[mistake.line - 1].replace("\t", " ")
            width = max(1, min(mistake.width, len(line) - mistake.column + 1))
            pointer = " " * (len(margin) - 2) + "| " + " " * (mistake.column - 1) + "^" * width
            shown += f"\n{margin}{line}\n{pointer}"
            if mistake.hint:
                shown += f" {mistake.hint}"
        elif mistake.hint:
            shown += f" ({mistake.hint})"
        return shown


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Offer the nearest known word, or list them when they are few.

    >>> did_you_mean("serach", ["search", "seed"])
    "did you mean 'search'?"
    >>> did_you_mean("zzz", ["search", "seed"])
    'one of: search, seed'
    """
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if 0 < len(names) <= 16:
        return "one of: " + ", ".join(names)
    return ""
