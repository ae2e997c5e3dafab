"""Runs that are taken up behind a step, for tests of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.running.training import Trainer
from hpo.search.terms.job import Job, Point, Task


def points(
    path: Path, recipe: Mapping[str, Any], where: str, *, done: int, stop: int | None = None
) -> list[tuple[int, float]]:
    """Points of a run that goes on after step ``done``, and is dropped when it has told step ``stop``."""
    trainer = Trainer(Task(str(path), folder=str(path.parent)))
    job = Job(0, recipe, done, where)
    run, told = trainer.start(job), list[tuple[int, float]]()
    while isinstance(event := trainer.advance(run, job), Point):
        told.append((event.step, event.metrics["loss"]))
        if event.step == stop:
            break
    return told
