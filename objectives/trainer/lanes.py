"""One process's lanes, grouped into cohorts; the executor ``cohort`` opens it here or in worker processes."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable
from dataclasses import replace
from types import ModuleType

from hpo.objectives.trainer.alone import Fitted
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.paused import Paused
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.contracts.executor import Executor
from hpo.search.contracts.predicted import Predicted
from hpo.search.describe.objective import Objective
from hpo.search.running.training import failure, value_of
from hpo.search.terms.job import Event, Failed, Finished, Job, Point, Task
from hpo.search.terms.study import Goal


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
        self._problem = problem
        self._paused = Paused(paused_memory, self._make, self._note)
        self._cohorts: dict[Hashable, Cohort] = {}
        self._refused: list[Event] = []
        self._best: dict[int, tuple[float, Predicted | None]] = {}  # of lanes whose predictions are wanted

    def admit(self, job: Job) -> None:
        """Give a trial a lane; a recipe that cannot be trained is reported by the next ``advance``."""
        try:
            lane = self._paused.take(job)
        except Exception as error:  # of the user's build or data: this trial's end, not the study's
            self._problem.ranks.each(-1)
            self._refused.append(failure(job.number, error, self._objective))
            return
        epochs = self._problem.ranks.each(lane.epoch)
        if min(epochs) < 0:
            self._refused.append(Failed(job.number, "it could not be started in another of its processes"))
            return
        if min(epochs) < max(epochs):  # not every rank could read back what it had paused
            lane = self._make(job)
        for note in lane.setup.notes:
            self._note(note)
        self._places[self._places.index(None)] = (lane, job)

    def advance(self) -> list[Event]:
        """Bring lanes that are behind to their recorded points, then move every lane by an epoch."""
        news, self._refused = self._refused, []
        while behind := [lane for lane, job in self._busy() if lane.epoch < job.done and not lane.done]:
            if self.expired():
                return news
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
            self._best.pop(number, None)

    def close(self) -> None:
        """Drop all lanes."""
        self._places = [None] * self.lanes
        self._paused.clear()
        self._cohorts.clear()

    def _make(self, job: Job) -> Lane:
        return Lane(job.number, self._problem.setup(job.recipe), job.judged)

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
        self._remember(lanes)
        return costs

    def _remember(self, lanes: list[Lane]) -> None:
        """Keep the predictions of lanes whose value is their best point's while they are there."""
        jobs = {job.number: job for lane, job in self._busy()}
        for lane in lanes:
            goals = [Goal.read(goal) for goal in jobs[lane.number].predict_for]
            if not goals or lane.failure or goals[0].aggregate not in (None, "best"):
                continue
            value = value_of(lane.metrics, goals[0].metric, math.nan) * (-1.0 if goals[0].maximize else 1.0)
            if value < self._best.get(lane.number, (math.inf, None))[0]:
                self._best[lane.number] = value, Fitted.of(lane).predicted("validation")

    def _predicted(self, lane: Lane, job: Job) -> Predicted | None:
        """What the model that an ended lane's value stands for predicts."""
        if not job.predict_for:
            return None
        remembered = self._best.pop(lane.number, None)
        lane.setup.network.restore(lane.best)
        final = Fitted(lane.setup, lane.final, lane.epoch)
        predicted = final.predicted("validation") if remembered is None else remembered[1]
        if predicted is None:
            return None
        milliseconds, kilobytes = final.cost()
        return replace(predicted, milliseconds=milliseconds, kilobytes=kilobytes)

    def _leave(self, lanes: list[Lane]) -> list[Event]:
        """Free the places of lanes whose curve has ended."""
        news: list[Event] = []
        jobs = {job.number: job for _, job in self._busy()}
        for lane in lanes:
            if lane.failure:
                news.append(Failed(lane.number, lane.failure))
            elif lane.done:
                news.append(Finished(lane.number, predicted=self._predicted(lane, jobs[lane.number])))
            else:
                continue
            self._places = [None if busy is not None and busy[0] is lane else busy for busy in self._places]
        return news


def open_lanes(module: ModuleType, task: Task, objective: Objective, lanes: int, paused_memory: int) -> CohortExecutor:
    """Lanes of this process for an objective that the suite trains.

    Args:
        module: the objective's, with ``build`` and ``data``.
        task: data and device.
        objective: what its source says, for the messages of trials that fail.
        lanes: trials trained at a time.
        paused_memory: bytes of paused trials held in memory rather than on disk.

    Raises:
        UserError: there is no such device.
    """
    return CohortExecutor(Problem(module, task), objective, lanes, paused_memory)
