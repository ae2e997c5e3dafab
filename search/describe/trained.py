"""What a trained model's folder says of itself, read and held against its digests without opening the model.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.terms.errors import UserError

MANIFEST = "manifest.json"
CODE = "objective.py"
METRIC = "metric.py"
FORMAT = 1
"""Of the folder; raised when older versions of the suite cannot read what is written."""
AGAIN = "train it again with: hpo train RECIPE.yaml --output FOLDER"

_OURS = ("model.json", "weights.safetensors", "tokenizer.json", "model.skops", CODE, METRIC)
"""What a model is opened from."""


def manifest_of(folder: Path) -> Mapping[str, Any]:
    """The manifest of a folder that is as it was written.

    Raises:
        UserError: it is no such folder, was changed, lacks a file, or is of another version.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; hpo train writes one")
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = dict(manifest["files"])
    except FileNotFoundError:
        raise UserError(
            f"{folder} is no model's folder, or one of an earlier version: it has no {MANIFEST}; {AGAIN}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}; {AGAIN}") from None
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{folder} has format {manifest.get('format')}, this version of hpo reads {FORMAT}: "
            f"{'update hpo' if str(manifest.get('format')).isdigit() and int(manifest['format']) > FORMAT else AGAIN}"
        )
    unlisted = sorted(set(opened_from(folder)) - set(files))
    if unlisted or not files:
        raise UserError(f"{path} does not list {', '.join(unlisted) or 'its files'}: restore it, or {AGAIN}")
    for name, digest in files.items():
        file = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{path} names a file outside of its folder: {name}")
        if not file.is_file():
            raise UserError(f"{folder} lacks {name}: copy the whole folder, or {AGAIN}")
        if file_digest(file) != digest:
            raise UserError(f"{file} is not the one that was trained: restore it, or {AGAIN}")
    return dict(manifest)


def opened_from(folder: Path) -> list[str]:
    """Files in a folder that a model would be opened from, listed or not."""
    present = (path for pattern in ("*", "members/**/*") for path in folder.glob(pattern) if path.name in _OURS)
    return [path.relative_to(folder).as_posix() for path in present]


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_digest(weights: Path) -> str:
    """Twelve hex digits that name a file of weights; one in a model's folder must be as it was written.

    Raises:
        UserError: it is not there, or its folder was changed.
    """
    if (weights.parent / MANIFEST).is_file():
        manifest_of(weights.parent)
    try:
        return file_digest(weights)[:12]
    except OSError as error:
        raise UserError(f"start_from: {weights} cannot be read: {error.strerror}; {AGAIN}") from None
