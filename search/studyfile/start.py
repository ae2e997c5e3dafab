"""The ``start_from`` of a study file: where the weights lie that every trial starts from."""

from __future__ import annotations

import shlex
from pathlib import Path

from hpo.search.describe.objective import Objective
from hpo.search.store.names import model_folder
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake

_FILES = ("weights.safetensors", "model.safetensors")
"""What weights are called in the suite's folders, and in those of others."""


def read_start(node: Node | None, objective: Objective | None, folder: Path, mistakes: list[Mistake]) -> str | None:
    """Absolute path of the safetensors file that is meant; None where the study names none.

    It names the file, a folder that holds one, or a study whose winner has been trained: its model's folder, beside
    the study file or in the working directory.

    Args:
        node: of the key; None where it is not there.
        objective: whose weights they are to be.
        folder: of the study file.
        mistakes: filled in.
    """
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, str) or not node.value.strip():
        problem = f"start_from names a study, a model's folder or a safetensors file, got {node.kind}"
        mistakes.append(node.mistake(problem, "start_from: other-study, or ./other-model"))
        return None
    if objective is not None and not objective.trained_by_suite:
        problem = f"{objective.label} trains by itself, so the suite has no weights to hand on to it"
        mistakes.append(node.mistake(problem, "load them in your own code, from a path that a knob names"))
        return None
    name = node.value.strip()
    places = [Path.cwd()] if node.source.startswith("--") else [folder, Path.cwd()]
    try:
        found = _named(name, places)
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such home folder, NUL
        mistakes.append(node.mistake(f"{name[:80]!r} cannot be read: {getattr(error, 'strerror', None) or error}"))
        return None
    if isinstance(found, Path):
        return str(found.resolve())
    mistakes.append(node.mistake(*found))
    return None


def _named(name: str, places: list[Path]) -> Path | tuple[str, str]:
    """The file; or what is wrong, and the remedy."""
    for place in places:
        path = place / Path(name).expanduser()
        if path.is_file():
            if path.suffix == ".safetensors":
                return path
            return f"{name} is no safetensors file", "name one, or the folder that hpo train wrote"
        if path.is_dir():
            return _inside(path)
    for place in places:
        if (place / model_folder(name)).is_dir():
            return _inside(place / model_folder(name))
    if "/" in name or name.endswith(".safetensors"):
        return f"there is no {name}", "hpo train RECIPE.yaml --output FOLDER writes one"
    word, recipe = shlex.quote(name), shlex.quote(f"{name}.best.yaml")
    return (
        f"there are no weights of a study {name!r}: no folder {model_folder(name)} beside the study or here",
        f"train its winner: hpo export --study {word} --output {recipe}; hpo train {recipe}",
    )


def _inside(folder: Path) -> Path | tuple[str, str]:
    """The weights in a folder."""
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(folder.glob("*.safetensors"))
    if len(others) == 1:
        return others[0]
    if others:
        return (
            f"{folder.name} holds {len(others)} safetensors files",
            f"name one, such as {folder.name}/{others[0].name}",
        )
    if (folder / "model.skops").is_file():
        return f"{folder.name} holds a model of scikit-learn's, which has no weights to start from", ""
    return f"{folder.name} holds no weights: no {' and no '.join(_FILES)}", "hpo train writes them"
