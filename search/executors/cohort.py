"""Train trials together as batched models, one epoch of every lane at a time.

What it does: lanes whose networks and micro-batches have the same shape share their kernels; others form a cohort of
their own. A freed lane takes the next trial at the next epoch. Curves are the same as from training each trial alone.
When to use it: for small models, where a step costs mostly overhead; it is what studies of ``mlp`` and ``cnn`` use.
Options: ``lanes`` = ``auto``, trials that a process trains at a time, which is 16, or 1 where the objective says that
company gains nothing; of them a search with a small budget fills some, so that later trials learn from earlier ones;
``workers`` = the study's, processes of one core each; ``paused_memory`` = 512, MiB of paused trials that a process
keeps in memory. Beyond that the longest paused go to an unnamed file in ``.hpo``, and come back to the last bit; what
the disk cannot hold trains again up to where it was. ``rounds`` = ``auto``, processes move ``together``, so that the
study does not depend on which was faster, or each goes on when it can, ``free``, above 8.
Cost: one thread per process on the CPU; memory grows with the lanes, by four rows of weights each.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from hpo.search.contracts.executor import Executor
from hpo.search.describe.lanes import LANES, lanes_of
from hpo.search.executors.common.rounds import are_free, note_of
from hpo.search.executors.common.spread import Spread
from hpo.search.executors.common.worker import Pipes
from hpo.search.running import ranks
from hpo.search.running.training import Trainer
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

REQUIRES = ("trained by suite",)
DISCLAIMS = ("same study under rounds: free",)


def make(
    task: Task,
    *,
    lanes: Annotated[int | Literal["auto"], AT_LEAST_1] = "auto",
    workers: Annotated[int, AT_LEAST_1] = 1,
    paused_memory: Annotated[int, AT_LEAST_0] = 512,
    rounds: Literal["auto", "together", "free"] = "auto",
) -> Executor:
    """Open a cohort for an objective that the suite trains, or one in each of several worker processes.

    Args:
        task: objective, data and device.
        lanes: trials that a process trains at a time; ``auto`` is what the objective says, else 16, of which a search
            fills as many as its budget has use for.
        workers: processes; with one, training is done in this, unless it is given GPUs or trains with others.
        paused_memory: MiB of paused trials that a process keeps in memory rather than on disk.
        rounds: whether processes move ``together`` or each at its own pace, ``free``; ``auto`` is free above 8.

    Raises:
        UserError: the objective does its own training.
    """
    trainer = Trainer(task)
    if not trainer.objective.trained_by_suite:
        raise UserError(f"{task.objective} trains by itself, so its trials cannot form a cohort: use executor: inline")
    count = lanes_of(trainer.objective) if lanes == "auto" else lanes
    if count < 1:
        raise UserError(f"a cohort needs at least one lane, not {count}")
    if workers < 1:
        raise UserError(f"a cohort needs at least one worker, not {workers}")
    if paused_memory < 0:
        raise UserError(f"paused_memory is a number of MiB, from 0 on, not {paused_memory}")
    opened: Spread | Any
    alone = task.processes == 1 or ranks.met()
    if workers > 1 or task.places or not alone:  # GPUs and other ranks are a worker's, not this process's
        options = {"lanes": count, "paused_memory": paused_memory}
        opened = Spread(Pipes(workers, task, "cohort", options), count, free=are_free(rounds, workers))
        opened.notes += note_of(rounds, workers)
    else:
        opened = registry.part("trainer").open_lanes(
            trainer.module, task, trainer.objective, count, paused_memory << 20
        )
    if lanes == "auto" and count < LANES:
        opened.notes.append(
            f"{trainer.objective.label} keeps a core busy with one trial at a time, so lanes would gain nothing"
            + ("" if workers > 1 else ": --workers 2 uses a second core")
        )
    executor: Executor = opened
    return executor
