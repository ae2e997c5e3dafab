"""Train one trial at a time in this process.

What it does: advances the trial's generator; a kept trial is a suspended generator.
When to use it: one core, notebooks, debugging. Same seed, same study, to the last bit.
Cost: none beyond the training itself.
"""

from __future__ import annotations

import time

from hpo.search.executors import Event, Executor, Finished, Job, Point, Task
from hpo.search.training import Run, Trainer, failure


class Inline(Executor):
    """One lane, here."""

    def __init__(self, task: Task) -> None:
        self._trainer = Trainer(task)
        self._runs: dict[int, Run] = {}
        self._steps: dict[int, int] = {}
        self._job: Job | None = None

    def admit(self, job: Job) -> None:
        """Start or take up a trial."""
        assert self._job is None, "the lane is taken"
        self._job = job

    def advance(self) -> list[Event]:
        """Train to the next point that is not recorded yet."""
        assert self._job is not None, "no trial is admitted"
        job, began = self._job, time.perf_counter()
        try:
            run = (
                self._runs.setdefault(job.number, self._trainer.start(job))
                if job.number not in self._runs
                else self._runs[job.number]
            )
            while True:
                metrics = next(run)
                step = int(metrics.pop("step", self._steps.get(job.number, 0) + 1))
                self._steps[job.number] = step
                if step > job.done:
                    return [Point(job.number, step, metrics, time.perf_counter() - began)]
        except StopIteration:
            self._release()
            return [Finished(job.number)]
        except Exception as error:
            self._release()
            return [failure(job.number, error, self._trainer.objective)]

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the lane; close the generator unless it is kept."""
        if self._job is not None and self._job.number == number:
            self._job = None
        if not keep and number in self._runs:
            self._steps.pop(number, None)
            self._runs.pop(number).close()

    def close(self) -> None:
        """Close every generator."""
        self._job = None
        for number in list(self._runs):
            self.evict(number)

    def _release(self) -> None:
        assert self._job is not None
        number, self._job = self._job.number, None
        self._runs.pop(number, None)
        self._steps.pop(number, None)


def make(task: Task) -> Inline:
    """Make the executor; it has no options."""
    return Inline(task)
