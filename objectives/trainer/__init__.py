"""Train many trials as one batched model; a single trial is a cohort of one.

::

    training_recipe   every knob of a training run, one typed dataclass; plan, length, schedules, growth follow from it
    tensors, splits   the data as tensors; text and text_task those of language models
    order, noise      which samples and which dropout masks a lane sees, from its own seed
    samples, augment, feed   the samples of each tick, gathered ahead
    epoch             forward, backward, and what one step does: losses, penalties, optimizers, muon
    setup, problem    a recipe bound to an objective's model and data; memory says how large a batch may be
    start, fine_tuning   weights to start from; what is frozen, adapted, or trained at another rate
    lane, together    a trial's state; several of them advanced by an epoch
    lanes, paused     the lanes of one process as an executor
    ranks             several processes that train the same lanes
    alone             one trial as an iterator over its learning curve

What is trained is described by ``networks``. Nothing here knows of studies, samplers or stores.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hpo.search.terms.threads import REPRODUCIBLE, set_environment

if TYPE_CHECKING:
    from hpo.objectives.trainer.alone import Fitted, train_alone
    from hpo.objectives.trainer.lanes import open_lanes
    from hpo.objectives.trainer.length import steps_of
    from hpo.objectives.trainer.problem import Problem, call
    from hpo.objectives.trainer.ranks import join, part_company
    from hpo.objectives.trainer.training_recipe import TrainingRecipe

set_environment(REPRODUCIBLE)  # before torch first multiplies

_HOMES = {
    "Fitted": "alone",
    "train_alone": "alone",
    "open_lanes": "lanes",
    "TrainingRecipe": "training_recipe",
    "call": "problem",
    "Problem": "problem",
    "join": "ranks",
    "part_company": "ranks",
    "steps_of": "length",
}

__all__ = [
    "Fitted",
    "Problem",
    "TrainingRecipe",
    "call",
    "join",
    "open_lanes",
    "part_company",
    "steps_of",
    "train_alone",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
