"""The trials of a running study, as facts in memory, kept in step with the store.

One place turns what happens (a start, a point, an end) into Optuna's terms and into the views that policies, the
terminal and the budget read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from hpo.search import ask
from hpo.search.budget import Spent
from hpo.search.errors import SpaceExhausted
from hpo.search.policies import State, TrialView
from hpo.search.recipe import digest
from hpo.search.study import Goal, Study

if TYPE_CHECKING:
    from hpo.search.store.session import Session

STATES: dict[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "paused",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_OPTUNA = {state: optuna_state for optuna_state, state in STATES.items()}
_TRIES = 2
"""How often a recipe may fail before it is not tried again."""


@dataclass
class Entry:
    """One trial.

    Attributes:
        trial_id: its id in the storage.
        recipe: every knob value; ``point`` the searched ones among them.
        key: digest of the recipe without its seed.
        curve: (step, value of the goal that curves are judged by), steps ascending.
        goals: for each goal, its value at every point seen by this process.
        metrics: all metrics of the last point.
        values: its value for each goal, once it has ended well.
        folds: whether its points are folds of a cross-validation.
        attempts: how often a worker died under it without a new point.
    """

    number: int
    trial_id: int
    recipe: dict[str, Any]
    point: dict[str, Any]
    key: str
    state: State = "running"
    curve: list[tuple[int, float]] = field(default_factory=list)
    goals: list[list[float]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    retry_of: int | None = None
    folds: bool = False
    attempts: int = 0

    def view(self) -> TrialView:
        """What a policy sees of it."""
        return TrialView(self.number, self.point, self.curve, self.state, self.seconds)


def aggregate(goal: Goal, values: list[float], *, folds: bool, several: bool) -> float:
    """What of a curve counts as the trial's value.

    >>> aggregate(Goal("loss", "minimize"), [3.0, 1.0, 2.0], folds=False, several=False)
    1.0
    """
    how = goal.aggregate or ("mean" if folds else "last" if several else "best")
    if how == "mean":
        return sum(values) / len(values)
    return values[-1] if how == "last" else max(values) if goal.maximize else min(values)


class Ledger:
    """Every trial of one study."""

    def __init__(
        self, study: Study, session: Session, recipe: Callable[[Mapping[str, Any], int], dict[str, Any]]
    ) -> None:
        """Read the study's trials; ``recipe`` completes a point to the recipe of the trial with that number."""
        self.study, self.session, self.optuna = study, session, session.study
        self.storage = session.study._storage
        self.entries: list[Entry] = []
        self.views: list[TrialView] = []
        self.counts: dict[State, int] = dict.fromkeys(STATES.values(), 0)
        self.points = 0
        self.retries = 0
        self.best: Entry | None = None
        self.seconds = float(self.optuna.user_attrs.get("seconds", 0.0))
        self._recipe = recipe
        self._failures: dict[str, int] = {}  # by recipe key
        self._taken: set[str] = set()  # keys of recipes that run or ended well
        for trial in self.optuna.get_trials(deepcopy=False):
            self._load(trial)

    def __getitem__(self, number: int) -> Entry:
        return self.entries[number]

    def spent(self, elapsed: float) -> Spent:
        """What the budget has paid for; ``elapsed`` seconds of this run are added to those of earlier ones."""
        best = self.best.values[0] if self.best is not None else None
        return Spent(len(self.entries) - self.retries, self.points, self.seconds + elapsed, best)

    def tried(self) -> Collection[str]:
        """Keys of recipes that are not to be tried again: all but those that failed once."""
        return self._taken | {key for key, count in self._failures.items() if count >= _TRIES}

    def exhausted(self) -> bool:
        """Whether a finite space holds no untried recipe."""
        if self.study.repeats or len(self.entries) < (self._size or 1):
            return False
        return self._size is not None and len(self.tried()) >= self._size

    @property
    def _size(self) -> int | None:
        if not hasattr(self, "_cached_size"):
            self._cached_size = self.study.space.size(self.study.fixed, limit=100_000)
        return self._cached_size

    def value(self, entry: Entry) -> tuple[float, ...]:
        """The trial's value for each goal so far."""
        several = len(self.study.goals) > 1
        curves = entry.goals if several else [[value for _, value in entry.curve]]
        pairs = zip(self.study.goals, curves, strict=True)
        return tuple(aggregate(goal, values, folds=entry.folds, several=several) for goal, values in pairs)

    def frozen(self, entry: Entry) -> FrozenTrial:
        """The trial in Optuna's terms, as pruners take it."""
        return self.storage.get_trial(entry.trial_id)

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
                    seed=study.seed, tried=self.tried(), repeats=study.repeats,
                )  # fmt: skip
        except SpaceExhausted as error:
            entry = Entry(number, trial_id, {}, {}, "")
            self._enter(entry)
            self.retries += 1  # it does not count against the budget
            self.end(entry, "failed", str(error))
            return None
        ask.record(self.optuna, trial, study.space, point)
        recipe = self._recipe(point, number)
        entry = Entry(number, trial_id, recipe, dict(point), digest(recipe, without_seed=True))
        entry.goals = [[] for _ in study.goals]
        self.note(entry, "recipe", entry.key)
        self.note(entry, "seed", recipe.get("seed"))
        if self._failures.get(entry.key) and not study.repeats:
            entry.retry_of = max(e.number for e in self.entries if e.key == entry.key and e.state == "failed")
            self.note(entry, "retry_of", entry.retry_of)
        self._enter(entry)
        return entry

    def point(self, entry: Entry, step: int, values: tuple[float, ...], judged: int) -> bool:
        """Record a point: one value for each goal, the ``judged`` one on the curve; False when it stands already."""
        for kept, value in zip(entry.goals, values, strict=True):
            kept.append(value)
        if entry.curve and step <= entry.curve[-1][0]:
            return False
        entry.curve.append((step, values[judged]))
        entry.attempts = 0
        self.points += 1
        self.storage.set_trial_intermediate_value(entry.trial_id, step, values[judged])
        self._refresh(entry)
        return True

    def move(self, entry: Entry, state: State) -> None:
        """Mark a trial that has not ended as running or paused."""
        if entry.state != state:
            self.storage.set_trial_system_attr(entry.trial_id, "paused", state == "paused")
            self._change(entry, state)

    def end(self, entry: Entry, state: State, reason: str = "", evidence: Mapping[str, float] | None = None) -> None:
        """Close a trial as complete, pruned or failed."""
        entry.reason = reason
        values: tuple[float, ...] | None = None
        if state == "complete":
            values = entry.values = self.value(entry)
        elif state == "pruned" and len(self.study.goals) == 1:
            values = (entry.curve[-1][1],)
        if reason:
            self.note(entry, "reason", reason)
        if evidence:
            self.note(entry, "evidence", dict(evidence))
        if entry.metrics:
            self.note(entry, "metrics", entry.metrics)
        self.note(entry, "train_seconds", round(entry.seconds, 4))
        self.storage.set_trial_state_values(entry.trial_id, _OPTUNA[state], values)
        self._change(entry, state)
        if state == "complete":
            self._consider(entry)

    def note(self, entry: Entry, key: str, value: Any) -> None:
        """Store a fact about a trial."""
        self.storage.set_trial_user_attr(entry.trial_id, key, value)

    def note_study(self, key: str, value: Any) -> None:
        """Store a fact about the study."""
        self.storage.set_study_user_attr(self.optuna._study_id, key, value)

    def keep_time(self, elapsed: float) -> None:
        """Store how long the study has run in all."""
        self.note_study("seconds", round(self.seconds + elapsed, 3))

    def _load(self, trial: FrozenTrial) -> None:
        attrs, point = trial.user_attrs, dict(trial.params)
        recipe = self._recipe(point, trial.number) | ({"seed": attrs["seed"]} if attrs.get("seed") is not None else {})
        entry = Entry(
            trial.number, trial._trial_id, recipe, point, attrs.get("recipe") or digest(recipe, without_seed=True)
        )
        entry.state = (
            "paused" if trial.state is TrialState.RUNNING and trial.system_attrs.get("paused") else STATES[trial.state]
        )
        entry.curve = sorted(trial.intermediate_values.items())
        entry.goals = [[] for _ in self.study.goals]
        entry.metrics = attrs.get("metrics", {})
        entry.seconds = float(attrs.get("train_seconds", 0.0))
        entry.reason = attrs.get("reason", "")
        entry.retry_of = attrs.get("retry_of")
        entry.attempts = int(attrs.get("attempts", 0))
        self.points += len(entry.curve)
        self._enter(entry)
        if trial.state is TrialState.COMPLETE and trial.values:
            entry.values = tuple(trial.values)
            self._consider(entry)

    def _enter(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.views.append(entry.view())
        self.counts[entry.state] += 1
        self.retries += entry.retry_of is not None
        self._classify(entry)

    def _change(self, entry: Entry, state: State) -> None:
        self.counts[entry.state] -= 1
        self.counts[state] += 1
        entry.state = state
        self._classify(entry)
        self._refresh(entry)

    def _classify(self, entry: Entry) -> None:
        if entry.state == "failed":
            self._failures[entry.key] = self._failures.get(entry.key, 0) + 1
            self._taken.discard(entry.key)
        else:
            self._taken.add(entry.key)

    def _consider(self, entry: Entry) -> None:
        if self.best is None:
            self.best = entry
        elif len(self.study.goals) == 1:
            a, b = entry.values[0], self.best.values[0]
            if (a > b) if self.study.goal.maximize else (a < b):
                self.best = entry

    def _refresh(self, entry: Entry) -> None:
        self.views[entry.number] = entry.view()
