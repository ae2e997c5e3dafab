"""Train trials together as batched models, one epoch of every lane at a time.

What it does: lanes whose networks and micro-batches have the same shape share their kernels; others form a cohort of
their own. A freed lane takes the next trial at the next epoch. Curves are the same as from training each trial alone.
When to use it: for small models, where a step costs mostly overhead; it is what studies of ``mlp`` and ``cnn`` use.
Options: ``lanes`` = 16, trials that a process trains at a time; ``workers`` = the study's, processes of one core each;
``paused_memory`` = 512, MiB of paused trials that a process keeps in memory. Beyond that the longest paused go to an
unnamed file in ``.hpo``, and come back to the last bit; what the disk cannot hold trains again up to where it was.
Cost: one thread per process on the CPU; memory grows with the lanes, by four rows of weights each.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Literal

from hpo.search.cohort.cohort import Cohort
from hpo.search.cohort.lane import Lane
from hpo.search.cohort.paused import Paused
from hpo.search.cohort.problem import Problem
from hpo.search.cohort.spread import Spread
from hpo.search.errors import UserError
from hpo.search.executors import Event, Executor, Failed, Finished, Job, Point, Task
from hpo.search.objective.describe import Objective
from hpo.search.objective.training import Trainer, failure

_LANES = 16  # more gain little once the overhead is shared, and crowd the cache


def make(task: Task, *, lanes: int | Literal["auto"] = "auto", workers: int = 1, paused_memory: int = 512) -> Executor:
    """Open a cohort for an objective that the suite trains, or one in each of several worker processes.

    Args:
        task: objective, data and device.
        lanes: trials that a process trains at a time; ``auto`` is 16.
        workers: processes; with one, training is done in this.
        paused_memory: MiB of paused trials that a process keeps in memory rather than on disk.

    Raises:
        UserError: the objective does its own training.
    """
    trainer = Trainer(task)
    if not trainer.objective.trained_by_suite:
        raise UserError(f"{task.objective} trains by itself, so its trials cannot form a cohort: use executor: inline")
    count = _LANES if lanes == "auto" else lanes
    if count < 1:
        raise UserError(f"a cohort needs at least one lane, not {count}")
    if workers < 1:
        raise UserError(f"a cohort needs at least one worker, not {workers}")
    if paused_memory < 0:
        raise UserError(f"paused_memory is a number of MiB, from 0 on, not {paused_memory}")
    if workers > 1:
        return Spread(task, workers, count, paused_memory)
    return CohortExecutor(Problem(trainer.module, task), trainer.objective, count, paused_memory << 20)


class CohortExecutor(Executor):
    """Lanes grouped by shape; every call of ``advance`` moves each of them by an epoch.

    Attributes:
        notes: what the user should know about how trials are trained, each sentence once.
    """

    def __init__(self, problem: Problem, objective: Objective, lanes: int, paused_memory: int) -> None:
        """Train up to ``lanes`` trials, and hold at most ``paused_memory`` bytes of paused ones in memory."""
        self.lanes = lanes
        self.notes: list[str] = []
        self._objective = objective
        self._places: list[tuple[Lane, Job] | None] = [None] * lanes
        self._paused = Paused(paused_memory, lambda job: Lane(job.number, problem.trial(job.recipe)), self._note)
        self._cohorts: dict[Hashable, Cohort] = {}
        self._refused: list[Event] = []

    def admit(self, job: Job) -> None:
        """Give a trial a lane; a recipe that cannot be trained is reported by the next ``advance``."""
        try:
            lane = self._paused.take(job)
        except Exception as error:  # of the user's build or data: this trial's end, not the study's
            self._refused.append(failure(job.number, error, self._objective))
            return
        for note in lane.trial.notes:
            self._note(note)
        self._places[self._places.index(None)] = (lane, job)

    def advance(self) -> list[Event]:
        """Bring lanes that are behind to their recorded points, then move every lane by an epoch."""
        news, self._refused = self._refused, []
        while behind := [lane for lane, job in self._busy() if lane.epoch < job.done and not lane.done]:
            self._epoch(behind)
            news += self._leave(behind)
        news += self._leave([lane for lane, _ in self._busy()])
        running = [lane for lane, _ in self._busy()]
        costs = self._epoch(running)
        for lane in running:
            if not lane.failure:
                news.append(Point(lane.number, lane.epoch, lane.metrics, costs[lane.number]))
            news += self._leave([lane])
        return news

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free a lane; a kept one holds only its own rows."""
        self._refused = [event for event in self._refused if event.number != number]
        for place, busy in enumerate(self._places):
            if busy is not None and busy[0].number == number:
                self._places[place] = None
                if keep:
                    busy[0].detach()
                    self._paused.put(busy[0])
        if not keep:
            self._paused.drop(number)

    def close(self) -> None:
        """Drop all lanes."""
        self._places = [None] * self.lanes
        self._paused.clear()
        self._cohorts.clear()

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _busy(self) -> list[tuple[Lane, Job]]:
        return [busy for busy in self._places if busy is not None]

    def _epoch(self, lanes: list[Lane]) -> dict[int, float]:
        """Move lanes by an epoch, group by group; return what each cost in seconds."""
        groups: dict[Hashable, list[Lane]] = {}
        for lane in lanes:
            groups.setdefault(lane.key, []).append(lane)
        self._cohorts = {lane.key: self._cohorts.get(lane.key) or Cohort() for lane, _ in self._busy()}
        costs: dict[int, float] = {}
        for key, group in groups.items():
            ticks = {lane.number: lane.layout().ticks for lane in group}
            start = time.perf_counter()
            self._cohorts[key].advance(group)
            each = (time.perf_counter() - start) / sum(ticks.values())
            costs |= {number: each * own for number, own in ticks.items()}
        return costs

    def _leave(self, lanes: list[Lane]) -> list[Event]:
        """Free the places of lanes whose curve has ended."""
        news: list[Event] = []
        for lane in lanes:
            if lane.failure:
                news.append(Failed(lane.number, lane.failure))
            elif lane.done:
                news.append(Finished(lane.number))
            else:
                continue
            self._places = [None if busy is not None and busy[0] is lane else busy for busy in self._places]
        return news
