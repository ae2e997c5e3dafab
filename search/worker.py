"""A worker process: trains the jobs that come through a pipe, one point at a time.

Messages in::

    task              first of all
    ("admit", job)    train it to its next point; what was trained before is kept until it is dropped
    ("go",)           train the admitted job on to its next point
    ("drop", number)  give a trial up

Messages out: ``READY`` or the UserError that keeps the worker from starting, then an event for each admit and go.
"""

from __future__ import annotations

import contextlib
import os
from multiprocessing.connection import Connection

from hpo.search.errors import HpoError, UserError
from hpo.search.executors import Job, Point, Task
from hpo.search.lifeline import die_with_parent
from hpo.search.objective.training import Run, Trainer

READY = "ready"


def main(fd: int, parent: int) -> None:
    """Work until the other end of the pipe is closed; ``fd`` is this end, ``parent`` the process at the other."""
    os.set_inheritable(fd, False)  # else a child of the objective's would keep the pipe open
    die_with_parent(parent)
    with contextlib.suppress(EOFError, ConnectionError), Connection(fd) as pipe:
        _work(pipe)


def _work(pipe: Connection) -> None:
    task: Task = pipe.recv()
    try:
        trainer = Trainer(task)
    except HpoError as error:
        pipe.send(UserError(str(error)))
        return
    pipe.send(READY)
    runs: dict[int, Run] = {}
    job: Job | None = None
    try:
        while True:
            verb, *rest = pipe.recv()
            if verb == "drop":
                run = runs.pop(rest[0], None)
                if run is not None:
                    run.close()
                continue
            if verb == "admit":
                job = rest[0]
            assert job is not None
            if job.number not in runs:
                runs[job.number] = trainer.start(job)
            event = trainer.advance(runs[job.number], job)
            if not isinstance(event, Point):
                del runs[job.number]
            pipe.send(event)
    finally:
        for run in runs.values():
            run.close()
