"""Checks of data options that need neither pandas nor the data in memory."""

from __future__ import annotations

import difflib
import hashlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpo.search.terms.errors import did_you_mean


def _is_names(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value))


def _is_marks(value: Any) -> bool:
    listed = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(each, str) or _is_number(each) for each in listed)


def _is_paths(value: Any) -> bool:
    return bool(value) and _is_names(value) and all(names(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value < 1


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (lambda value: isinstance(value, str) and bool(value), "a text that is not empty"),
    "names": (_is_names, "a name or a list of names"),
    "marks": (_is_marks, "a text or number, or a list of them"),
    "paths": (_is_paths, "a path or a list of paths"),
    "share": (_is_share, "a share between 0 and 1"),
    "share or 0": (lambda value: _is_number(value) and 0 <= value < 1, "0 or a share between 0 and 1"),
    "documents": (lambda value: value in ("file", "line", "blank"), "file, line or blank"),
    "task": (lambda value: value in ("classification", "regression"), "classification or regression"),
    "decimal": (lambda value: value in (",", "."), "',' or '.'"),
    "whole": (_is_count, "a whole number from 1 on"),
}
"""Kinds of option values: a test and what to call them."""

BROKEN: tuple[type[Exception], ...] = (
    OSError, EOFError, ValueError, IndexError, KeyError, OverflowError, MemoryError, RuntimeError, SyntaxError,
    TypeError, struct.error, zipfile.BadZipFile, tokenize.TokenError, zlib.error,
)  # fmt: skip
"""What libraries raise on damaged, encrypted or made-up files."""

SPLIT = {"task": "task", "validation": "share", "test": "share"}
"""Options that every kind with a file or a download takes."""

VALIDATION, TEST = 0.2, 0.2
"""Shares of all rows that go into validation and test unless the options say otherwise."""


def mistakes(
    kind: str,
    options: Mapping[str, Any],
    known: Mapping[str, str],
    required: tuple[str, ...],
    usual: tuple[float, float] = (VALIDATION, TEST),
) -> list[str]:
    """Unknown, missing and ill-typed options, and shares that leave no training rows; ``usual`` as for ``shares``."""
    found = []
    for name, value in options.items():
        if name not in known:
            found.append(f"data {kind} has no option {name!r}: {did_you_mean(str(name), known)}".rstrip(": "))
        elif value is not None and not VALUES[known[name]][0](value):
            found.append(f"data {kind}: {name} must be {VALUES[known[name]][1]}, got {value!r}")
    found += [f"data {kind} needs the option {name!r}" for name in required if options.get(name) is None]
    if not found and "validation" in known:
        validation, test = shares(options, usual)
        if validation + test >= 1:
            found.append(f"data {kind}: validation {validation:g} and test {test:g} leave no rows to train on")
    return found


def shares(options: Mapping[str, Any], usual: tuple[float, float] = (VALIDATION, TEST)) -> tuple[float, float]:
    """Validation and test share; the usual ones where the options give none."""
    validation, test = options.get("validation"), options.get("test")
    return (usual[0] if validation is None else validation), (usual[1] if test is None else test)


def marks(value: Any) -> tuple[str, ...]:
    """A text or number, a list of them, or None, as texts."""
    return () if value is None else tuple(map(str, value if isinstance(value, (list, tuple)) else [value]))


def names(value: Any) -> tuple[str, ...]:
    """A name, a list of names or None as a tuple."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def missing_file(path: Path) -> str | None:
    """What to say about a path that is no readable file, with the nearest names in its folder; None when it is one."""
    if path.is_file():
        return f"{path} is empty" if path.stat().st_size == 0 else None
    if path.is_dir():
        return f"{path} is a folder, not a file"
    if not path.parent.is_dir():
        return f"there is no file {path}: the folder {path.parent} does not exist either"
    there = sorted(item.name for item in path.parent.iterdir() if item.is_file())
    near = difflib.get_close_matches(path.name, there, n=3, cutoff=0.5)
    hint = f": did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    return f"there is no file {path.name} in {path.parent}{hint}"


def file_digest(path: Path) -> str:
    """First twelve hex digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def text_digest(*words: object) -> str:
    """First twelve hex digits of the SHA-256 of some words."""
    return hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()[:12]
