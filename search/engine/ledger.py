"""The trials of a running study, as facts in memory, kept in step with the store.

One place turns what happens (a start, a point, an end) into Optuna's terms and into the views that policies, the
terminal and the budget read. Nothing here takes longer the more trials there are: those that are open are kept as they
are, and those that have ended are read back from the recorder when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from hpo.search.contracts.executor import Node
from hpo.search.engine import ask, warmstart
from hpo.search.engine.entry import Entry
from hpo.search.engine.made import Made
from hpo.search.engine.stored import Stored
from hpo.search.engine.tried import Tried
from hpo.search.store import attributes
from hpo.search.store.recorder import trials_of
from hpo.search.terms.budget import Spent
from hpo.search.terms.changed import Log
from hpo.search.terms.errors import SpaceExhausted
from hpo.search.terms.recipe import digest
from hpo.search.terms.statistics import apart
from hpo.search.terms.study import Study
from hpo.search.terms.trial import State, Trial
from hpo.search.terms.value import Tally

if TYPE_CHECKING:
    from hpo.search.store.session import Session

ENDS: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""States of trials of which nothing more comes, in our terms and in Optuna's."""

_RECENT = 1_000
"""So many ended trials are kept as they are."""

_WORTH_STORING = 1e-3
"""Seconds of training that are stored with the next point; doing so costs a hundredth of that."""


class Ledger:
    """Every trial of one study.

    Attributes:
        entries: by number.
        views: the same, as all else sees them.
        log: which of them changed.
        open: those that run or are paused, by number.
        counts: number of trials by state.
        points: recorded in all; ``missed`` the steps that were trained and gave none.
        longest: the last step that any trial has recorded.
        retries: trials that repeat a failed one; they do not count against the budget.
        settled: trials that have ended, each with its retry as one.
        best: the complete trial with the best first goal.
        seconds: what earlier runs took.
        beside: seconds that earlier runs took for what is not this study's search: fresh runs and the test.
        warm_start: what was known before the first trial.
    """

    def __init__(
        self,
        study: Study,
        session: Session,
        recipe: Callable[[Mapping[str, Any], int], dict[str, Any]],
        judged: int = 0,
    ) -> None:
        """Read the study's trials.

        Args:
            study: whose trials they are.
            session: its place in the store.
            recipe: completes a point to the recipe of the trial with that number.
            judged: which goal curves are judged by.
        """
        self.judged = judged
        self.study, self.session, self.optuna = study, session, session.study
        self.storage = session.study._storage
        self._trials = trials_of(session.study)
        self._length = 0
        self.entries: Sequence[Entry] = Made(self.__len__, self.__getitem__)
        self.views: Sequence[Trial] = Made(self.__len__, self._view)
        self.log = Log()
        self.open: dict[int, Entry] = {}
        self._recent: dict[int, Entry] = {}  # that ended last: whoever follows the log is about to read them
        self._seen: dict[int, Trial] = {}  # views of open and recent ones
        self.counts: dict[State, int] = dict.fromkeys(("running", "paused", *ENDS), 0)
        self.points = self.missed = self.longest = 0
        self.retries = self.settled = 0
        self.best: Entry | None = None
        self.seconds = float(self.facts().get(attributes.SECONDS, 0.0))
        self.beside = 0.0
        self.warm_start = warmstart.recall(study, session.study)
        self._recipe = recipe
        self._stored = Stored(study, recipe, judged)
        self._tried = Tried()
        for trial in self._trials:
            self._load(trial)

    def __getitem__(self, number: int) -> Entry:
        return self.open.get(number) or self._recent.get(number) or self._stored.entry(self._trials[number])

    def __len__(self) -> int:
        return self._length

    def _view(self, number: int) -> Trial:
        if number not in self.open and number not in self._recent:
            return self._stored.entry(self._trials[number]).view()
        if number not in self._seen:
            self._seen[number] = self[number].view()
        return self._seen[number]

    def facts(self) -> Mapping[str, Any]:
        """Facts about the study, as stored; not to be changed."""
        return self.storage.get_study_user_attrs(self.optuna._study_id)

    def spent(self, elapsed: float) -> Spent:
        """What the budget has paid for; ``elapsed`` seconds of this run are added to those of earlier ones."""
        best = self.best.values[0] if self.best is not None else None
        return Spent(self._length - self.retries, self.steps, self.seconds + self.beside + elapsed, best)

    def tried(self) -> Collection[str]:
        """Keys of the recipes not to be tried again: all that stand, and those that failed twice."""
        return self._tried

    def exhausted(self) -> bool:
        """Whether a finite space holds no recipe to try."""
        return not self.study.repeats and self._size is not None and len(self._tried) >= self._size

    def only_retries(self) -> bool:
        """Whether every recipe of a finite space was tried, and some failed that may be tried again."""
        return self._size is not None and len(self._tried) < self._size <= self._tried.seen

    @cached_property
    def _size(self) -> int | None:
        return self.study.space.size(self.study.fixed)

    def start(self, point: Mapping[str, Any] | None, make_sampler: Callable[[int, int], BaseSampler]) -> Entry | None:
        """Open the next trial at ``point``, or where the sampler made for (number, attempt) says.

        None when the sampler finds no untried recipe.
        """
        trial_id = self.storage.create_new_trial(self.optuna._study_id)
        trial = self.storage.get_trial(trial_id)
        number, study = trial.number, self.study
        try:
            if point is None:
                point = ask.propose(
                    self.optuna, trial, study.space, study.fixed, lambda attempt: make_sampler(number, attempt),
                    seed=study.seed, start=self.warm_start.start(number), tried=self._tried, repeats=study.repeats,
                )  # fmt: skip
        except SpaceExhausted as error:
            entry = Entry(number, trial_id, {}, {}, "")
            self._enter(entry)
            self.end(entry, "failed", str(error))
            return None
        ask.record(self.optuna, trial, study.space, point)
        recipe = self._recipe(point, number)
        entry = Entry(number, trial_id, recipe, dict(point), digest(recipe, without_seed=True))
        entry.tallies = [Tally() for _ in study.goals]
        self.note(entry, attributes.RECIPE, entry.key)
        self.note(entry, attributes.SEED, recipe.get("seed"))
        if (failures := self._tried.failures(entry.key)) and not study.repeats:
            entry.retry_of = failures[-1]
            self.note(entry, attributes.RETRY_OF, entry.retry_of)
        self._enter(entry)
        return entry

    def point(
        self,
        entry: Entry,
        step: int,
        values: tuple[float, ...],
        metrics: Mapping[str, float],
        seconds: float = 0.0,
        outlook: float | None = None,
    ) -> None:
        """Record a point: one value for each goal, the judged one on the curve, its outlook, all metrics, its cost.

        Statistics of training, where they are recorded, are no metrics: they are stored with the step and stay there.
        """
        if "statistics" in self.study.record:
            metrics, statistics = apart(metrics)
            self.note(entry, f"{attributes.STATISTICS}{step}", statistics)
        entry.curve += ((step, values[self.judged]),)
        if outlook is not None:
            entry.outlook += ((step, outlook),)
            self.note(entry, attributes.OUTLOOK, entry.outlook)
        telling = len(metrics) > 1 or len(entry.metrics) > 1  # else the goal's alone, which is on the curve
        entry.metrics = dict(metrics)
        goals = self.study.goals
        for tally, value, goal in zip(entry.tallies, values, goals, strict=True):
            tally.add(value, maximize=goal.maximize)
        entry.appraise(goals, self.judged)
        self.points += 1
        self.longest = max(self.longest, step)
        self._store_missed(entry)
        self.storage.set_trial_intermediate_value(entry.trial_id, step, values[self.judged])
        if len(goals) > 1:
            self.note(entry, attributes.TALLIES, [tally.plain() for tally in entry.tallies])
        if telling:
            self.note(entry, attributes.METRICS, entry.metrics)
        if entry.attempts:
            self.count_attempts(entry, 0)
        entry.unstored += seconds
        self._store_seconds(entry, _WORTH_STORING)
        self._changed(entry)

    @property
    def steps(self) -> int:
        """Steps that were trained, whatever came of them: what a budget in steps pays for."""
        return self.points + self.missed

    def miss(self, entry: Entry) -> None:
        """Count a step of which no point came; it is stored with the trial's next point or its end."""
        entry.missed += 1
        self.missed += 1

    def count_attempts(self, entry: Entry, attempts: int) -> None:
        """Store how often a trial was taken up again without a new point since."""
        entry.attempts = attempts
        self.note(entry, attributes.ATTEMPTS, attempts)

    def trained_on(self, entry: Entry, node: str) -> None:
        """Store that a trial trains on another machine now."""
        entry.nodes += (node,)
        self.note(entry, attributes.NODES, list(entry.nodes))

    def move(self, entry: Entry, state: State) -> None:
        """Mark a trial that has not ended as running or paused."""
        if entry.state != state:
            self.storage.set_trial_system_attr(entry.trial_id, attributes.PAUSED, state == "paused")
            if state == "paused":
                self._store_seconds(entry)
            self._change(entry, state)

    def end(self, entry: Entry, state: State, reason: str = "", evidence: Mapping[str, float] | None = None) -> None:
        """Close a trial as complete, pruned or failed."""
        entry.reason = reason
        values: tuple[float, ...] | None = None
        if state == "complete" or (state == "pruned" and entry.curve and len(self.study.goals) == 1):
            values = entry.values
        if reason:
            self.note(entry, attributes.REASON, reason)
        if evidence:
            entry.evidence = dict(evidence)
            self.note(entry, attributes.EVIDENCE, entry.evidence)
        if len(entry.metrics) == 1:
            self.note(entry, attributes.METRICS, entry.metrics)
        self._store_missed(entry)
        self._store_seconds(entry)
        self.storage.set_trial_state_values(entry.trial_id, ENDS[state], values)
        self._change(entry, state)
        if state == "complete":
            self._consider(entry)

    def note(self, entry: Entry, key: str, value: Any) -> None:
        """Store a fact about a trial."""
        self.storage.set_trial_user_attr(entry.trial_id, key, value)

    def note_study(self, key: str, value: Any) -> None:
        """Store a fact about the study."""
        self.storage.set_study_user_attr(self.optuna._study_id, key, value)

    def note_nodes(self, nodes: Sequence[Node]) -> None:
        """Store which machines train what, for those that look on."""
        plain = [asdict(node) for node in nodes]
        self.storage.set_study_system_attr(self.optuna._study_id, attributes.CLUSTER, plain)

    def keep_time(self, elapsed: float) -> None:
        """Store how long the study has run in all."""
        self.note_study(attributes.SECONDS, round(self.seconds + elapsed, 3))

    def _store_missed(self, entry: Entry) -> None:
        if entry.missed != entry.stored_missed:
            entry.stored_missed = entry.missed
            self.note(entry, attributes.MISSED, entry.missed)

    def _store_seconds(self, entry: Entry, least: float = 0.0) -> None:
        """Store what a trial has cost; policies see what is stored, so that a restart changes no decision."""
        if entry.unstored > least:
            entry.seconds, entry.unstored = round(entry.seconds + entry.unstored, 6), 0.0
            self.note(entry, attributes.TRAIN_SECONDS, entry.seconds)

    def _load(self, trial: FrozenTrial) -> None:
        """Take in a trial that an earlier run has left."""
        attrs = trial.user_attrs
        self.points += len(trial.intermediate_values)
        self.missed += int(attrs.get(attributes.MISSED, 0))
        self.longest = max(self.longest, *trial.intermediate_values) if trial.intermediate_values else self.longest
        if trial.state.is_finished():  # of most of a long study's nothing more is needed
            key, retry_of = self._stored.key(trial), attrs.get(attributes.RETRY_OF)
            self._count(trial.number, key, attributes.state_of(trial), retry_of)
            if trial.state is TrialState.COMPLETE and trial.values and self._better(trial.values[0]):
                self.best = self._stored.entry(trial)
            return
        entry = self._stored.entry(trial)
        self._enter(entry)
        if trial.state is TrialState.WAITING:
            self.end(entry, "failed", "was enqueued by another program; a study's sampler proposes its recipes")

    def _enter(self, entry: Entry) -> None:
        """Take in a trial that has not ended."""
        self._count(entry.number, entry.key, entry.state, entry.retry_of)
        self.open[entry.number] = entry
        self._changed(entry)

    def _count(self, number: int, key: str, state: State, retry_of: int | None) -> None:
        self._length += 1
        self.counts[state] += 1
        self.retries += retry_of is not None
        self.settled += state in ENDS and retry_of is None
        if key and state == "failed":
            self._tried.fail(key, number, stood=False)
        elif key:
            self._tried.stand(key)

    def _change(self, entry: Entry, state: State) -> None:
        self.counts[entry.state] -= 1
        self.counts[state] += 1
        entry.state = state
        if state in ENDS:
            self.settled += entry.retry_of is None
            self._recent[entry.number] = self.open.pop(entry.number)
            if len(self._recent) > _RECENT:
                oldest = next(iter(self._recent))
                del self._recent[oldest]
                self._seen.pop(oldest, None)
        if entry.key and state == "failed":
            self._tried.fail(entry.key, entry.number, stood=True)
        self._changed(entry)

    def _consider(self, entry: Entry) -> None:
        if self._better(entry.values[0]):
            self.best = entry

    def _better(self, value: float) -> bool:
        """Whether the first goal's value of a complete trial is better than all before."""
        if self.best is None:
            return True
        best = self.best.values[0]
        return value > best if self.study.goal.maximize else value < best

    def _changed(self, entry: Entry) -> None:
        self._seen.pop(entry.number, None)
        self.log.add(entry.number)
