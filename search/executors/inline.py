"""Train one trial at a time in this process.

What it does: advances the trial's generator; a kept trial is a suspended generator.
When to use it: one core, notebooks, debugging. Same seed, same study, to the last bit.
Cost: none beyond the training itself.
"""

from __future__ import annotations

from hpo.search.executors import Event, Executor, Job, Point, Task
from hpo.search.objective.training import Run, Trainer


class Inline(Executor):
    """One lane, here."""

    def __init__(self, task: Task) -> None:
        self._trainer = Trainer(task)
        self._runs: dict[int, Run] = {}
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
        if not keep and number in self._runs:
            self._runs.pop(number).close()

    def close(self) -> None:
        """Close every generator."""
        self._job = None
        for number in list(self._runs):
            self.evict(number)


def make(task: Task) -> Inline:
    """Make the executor; it has no options."""
    return Inline(task)
