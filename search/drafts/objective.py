"""An objective by name, or a file with train: the knobs that are usually searched, around their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.describe.objective import Objective, describe
from hpo.search.studyfile.scriptstudy import goal_among, is_script
from hpo.search.studyfile.usual import around, usual
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

_FIRST = ("learning_rate", "batch_size", "weight_decay", "dropout")
"""What is worth a search first, of the dozens of knobs of the suite's own training."""


def takes(given: Given) -> bool:
    """Whether an objective was named, or a file that is none of the scripts with a command line."""
    if given.word in registry.names("objective"):
        return given.data is None
    path = Path(given.word.partition(":")[0]).expanduser()
    return bool(given.word) and path.suffix == ".py" and not (path.is_file() and is_script(path))


def draft(given: Given) -> Draft:
    """A study around the objective's defaults; of one that comes with a study of its own, that study."""
    name = given.word
    builtin = name in registry.names("objective")
    if not builtin:
        path, _, function = name.partition(":")
        name = f"./{given.path(Path(path).expanduser())}" + (f":{function}" if function else "")
    objective = describe(name, given.folder)
    if builtin and (objective.language or not objective.trained_by_suite):
        shipped = _shipped(name)
        if shipped is not None:
            return shipped
    made = Draft(Path(name.partition(":")[0]).stem, objective.doc or f"Which recipe suits {name}?")
    made.study = {"objective": name}
    if isinstance(objective.default_data, str):
        made.study["data"] = objective.default_data
        made.why["data"] = "or your own: {table: {path: my.csv, target: y}}"
    goal = goal_among(list(objective.metrics)) or f"minimize {next(iter(objective.metrics), 'value')}"
    made.study |= {"goal": goal, "search": _ranges(objective)}
    for knob in made.study["search"]:
        made.why[f"search.{knob}"] = f"its default is {objective.signature.knobs[knob].default}"
    if not made.study["search"]:
        raise UserError(f"none of the knobs of {objective.label} has a default that tells a range: see hpo list")
    made.study["budget"] = {"trials": 40}
    return made


def _ranges(objective: Objective) -> dict[str, Any]:
    knobs = [knob for name, knob in objective.signature.knobs.items() if name not in (*objective.filled, "epochs")]
    if objective.trained_by_suite:
        knobs = [knob for knob in knobs if knob.name in _FIRST]
    found = {knob.name: domain for knob in knobs if (domain := usual(knob)) is not None}
    return found or {knob.name: domain for knob in knobs if (domain := around(knob)) is not None}


def _shipped(objective: str) -> Draft | None:
    """The first study that comes with the suite and trains this objective."""
    for name in registry.names("study"):
        text = registry.path("study", name).read_text(encoding="utf-8")
        study = parse(text).plain()
        if study.get("objective") == objective:
            return Draft(name, registry.first_comment(text), study)
    return None
