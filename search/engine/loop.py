"""The search loop: one for every executor, sampler and pruner.

::

    while the budget lasts:
        fill      free lanes: the policy takes a paused trial up again, or asks the sampler for a new one
        advance   each busy lane yields its next point
        record    every point and end goes to the ledger, which keeps the store in step
        decide    per trial: continue | pause | prune | complete

What is decided depends on what is recorded and on the study's seed, on nothing else; what happens between two commits
is stored as one unit. A search that was killed therefore goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.contracts.policy import Continue, Pause, Prune, Resume, Verdict, View, Wait
from hpo.search.contracts.pruner import PRUNER
from hpo.search.engine.entry import Entry
from hpo.search.engine.failing import everything_failed
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.rules import Observer, Rules
from hpo.search.engine.watch import Watch
from hpo.search.running.training import VALUE
from hpo.search.store import attributes
from hpo.search.terms.budget import Spent
from hpo.search.terms.errors import HpoError, Interrupted, UserError, did_you_mean
from hpo.search.terms.job import OUTLOOK, Event, Failed, Finished, Job, Lost, Point
from hpo.search.terms.trial import State
from hpo.search.terms.value import FOLD

GIVE_UP = 5
"""A study in which this many trials failed and none succeeded stops."""

DEATHS = 5
"""A trial under which its worker died this often, in a search that lived, without a new point is failed."""

_SPENT = "the budget was spent"

_TICK = 1.0
"""Seconds between two notes of how long the study has run, and of where it trains."""


class Loop:
    """Runs one study's trials until its budget is spent, its space is exhausted, or it is stopped."""

    def __init__(
        self, ledger: Ledger, executor: Executor, rules: Rules, observer: Observer, *,
        watch: Watch | None = None, began: float | None = None,
    ) -> None:  # fmt: skip
        """``watch`` is told when the minutes are spent; ``began`` is since when they run, on the monotonic clock."""
        self.watch = watch or Watch()
        self.ledger, self.executor, self.rules, self.observer = ledger, executor, rules, observer
        self.study = ledger.study
        self.stop = self.watch.stop
        """Set by a signal handler: end after the current round is recorded."""
        self._running: dict[int, Entry] = {}
        self._moved: list[int] = []  # in this round, to be judged
        self._halted: HpoError | None = None  # what no trial can go on under
        self._began = time.monotonic() if began is None else began
        self._kept_time = 0.0
        self._bare: bool | None = None  # whether points are bare numbers, once one was seen
        self.worked = False
        """Whether anything was trained: a study that is run again when all is done takes no time."""
        self._memo: Mapping[str, Any] = ledger.facts().get(attributes.MEMO, {})

    @property
    def lanes(self) -> int:
        """How many trials are in training at a time: as many as the executor has lanes, or as its rules fill."""
        most = self.executor.lanes
        return most if self.rules.lanes is None else min(most, self.rules.lanes)

    @property
    def elapsed(self) -> float:
        """Seconds that count for this loop."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """Search.

        Raises:
            Interrupted: ``stop`` was set; trials in flight are taken up by the next run.
            EverythingFailed: no trial succeeds.
            UserError: the first point shows that no trial has the goal's metric.
            DataError, OutputError: no trial can go on; those in flight are taken up by the next run.
            StoreError: the store cannot be written.
        """
        self._check_budget()  # it may be smaller than it was
        self._take_up()
        while True:
            self._set_deadline()
            self._fill()
            self._commit()
            self._check_stop()
            if not self._running:
                break
            self.worked = True
            for event in sorted(self.executor.advance(), key=lambda event: event.number):
                self._handle(event)
            self._decide()
            self._check_failures()
            self._check_budget()
            self._commit()
            self._check_stop()
        self._close_open("the search ended")
        self._keep_time()
        self._commit()
        if not self.ledger.counts["complete"] + self.ledger.counts["pruned"] and self.ledger.counts["failed"]:
            raise everything_failed(self.study.name, self.ledger.entries)

    # --- fill -----------------------------------------------------------------------------------------------------

    def _take_up(self) -> None:
        """Go on with the trials an earlier run was killed or stopped under; those without a lane wait for one."""
        for entry in [entry for _, entry in sorted(self.ledger.open.items()) if entry.state == "running"]:
            if len(self._running) < self.lanes:
                self._admit(entry)  # the search's death says nothing about the trial
            else:
                self.ledger.move(entry, "paused")

    def _fill(self) -> None:
        while len(self._running) < self.lanes and not self.stop:
            spent = self._spent()
            if not self.study.budget.may_go_on(spent) or self._target_reached():
                return
            turn = self.rules.policy.next(self._view())
            self._keep(turn.memo)
            if isinstance(turn, Wait):
                return
            if isinstance(turn, Resume):
                self.ledger.move(self.ledger[turn.number], "running")
                self._admit(self.ledger[turn.number])
                continue
            if self._trials_left(spent) == 0:
                return
            entry = self.ledger.start(turn.point, self.rules.make_sampler)
            if entry is None:
                return
            self._admit(entry)

    def _admit(self, entry: Entry) -> None:
        self._running[entry.number] = entry
        folder, log = self.rules.folders(entry.number), self.rules.log(entry.number)
        wanted, judged = self.rules.predictions.goals, self.rules.judged
        self.executor.admit(
            Job(entry.number, entry.recipe, entry.step, folder, log, self.study.keeping, wanted, judged)
        )
        self.observer.started(entry)

    # --- record and decide ------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        entry = self._running.get(event.number)
        if entry is None:
            return
        node = self.executor.node_of(event.number)
        if node and node != (entry.nodes[-1] if entry.nodes else ""):
            self.ledger.trained_on(entry, node)
        if isinstance(event, Point):
            self._point(entry, event)
        elif isinstance(event, Finished):
            if entry.curve:
                if event.predicted is not None:
                    self.rules.predictions.keep(entry.recipe, event.predicted)
                self._end(entry, "complete")
            else:
                wanted = " and ".join(goal.metric for goal in self.study.goals)
                self._end(entry, "failed", f"the objective ended without a point that has {wanted}")
        elif isinstance(event, Failed) and event.fatal is not None:
            self._halted = self._halted or event.fatal(event.reason)
        elif isinstance(event, Failed):
            if event.detail:
                self.ledger.note(entry, attributes.TRACEBACK, event.detail[-4000:])
            self.ledger.miss(entry)
            self._end(entry, "failed", event.reason)
        elif isinstance(event, Lost):
            self._lost(entry, event)

    def _point(self, entry: Entry, event: Point) -> None:
        steps = self.study.budget.steps
        if steps is not None and self.ledger.steps >= steps:
            return  # other lanes had the last ones
        metrics = dict(event.metrics)
        bare = list(metrics) == [VALUE]
        self._bare = bare if self._bare is None else self._bare
        if bare and self._bare:  # a bare number is the goal's, whatever that is called; a metric of that name is not
            metrics = {self.study.goal.metric: metrics[VALUE]}
        missing = [goal.metric for goal in self.study.goals if goal.metric not in metrics]
        if missing:
            if not self.ledger.points:
                self._unknown_metric(entry, missing[0], metrics)
            self.ledger.miss(entry)  # measured every few steps only: not a point of the curve
            return
        folds = FOLD in metrics
        if entry.curve and folds != (FOLD in entry.metrics):
            self.ledger.miss(entry)  # a summary after the folds, or a fold among epochs: unlike the points before it
            return
        if folds and not math.isfinite(metrics[FOLD]):
            metrics[FOLD] = float(event.step)
        values = tuple(metrics[goal.metric] for goal in self.study.goals)
        outlook = None if any(goal.metric == OUTLOOK for goal in self.study.goals) else metrics.pop(OUTLOOK, None)
        for goal, value in zip(self.study.goals, values, strict=True):
            if not math.isfinite(value):
                self.executor.evict(entry.number)
                self.ledger.miss(entry)
                self._end(entry, "failed", f"{goal.metric} is {value} at step {event.step}")
                return
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        ahead = outlook if outlook is not None and math.isfinite(outlook) else None
        self.ledger.point(entry, event.step, values, finite, event.seconds, ahead)
        self.observer.moved(entry)
        self._moved.append(entry.number)

    def _decide(self) -> None:
        """Judge the trials that have moved, when all news is recorded: whoever moves together is compared as equals."""
        moved, self._moved = self._moved, []
        for number in moved:
            entry = self._running.get(number)
            if entry is None:
                continue  # it ended with the point
            verdict = self._verdict(entry)
            self._keep(verdict.memo)
            if isinstance(verdict, Prune):
                self.executor.evict(number)
                self._end(entry, "pruned", verdict.reason, verdict.evidence)
            elif isinstance(verdict, Pause):
                self.executor.evict(number, keep=True)
                del self._running[number]
                self.ledger.move(entry, "paused")

    def _unknown_metric(self, entry: Entry, metric: str, metrics: Mapping[str, float]) -> None:
        """Stop at the very first point: the goal is misspelt, or comes too late to be told from that."""
        self.executor.evict(entry.number)
        known = [name for name in metrics if name != "fold"]
        reason = f"the objective's first point has no metric {metric!r}: {did_you_mean(metric, known)}"
        self._end(entry, "failed", reason)
        self._commit()
        raise UserError(reason)

    def _verdict(self, entry: Entry) -> Verdict:
        horizon = self.rules.horizon(entry.recipe)
        if entry.step >= (self.ledger.longest if horizon is None else horizon):
            return Continue()  # it is about to complete, or no trial has been seen to go further
        view = self._view()
        verdict = self.rules.policy.judge(view, entry.number)
        if isinstance(verdict, Continue):
            answer = self.rules.pruner.judge(view, entry.number)
            kept = None if answer.memo is None else {**(verdict.memo or self._memo), PRUNER: answer.memo}
            return replace(answer, memo=verdict.memo if kept is None else kept)
        return verdict

    def _end(self, entry: Entry, state: State, reason: str = "", evidence: Mapping[str, float] | None = None) -> None:
        self._running.pop(entry.number, None)
        self.ledger.end(entry, state, reason, evidence)
        self.rules.folders.drop(entry.number)
        self.observer.ended(entry)

    def _lost(self, entry: Entry, event: Lost) -> None:
        if self.stop:  # perhaps what stopped this process ended the worker: the next run takes the trial up
            del self._running[entry.number]
        elif not event.fault:
            self._again(entry)
        elif entry.attempts + 1 >= DEATHS:
            self._end(entry, "failed", f"{event.reason}, {entry.attempts + 1} times in a row")
        else:
            self.ledger.count_attempts(entry, entry.attempts + 1)
            self._again(entry)

    def _again(self, entry: Entry) -> None:
        """Take a trial up once more; it waits where its lane went with its worker."""
        del self._running[entry.number]
        if len(self._running) < self.lanes:
            self._admit(entry)
        else:
            self.ledger.move(entry, "paused")

    # --- end --------------------------------------------------------------------------------------------------------

    def _check_stop(self) -> None:
        if self._halted is not None:
            self.rest()
            raise self._halted
        if self.stop:
            self.rest()
            raise Interrupted("stopped; the same command goes on from here")

    def rest(self) -> None:
        """Record that the search stops here for a while; the watching thread does that where a step would not end."""
        for entry in self._running.values():
            if entry.attempts:  # a clean stop is no death
                self.ledger.count_attempts(entry, 0)
        self._keep_time()
        self._commit()

    def give_up(self) -> None:
        """Record that the time is spent under a step that would not end; called by the watching thread."""
        for _, entry in sorted(self.ledger.open.items()):
            self._end(entry, "pruned", _SPENT)
        self._keep_time()
        self._commit()

    @property
    def at_work(self) -> str:
        """What is being trained, in words."""
        numbers = ", ".join(map(str, sorted(self._running)))
        return f"a step of trial {numbers}" if numbers else "a trial"

    def _check_failures(self) -> None:
        counts = self.ledger.counts
        if counts["failed"] < GIVE_UP or counts["complete"] + counts["pruned"] + counts["paused"]:
            return
        if not any(entry.curve for entry in self._running.values()):
            self._close_open("given up: every trial failed")
            self._commit()
            raise everything_failed(self.study.name, self.ledger.entries)

    def _check_budget(self) -> None:
        if self._target_reached():
            self._close_open("the target was reached")
        elif self.watch.out_of_time() or not self.study.budget.may_go_on(self._spent()):
            self._close_open(_SPENT)

    def _set_deadline(self) -> None:
        minutes = self.study.budget.minutes
        left = None if minutes is None else minutes * 60 - self._spent().seconds
        self.watch.deadline = None if left is None else time.monotonic() + left

    def _spent(self) -> Spent:
        """What the budget has paid for, and what is kept of it for what comes after the search."""
        spent = self.ledger.spent(self.elapsed)
        return replace(spent, seconds=spent.seconds + self.rules.reserve())

    def _close_open(self, reason: str) -> None:
        """End what runs or is paused as pruned."""
        for _, entry in sorted(self.ledger.open.items()):
            self.executor.evict(entry.number)
            horizon = self.rules.horizon(entry.recipe)
            if horizon is not None and entry.step >= horizon:
                self._end(entry, "complete")  # with its last point, which was the budget's last
            else:
                self._end(entry, "pruned", reason)

    def _target_reached(self) -> bool:
        spent = self.ledger.spent(self.elapsed)
        return self.study.budget.reached(spent, maximize=self.study.goal.maximize)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _trials_left(self, spent: Spent) -> int | None:
        """Trials that may still be started; a retry of a failed one does not count."""
        if self.ledger.exhausted():
            return 0
        left = self.study.budget.trials_left(spent)
        return 1 if left == 0 and not self.study.repeats and self.ledger.only_retries() else left

    def _view(self) -> View:
        spent = self.ledger.spent(self.elapsed)
        return View(
            space=self.study.space,
            fixed=self.study.fixed,
            direction=self.study.goals[self.ledger.judged].direction,
            seed=self.study.seed,
            horizon=self.rules.horizon(self.study.fixed),
            trials=self.ledger.views,
            log=self.ledger.log,
            lanes=self.lanes,
            steps_left=self.study.budget.steps_left(spent),
            trials_left=self._trials_left(spent),
            memo=self._memo,
            prior=self.study.prior,
            earlier=self.ledger.warm_start.earlier,
        )

    def _keep(self, memo: Mapping[str, Any] | None) -> None:
        if memo is not None:
            pruners = {PRUNER: self._memo[PRUNER]} if PRUNER in self._memo else {}
            self.ledger.note_study(attributes.MEMO, {**pruners, **memo})
            self._memo = self.ledger.facts()[attributes.MEMO]  # as it will be read back

    def _keep_time(self) -> None:
        if self.worked:
            self._kept_time = self.elapsed
            self.ledger.keep_time(self.elapsed)

    def _commit(self) -> None:
        if self.elapsed - self._kept_time >= _TICK:
            self._keep_time()
            if nodes := self.executor.nodes():
                self.ledger.note_nodes(nodes)
        self.ledger.session.commit()
