"""A trained model's folder: sealed by ``hpo train``, checked and opened by ``hpo.load`` and ``hpo predict``.

::

    model.json             what the model is: recipe, architecture, preparation, classes
    weights.safetensors    or model.skops: what it has learned
    tokenizer.json         of a language model: characters, or vocabulary and merges
    metrics.json           its curve and its scores
    README.md              the model card
    objective.py           of a model that the user's own code builds: that code
    metric.py              of a study with a metric of the user's own: that code
    manifest.json          format, objective, versions, and the digest of every other file

A folder is opened only as it was written. Code in it or named by it runs when the user ran it before from this working
directory, or says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from hpo.search.describe.metric import file_of, name_of
from hpo.search.describe.objective import Objective, describe, import_module
from hpo.search.describe.trained import AGAIN, CODE, FORMAT, MANIFEST, METRIC, file_digest, manifest_of, opened_from
from hpo.search.running.consent import code_of, copy_may_run, may_run, seal_of_copy
from hpo.search.terms import registry
from hpo.search.terms.errors import Advice, HpoError, UserError
from hpo.search.terms.job import Task

_METRIC_SEAL = "metric_seal"
"""In the manifest: that this user has run the metric's copy, whatever becomes of the file that it was copied from."""


def seal_folder(folder: Path, task: Task, objective: Objective, about: Mapping[str, Any]) -> None:
    """Write the manifest, and beside it the user's file that builds the model.

    Args:
        folder: holds everything else.
        task: what was trained.
        objective: of the task.
        about: what is known of where the model comes from: study, versions, seal.
    """
    if objective.kind == "file" and objective.path is not None:
        shutil.copyfile(objective.path, folder / CODE)
    if task.metric is not None:
        shutil.copyfile(file_of(task.metric), folder / METRIC)
        about = {**about, _METRIC_SEAL: seal_of_copy(folder / METRIC)}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    mask = os.umask(0)
    os.umask(mask)
    for path in files:  # some libraries write for their own user alone
        path.chmod(0o666 & ~mask)
    manifest = {
        "format": FORMAT,
        **about,
        "objective": objective.reference,
        "task": asdict(task),
        "files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")


def own_files(folder: Path) -> set[str]:
    """Files of the model that is in a folder, as its manifest lists them, and what another one left of its own."""
    listed = _listed(folder)
    names = listed | set(opened_from(folder)) if listed else set()  # else it is no model's folder
    return {name for name in names if ".." not in Path(name).parts and not name.startswith("/")}


def drop(folder: Path, before: set[str]) -> None:
    """Remove the files of the model that was there before, unless the one that is there now has them too."""
    if not before:
        return
    for name in before - _listed(folder) - {"metrics.json"}:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    for member in sorted(folder.glob("members/**/"), reverse=True):
        with contextlib.suppress(OSError):  # what holds somebody's own files stays
            member.rmdir()


def _listed(folder: Path) -> set[str]:
    try:
        return set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def load(folder: str | Path, *, trust: bool = False) -> Any:
    """Open a trained model's folder.

    Args:
        folder: what ``hpo train`` wrote.
        trust: run the code that builds the model, whoever wrote it.

    Returns:
        A model with ``predict``, ``predict_proba`` and ``evaluate``; of text with ``score``, and ``generate`` or
        ``fill``; what the objective's own ``load`` gives, where it trains by itself.

    Raises:
        UserError: it is no such folder, was changed, lacks a file, is of another version, or needs code that the user
            has not run here.
        DataError: what it says of its data contradicts itself.
    """
    place = Path(folder).expanduser()
    manifest = manifest_of(place)
    task = _task(manifest, place)
    module, trained_by_suite = _module(place, manifest, task, trust)
    if module is not None and not trained_by_suite:
        return _own(place, module)
    return registry.part("models").opened(place, module, _metric(place, manifest, task, trust))


def opens(objective: Objective) -> bool:
    """Whether models of an objective can be opened: the suite's, those with ``build``, and files with ``load``."""
    if objective.kind == "builtin" or objective.trained_by_suite:
        return True
    return objective.path is not None and "def load(" in objective.path.read_text(encoding="utf-8", errors="replace")


def task_of(folder: Path) -> Task:
    """What a model was trained on, as its folder says.

    Raises:
        UserError: as ``load`` does.
    """
    return _task(manifest_of(folder), folder)


def trained_on(folder: Path, path: Path) -> bool:
    """Whether a file is the very one that a model was trained on, as far as its folder and the digests tell.

    Args:
        folder: a model's.
        path: of rows or text.
    """
    manifest = manifest_of(folder)
    spec, known = _task(manifest, folder).data, manifest.get("data_digest")
    if known is None or not isinstance(spec, Mapping) or len(spec) != 1:
        return False
    ((kind, options),) = spec.items()
    if not isinstance(options, Mapping) or "path" not in options:
        return False
    try:
        return bool(registry.part("data").digest({kind: {**options, "path": str(path.resolve())}}) == known)
    except (HpoError, OSError):  # it is of another kind
        return False


def _task(manifest: Mapping[str, Any], folder: Path) -> Task:
    try:
        return Task(**manifest["task"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder / MANIFEST} is damaged: {error}; {AGAIN}") from None


def _module(folder: Path, manifest: Mapping[str, Any], task: Task, trust: bool) -> tuple[ModuleType | None, bool]:
    """The objective's module, None where the model needs none; and whether the suite trains it."""
    if task.objective in registry.names("objective"):
        objective = describe(task.objective, folder)
        return (import_module(objective), True) if objective.trained_by_suite else (None, True)
    objective = _code(folder, manifest, task, trust)
    try:
        return import_module(objective), objective.trained_by_suite
    except HpoError:
        raise
    except Exception as error:
        raise UserError(f"{folder} needs {objective.path}, which cannot be imported: {error}") from error


def _metric(folder: Path, manifest: Mapping[str, Any], task: Task, trust: bool) -> str | None:
    """The metric that the model was trained with: the user's own file where it is that still, else the folder's copy.

    Nothing but scores needs it, so where its code may not run a folder predicts without.
    """
    copy = (folder / METRIC).resolve()
    if task.metric is None or not copy.is_file():
        return None
    mine = file_of(task.metric)
    try:
        same = file_digest(mine) == file_digest(copy)
    except OSError:
        same = False
    with contextlib.suppress(UserError):
        if same and may_run(task, describe(task.objective, Path(task.folder)), manifest.get("seal")):
            return task.metric
    runs = trust or copy_may_run(copy, manifest.get(_METRIC_SEAL))
    if mine.is_file() and not same:
        rest = "the model's own is measured" if runs else "add --yes (in Python: trust=True) to measure the model's own"
        problem = (
            f"{mine.name} is not the one that {folder} was trained with: {rest}, {name_of(task.metric)} of {METRIC}"
        )
        warnings.warn(problem, Advice, stacklevel=3)
    return f"{copy}:{name_of(task.metric)}" if runs else None


def _code(folder: Path, manifest: Mapping[str, Any], task: Task, trust: bool) -> Objective:
    """What builds a model that is not the suite's: the user's own file where it was run from here, else the copy."""
    try:
        original = describe(task.objective, Path(task.folder))
    except UserError:
        original = None
    if original is not None and may_run(task, original, manifest.get("seal")):
        return original
    copy = folder / CODE
    if not copy.is_file():
        raise UserError(f"{folder} needs {task.objective}, which is not here")
    _, colon, function = task.objective.rpartition(":")
    found = describe(f"{copy.resolve()}{colon}{function if colon else ''}", folder)
    if not trust:
        raise UserError(
            f"{folder} does not come from you and this working directory, and would run {code_of(task, found)}; "
            "if you trust it, add --yes (in Python: trust=True)"
        )
    return found


def _own(folder: Path, module: ModuleType) -> Any:
    """The model of an objective that trains by itself."""
    own = getattr(module, "load", None)
    if own is None:
        raise UserError(
            f"{folder} was saved by {module.__name__.removeprefix('_hpo_objective_')}, which has no function "
            "load(folder): define one that returns an object with predict(rows)"
        )
    return own(folder)
