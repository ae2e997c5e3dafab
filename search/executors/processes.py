"""Train each trial in a worker process of its own lane.

What it does: ``workers`` processes, one thread each, every one with the data loaded once; a trial waits at each point
for the word to go on, so nothing is trained that was to be stopped.
When to use it: several cores, objectives that crash or leak, trials that take seconds or more.
Options: ``workers`` = the study's, how many; ``paused`` = 64, suspended trials that a worker holds at a time. Beyond
that the longest paused is closed; when it comes back it trains again up to where it was, from its checkpoint where it
has one.
Cost: about two seconds of start per worker (importing torch or sklearn), a tenth of a millisecond per point.
"""

from __future__ import annotations

from typing import Annotated

from hpo.search.executors.common.apart import Apart
from hpo.search.executors.common.worker import Pipes
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

REQUIRES = ("other processes",)

DISCLAIMS = ("same study",)


def make(task: Task, *, workers: Annotated[int, AT_LEAST_1] = 2, paused: Annotated[int, AT_LEAST_0] = 64) -> Apart:
    """Make the executor.

    Args:
        task: what is trained.
        workers: processes, each of which trains a trial at a time.
        paused: suspended trials that a worker holds at a time; others train again up to where they were.

    Raises:
        UserError: ``paused`` is negative.
    """
    if paused < 0:
        raise UserError(f"paused is a number of trials, from 0 on, not {paused}")
    return Apart(Pipes(workers, task, "inline", {"paused": paused}))
