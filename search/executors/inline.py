"""Train one trial at a time in this process.

What it does: advances the trial's generator; a kept trial is a suspended generator.
When to use it: one core, notebooks, debugging. Same seed, same study, to the last bit.
Options: ``paused`` = 128, suspended trials held at a time. Beyond that the longest paused is closed; when it comes back
it trains again up to where it was, from its checkpoint where it has one.
Cost: none beyond the training itself.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

from hpo.search.contracts.executor import Executor
from hpo.search.running.training import Run, Trainer
from hpo.search.terms.devices import environment, shown
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Job, Point, Task
from hpo.search.terms.knobs import AT_LEAST_0


class Inline(Executor):
    """One lane, here."""

    def __init__(self, task: Task, paused: int) -> None:
        """Hold up to ``paused`` suspended trials."""
        self._place = task.places[0] if task.places else ""
        self._before = _see(self._place) if self._place else {}  # before the objective is imported
        self._trainer = Trainer(task)
        self._paused = paused
        self._runs: dict[int, Run] = {}  # the longest paused first
        self._job: Job | None = None

    def admit(self, job: Job) -> None:
        """Start or take up a trial."""
        assert self._job is None, "the lane is taken"
        self._job = job
        if job.number not in self._runs:
            self._runs[job.number] = self._trainer.start(job)

    def advance(self) -> list[Event]:
        """Train to the next point that is not recorded yet."""
        assert self._job is not None, "no trial is admitted"
        job = self._job
        event = self._trainer.advance(self._runs[job.number], job)
        if not isinstance(event, Point):
            self._job = None
            del self._runs[job.number]
        return [event]

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the lane; close the generator unless it is kept."""
        if self._job is not None and self._job.number == number:
            self._job = None
        if number not in self._runs:
            return
        run = self._runs.pop(number)
        if not keep:
            run.close()
            return
        self._runs[number] = run
        if len(self._runs) > self._paused:
            self._runs.pop(next(iter(self._runs))).close()

    def node_of(self, number: int) -> str:
        """The GPU that this process was given, if any."""
        return shown(self._place) if self._place else ""

    def close(self) -> None:
        """Close every generator, and see all GPUs again."""
        self._job = None
        for number in list(self._runs):
            self.evict(number)
        for name, value in self._before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        self._before = {}


def _see(place: str) -> dict[str, str | None]:
    """Show this process these GPUs and no others; gives what its environment said before."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise UserError("this process has begun to use its GPUs, so that none can be given to it: executor: processes")
    shows = environment(place)
    before = {name: os.environ.get(name) for name in shows}
    os.environ.update(shows)
    return before


def make(task: Task, *, paused: Annotated[int, AT_LEAST_0] = 128) -> Inline:
    """Make the executor.

    Args:
        task: what is trained.
        paused: suspended trials that are held at a time; others train again up to where they were.

    Raises:
        UserError: ``paused`` is negative, the GPUs are taken already, or the objective cannot be imported.
    """
    if paused < 0:
        raise UserError(f"paused is a number of trials, from 0 on, not {paused}")
    return Inline(task, paused)
