"""The ``metric`` of a study file: a function of the user's own, of what is true and what is predicted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hpo.search.describe.metric import file_of, find, name_of
from hpo.search.describe.objective import Objective
from hpo.search.describe.trained import METRIC, manifest_of
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, UserError

_EXAMPLE = "metric: ./mine.py, or ./mine.py:profit"


def read_metric(
    node: Node | None, objective: Objective | None, folder: Path, mistakes: list[Mistake]
) -> tuple[str | None, Objective | None]:
    """Its reference, None where the study names none; and the objective, whose curve then holds it.

    With a mistake it is an objective of which no metric is known, so that a goal is not a second one.

    Args:
        node: of the key; None where it is not there.
        objective: whose predictions it is measured of.
        folder: of the study file.
        mistakes: filled in.
    """
    if node is None or node.value is None or objective is None:
        return None, objective
    unknown = replace(objective, metrics=(), named=())
    if not isinstance(node.value, str) or not node.value.strip():
        mistakes.append(node.mistake(f"metric names a function in a file, got {node.kind}", _EXAMPLE))
        return None, unknown
    if "scoring" not in objective.signature.knobs or objective.text:
        problem = f"{objective.label} measures by itself, so a metric's function does nothing"
        mistakes.append(node.mistake(problem, "measure it there, and name it as the goal"))
        return None, unknown
    try:  # what is typed means what it means where it is typed
        reference = find(node.value.strip(), Path.cwd() if node.source.startswith("--") else folder)
    except UserError as error:
        problem, _, hint = str(error).partition(": ")
        mistakes.append(node.mistake(problem, hint))
        return None, unknown
    name = f"val_{name_of(reference)}"
    if name in (*objective.metrics, *objective.named):
        problem = f"{name} is a metric already, measured without a function of yours"
        mistakes.append(node.mistake(problem, "give the function another name"))
        return None, unknown
    return reference, replace(objective, named=(*objective.named, name))


def of_model(model: Path | None, folder: Path) -> dict[str, str]:
    """How a study of a trained model comes to the metric that the model was trained with, by the metric's name.

    Args:
        model: its folder; None for none.
        folder: of the study file.
    """
    try:
        trained = {} if model is None else manifest_of(model).get("task")
        reference = trained.get("metric") if isinstance(trained, dict) else None
    except UserError:  # told where the model is read
        return {}
    if model is None or not isinstance(reference, str):
        return {}
    file = file_of(reference) if file_of(reference).is_file() else model / METRIC
    near = Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    written = near if near.startswith("..") else f"./{near}"
    name = name_of(reference)
    return {f"val_{name}": f"the source was trained with that metric, repeat it here: metric: {written}:{name}"}
