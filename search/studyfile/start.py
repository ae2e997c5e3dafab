"""Trained models that a study file names: weights that trials start from, ``start_from``, and the one made smaller,
``source``.

Both name a study, by its name or its file, or the folder of its winner's model.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.store.names import model_folder
from hpo.search.studyfile.yaml12 import Node, parse
from hpo.search.terms import registry
from hpo.search.terms.errors import Mistake

_FILES = ("weights.safetensors", "model.safetensors")
"""What weights are called in the suite's folders, and in those of others."""


def read_start(node: Node | None, objective: Objective | None, folder: Path, mistakes: list[Mistake]) -> str | None:
    """Absolute path of the safetensors file that is meant; None where the study names none.

    It names the file, a folder that holds one, or a study, or its file, whose winner has been trained: its model's
    folder, beside the study file or in the working directory.

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
    found = _named(node, folder, "weights", mistakes)
    if found is None:
        return None
    weights = found if found.suffix == ".safetensors" and found.is_file() else _inside(found)
    if isinstance(weights, Path):
        return str(weights.resolve())
    mistakes.append(node.mistake(*weights))
    return None


def read_source(root: Node, objective: Objective | None, folder: Path, mistakes: list[Mistake]) -> Any:
    """The model that ``source`` names, as data of the kind ``model``; None where the study names none.

    Args:
        root: of the file.
        objective: what makes it smaller.
        folder: of the study file.
        mistakes: filled in.
    """
    assert isinstance(root.value, dict)
    node = root.value.get("source")
    if node is None or node.value is None or objective is None:
        return None
    takes = registry.load("data", "model").OBJECTIVES
    if objective.reference not in takes:
        problem = f"source is the model that objective: {' or '.join(takes)} makes smaller"
        mistakes.append(root.keys["source"].mistake(problem, "start_from names weights that trials start from"))
    elif not isinstance(node.value, str) or not node.value.strip():
        problem = f"source names a study or a model's folder, got {node.kind}"
        mistakes.append(node.mistake(problem, "source: other-study, or ./other-model"))
    elif "data" in root.value and root.value["data"].value is not None and not node.source.startswith("--"):
        problem = "source brings the data of its model along"
        mistakes.append(root.keys["data"].mistake(problem, "drop data, or source"))
    elif (found := _named(node, folder, "a model", mistakes)) is not None:
        spec = {"model": {"path": str(found.resolve())}}
        problems = registry.part("data").check(spec)
        mistakes += [node.mistake(problem.removeprefix("data model: ")) for problem in problems]
        return spec
    return None


def source_folder(root: Node, folder: Path) -> Path | None:
    """The folder of the model that ``source`` names; None where it names none that is here."""
    assert isinstance(root.value, dict)
    node = root.value.get("source")
    found = _named(node, folder, "a model", []) if node is not None and isinstance(node.value, str) else None
    return found if found is not None and found.is_dir() else None


def _named(node: Node, folder: Path, what: str, mistakes: list[Mistake]) -> Path | None:
    """A folder, or a safetensors file; None with a mistake where there is none.

    Args:
        node: names a study, its file, a folder or a safetensors file.
        folder: of the study file.
        what: is looked for.
        mistakes: filled in.
    """
    name = str(node.value).strip()
    places = [Path.cwd()] if node.source.startswith("--") else [folder, Path.cwd()]
    try:
        found = _found(name, places, what)
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such home folder, NUL
        found = f"{name[:80]!r} cannot be read: {getattr(error, 'strerror', None) or error}", ""
    if isinstance(found, Path):
        return found
    mistakes.append(node.mistake(*found))
    return None


def _found(name: str, places: list[Path], what: str) -> Path | tuple[str, str]:
    """The folder or file; or what is wrong, and the remedy."""
    study = name
    for place in places:
        path = place / Path(name).expanduser()
        if path.is_dir() or (path.is_file() and path.suffix == ".safetensors"):
            return path
        if path.is_file() and path.suffix in (".yaml", ".yml"):
            study, places = _study_of(path), [path.parent, *places]
            break
        if path.is_file():
            kind = "no safetensors file" if what == "weights" else "no model's folder"
            return f"{name} is {kind}", "name one, or the folder that hpo train wrote"
    for place in places:
        if (place / model_folder(study)).is_dir():
            return place / model_folder(study)
    if study == name and ("/" in name or name.endswith(".safetensors")):
        return f"there is no {name}", "hpo train RECIPE.yaml --output FOLDER writes one"
    word, recipe = shlex.quote(study), shlex.quote(f"{study}.best.yaml")
    return (
        f"there {'are no weights' if what == 'weights' else f'is no {what[2:]}'} of a study {study!r}: no folder "
        f"{model_folder(study)} beside the study or here",
        f"train its winner: hpo export --study {word} --output {recipe}; hpo train {recipe}",
    )


def _study_of(path: Path) -> str:
    """What a study file calls its study."""
    node = parse(path.read_text(encoding="utf-8-sig"), path.name, [])
    given = node.value.get("name") if isinstance(node.value, dict) else None
    return given.value.strip() if given is not None and isinstance(given.value, str) else path.stem


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
