"""Folders in which an objective keeps what it needs to go on after an interruption."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from hpo.search.describe.objective import Objective
from hpo.search.terms.study import Study


def scratch_of(study: Study, objective: Objective) -> Callable[[int], str | None]:
    """A folder for each trial's checkpoints, where the objective has a parameter ``checkpoint``."""
    if "checkpoint" not in objective.signature.knobs:
        return lambda number: None

    def folder(number: int) -> str:
        path = _checkpoints(study.name) / str(number)
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    return folder


def drop_scratch(name: str) -> None:
    """Remove a study's checkpoints: those of trials that have ended, or of an earlier study of the same name."""
    shutil.rmtree(_checkpoints(name), ignore_errors=True)


def _checkpoints(name: str) -> Path:
    return Path(".hpo", "checkpoints", name).absolute()
