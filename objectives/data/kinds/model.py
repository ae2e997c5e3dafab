"""A trained model with the data that it was trained on, which `objective: compress` makes smaller.

Options: ``path``, the folder that `hpo train` wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.objectives.data.dataset import Source
from hpo.objectives.data.options import file_digest, mistakes
from hpo.search.describe.trained import MANIFEST, manifest_of
from hpo.search.terms.errors import DataError, UserError

OPTIONS = {"path": "text"}

DISCLAIMS = ("rows",)

OBJECTIVES = ("compress",)


def check(options: Mapping[str, Any], base: Path) -> list[str]:
    """Mistakes in the options, and what is amiss with the folder."""
    found = mistakes("model", options, OPTIONS, ("path",))
    if found:
        return found
    folder = base / Path(options["path"]).expanduser()
    if not folder.is_dir():
        recipe = folder.name.removesuffix("-model")
        return [
            f"data model: there is no folder {folder}; of a study's winner hpo train writes one: hpo export --study "
            f"{recipe} --output {recipe}.yaml, then hpo train {recipe}.yaml --output {folder.name}"
        ]
    try:
        manifest = manifest_of(folder)
    except UserError as error:
        return [f"data model: {error}"]
    return [f"data model: {folder} {why}" for why in [_unfit(folder, manifest)] if why]


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the manifest, which holds those of all other files."""
    return file_digest(Path(options["path"]).expanduser() / MANIFEST)


def read(options: Mapping[str, Any]) -> Source:
    """Say what to do instead: the rows are those of the model's own data.

    Raises:
        DataError: always.
    """
    raise DataError("data model is a trained model, not rows: take objective: compress, or name the model's own data")


def _unfit(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Why a model cannot be made smaller; empty where it can, as far as its folder tells."""
    if "weights.safetensors" not in manifest["files"]:
        return "is no network of the suite's training, and only those are compressed"
    if '"compression"' in (folder / "model.json").read_text(encoding="utf-8"):
        return "is compressed already: name the model that it was made of"
    return ""
