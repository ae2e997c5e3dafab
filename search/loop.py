"""The search loop: one for every executor, sampler and pruner.

::

    while the budget lasts:
        fill      free lanes: the policy takes a paused trial up again, or asks the sampler for a new one
        advance   each busy lane yields its next point
        record    every point and end goes to the ledger, which keeps the store in step
        decide    per trial: continue | pause | prune | complete

What is decided depends on what is recorded and on the study's seed, on nothing else; a round is committed as one
unit. A search that was killed therefore goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from hpo.search.errors import DataError, EverythingFailed, Interrupted, UserError, did_you_mean
from hpo.search.executors import Event, Executor, Failed, Finished, Job, Lost, Point
from hpo.search.ledger import Entry, Ledger
from hpo.search.policies import Continue, Pause, Policy, Prune, Resume, Start, View, Wait
from hpo.search.training import VALUE

GIVE_UP = 5
"""A study in which this many trials failed and none succeeded stops."""

_DEATHS = 5
"""A trial whose worker died this often without a new point is failed."""


class Observer(Protocol):
    """What watches a search: the terminal, a notebook, a test."""

    def started(self, entry: Entry) -> None:
        """A trial was started or taken up again."""

    def moved(self, entry: Entry) -> None:
        """A trial has a new point."""

    def ended(self, entry: Entry) -> None:
        """A trial is complete, pruned or failed."""


@dataclass
class Silent:
    """An observer that does nothing."""

    def started(self, entry: Entry) -> None:
        """Ignore."""

    def moved(self, entry: Entry) -> None:
        """Ignore."""

    def ended(self, entry: Entry) -> None:
        """Ignore."""


@dataclass
class Rules:
    """What decides in a loop.

    Attributes:
        policy: which trial trains next.
        pruner: whether a trial is stopped; with its name for the record.
        view: the study as the pruner sees it (one goal).
        judged: which goal curves are judged by.
        make_sampler: makes the sampler for a draw (number, attempt).
        horizon: steps of a complete trial under a recipe, None when unknown.
        scratch: folder for a trial's checkpoints, None where the objective has none.
    """

    policy: Policy
    pruner: BasePruner
    pruner_name: str
    view: Any
    judged: int
    make_sampler: Callable[[int, int], BaseSampler]
    horizon: Callable[[Mapping[str, Any]], int | None]
    scratch: Callable[[int], str | None] = field(default=lambda number: None)


class Loop:
    """Runs one study's trials until its budget is spent, its space is exhausted, or it is stopped."""

    def __init__(self, ledger: Ledger, executor: Executor, rules: Rules, observer: Observer) -> None:
        self.ledger, self.executor, self.rules, self.observer = ledger, executor, rules, observer
        self.study = ledger.study
        self.stop = False
        """Set by a signal handler: end after the current round is recorded."""
        self._running: dict[int, Entry] = {}
        self._began = time.monotonic()
        self._memo: Mapping[str, Any] = ledger.optuna.user_attrs.get("policy", {})

    @property
    def elapsed(self) -> float:
        """Seconds since this loop was made."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """Search.

        Raises:
            Interrupted: ``stop`` was set; trials in flight are taken up by the next run.
            EverythingFailed: no trial succeeds.
            UserError, DataError: the first trials show that none can.
            StoreError: the store cannot be written.
        """
        for entry in [entry for entry in self.ledger.entries if entry.state == "running"]:
            self._readmit(entry)
        while True:
            self._fill()
            self._commit()
            if not self._running:
                break
            for event in sorted(self.executor.advance(), key=lambda event: event.number):
                self._handle(event)
            self._check_end()
            self._commit()
            if self.stop:
                raise Interrupted("stopped; the same command goes on from here")
        self._close_open("the budget was spent")
        self._commit()
        if not self.ledger.counts["complete"] + self.ledger.counts["pruned"] and self.ledger.counts["failed"]:
            self._everything_failed()

    # --- fill -----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        while len(self._running) < self.executor.lanes and not self.stop:
            spent = self.ledger.spent(self.elapsed)
            if not self.study.budget.may_go_on(spent) or self._target_reached():
                return
            turn = self.rules.policy.next(self._view())
            self._keep(turn.memo)
            if isinstance(turn, Wait):
                return
            if isinstance(turn, Resume):
                self._readmit(self.ledger[turn.number])
                continue
            assert isinstance(turn, Start)
            if not self.study.budget.may_start(spent) or self.ledger.exhausted():
                return
            entry = self.ledger.start(turn.point, self.rules.make_sampler)
            if entry is None:
                return
            self._admit(entry, 0)

    def _readmit(self, entry: Entry) -> None:
        self.ledger.move(entry, "running")
        # The last recorded point is yielded once more, because its other metrics are not stored.
        last = entry.curve[-1][0] if entry.curve else 0
        self._admit(entry, 0 if len(self.study.goals) > 1 else max(0, last - 1))

    def _admit(self, entry: Entry, done: int) -> None:
        self._running[entry.number] = entry
        if done == 0:
            entry.goals = [[] for _ in self.study.goals]
        self.executor.admit(Job(entry.number, entry.recipe, done, self.rules.scratch(entry.number)))
        self.observer.started(entry)

    # --- record and decide ------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        entry = self._running.get(event.number)
        if entry is None:
            return
        if isinstance(event, Point):
            self._point(entry, event)
        elif isinstance(event, Finished):
            if entry.curve:
                self._end(entry, "complete")
            else:
                self._end(entry, "failed", "the objective ended without a point")
        elif isinstance(event, Failed):
            self._end(entry, "failed", event.reason, detail=event.detail)
            if event.fatal:
                self._commit()
                raise DataError(event.reason)
        elif isinstance(event, Lost):
            self._lost(entry, event)

    def _point(self, entry: Entry, event: Point) -> None:
        values = self._values(entry, event)
        if values is None:
            return
        entry.metrics = {name: value for name, value in event.metrics.items() if math.isfinite(value)}
        entry.folds = entry.folds or "fold" in event.metrics
        entry.seconds += event.seconds
        if not self.ledger.point(entry, event.step, values, self.rules.judged):
            return
        self.observer.moved(entry)
        verdict = self._verdict(entry)
        self._keep(verdict.memo)
        if isinstance(verdict, Prune):
            self.executor.evict(entry.number)
            self._end(entry, "pruned", verdict.reason, verdict.evidence)
        elif isinstance(verdict, Pause):
            self.executor.evict(entry.number, keep=True)
            del self._running[entry.number]
            self.ledger.move(entry, "paused")

    def _values(self, entry: Entry, event: Point) -> tuple[float, ...] | None:
        """The point's value for each goal; None, and the trial failed, where one is missing or not finite."""
        values = []
        for goal in self.study.goals:
            value = event.metrics.get(goal.metric, event.metrics.get(VALUE) if len(event.metrics) == 1 else None)
            if value is None:
                known = [name for name in event.metrics if name not in ("fold", "step")]
                self.executor.evict(entry.number)
                reason = f"the objective yields no metric {goal.metric!r}: {did_you_mean(goal.metric, known)}"
                self._end(entry, "failed", reason)
                self._commit()
                raise UserError(reason)
            if not math.isfinite(value):
                self.executor.evict(entry.number)
                self._end(entry, "failed", f"{goal.metric} is {value} at step {event.step}")
                return None
            values.append(value)
        return tuple(values)

    def _verdict(self, entry: Entry) -> Continue | Pause | Prune:
        horizon = self.rules.horizon(entry.recipe)
        if horizon is not None and entry.curve[-1][0] >= horizon:
            return Continue()  # it is about to complete
        verdict = self.rules.policy.judge(self._view(), entry.number)
        if isinstance(verdict, Continue) and self.rules.pruner.prune(self.rules.view, self.ledger.frozen(entry)):
            step, value = entry.curve[-1]
            fallback = (
                f"{self.rules.pruner_name} at step {step}, {self.study.goals[self.rules.judged].metric} {value:.6g}"
            )
            reason = getattr(self.rules.pruner, "reason", "") or fallback
            return Prune(reason, getattr(self.rules.pruner, "evidence", None) or {}, verdict.memo)
        return verdict

    def _end(
        self, entry: Entry, state: Any, reason: str = "", evidence: Mapping[str, float] | None = None, detail: str = ""
    ) -> None:
        self._running.pop(entry.number, None)
        if detail:
            self.ledger.note(entry, "traceback", detail[-4000:])
        self.ledger.end(entry, state, reason, evidence)
        self.ledger.keep_time(self.elapsed)
        self.observer.ended(entry)

    def _lost(self, entry: Entry, event: Lost) -> None:
        entry.attempts += 1
        self.ledger.note(entry, "attempts", entry.attempts)
        if entry.attempts >= _DEATHS:
            self._end(entry, "failed", f"{event.reason}, {entry.attempts} times in a row")
        else:
            self._readmit(entry)

    # --- end --------------------------------------------------------------------------------------------------------

    def _check_end(self) -> None:
        counts = self.ledger.counts
        if (
            counts["failed"] >= GIVE_UP
            and not counts["complete"] + counts["pruned"]
            and not any(entry.curve for entry in self._running.values())
        ):
            for entry in list(self._running.values()):
                self.executor.evict(entry.number)
                self._end(entry, "failed", "given up: every trial failed")
            self._commit()
            self._everything_failed()
        if self._target_reached():
            self._close_open("the target was reached")
        elif not self.study.budget.may_go_on(self.ledger.spent(self.elapsed)):
            self._close_open("the budget was spent")

    def _close_open(self, reason: str) -> None:
        """End what runs or is paused: as pruned where it has a curve, else as failed."""
        for entry in self.ledger.entries:
            if entry.state in ("running", "paused"):
                self.executor.evict(entry.number)
                self._end(entry, "pruned" if entry.curve else "failed", reason)

    def _target_reached(self) -> bool:
        spent = self.ledger.spent(self.elapsed)
        return self.study.budget.reached(spent, maximize=self.study.goal.maximize)

    def _everything_failed(self) -> None:
        failed = [entry for entry in self.ledger.entries if entry.state == "failed"]
        last = failed[-1]
        if len(failed) > 1:
            last = max(failed, key=lambda entry: sum(other.reason == entry.reason for other in failed))
        raise EverythingFailed(
            f"all {len(failed)} trials failed, so the search stopped. Trial {last.number}: {last.reason}\n"
            f"repeat it with: hpo replay {self.study.name} {last.number}"
        )

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _view(self) -> View:
        spent = self.ledger.spent(self.elapsed)
        steps = self.study.budget.steps
        return View(
            space=self.study.space,
            fixed=self.study.fixed,
            direction=self.study.goals[self.rules.judged].direction,
            seed=self.study.seed,
            horizon=self.rules.horizon(self.study.fixed),
            trials=self.ledger.views,
            lanes=self.executor.lanes,
            steps_left=None if steps is None else max(0, steps - spent.steps),
            memo=self._memo,
        )

    def _keep(self, memo: Mapping[str, Any] | None) -> None:
        if memo is not None:
            self._memo = memo
            self.ledger.note_study("policy", dict(memo))

    def _commit(self) -> None:
        self.ledger.session.commit()
