"""Budgets, lanes and decisions of the search loop."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial

from hpo.search import studyfile
from hpo.search.contracts.executor import Executor, Node
from hpo.search.contracts.policy import Continue, Pause, Policy, Resume, Start, Turn, Verdict, View, Wait
from hpo.search.contracts.pruner import PrunerContext
from hpo.search.curves.thaw import Settings
from hpo.search.describe.live import live
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.rules import Rules, Silent
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.policies.straight import Straight
from hpo.search.pruners import none
from hpo.search.running.training import Run, Trainer
from hpo.search.store import Store, open_store
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import DataError, EverythingFailed, Interrupted, OutputError
from hpo.search.terms.job import Event, Job, Lost, Point, Task
from hpo.search.terms.study import Study

optuna.logging.set_verbosity(optuna.logging.WARNING)


def train(*, x: float = 0.0, epochs: int = 6, seed: int = 0) -> Iterator[dict[str, float]]:
    for epoch in range(1, epochs + 1):
        yield {"loss": x + 1 / epoch}


def failing(*, x: float = 0.0, seed: int = 0) -> float:
    raise ValueError("x is unlucky" if x > 0.5 else "x is wrong")


class Lanes(Executor):
    """Several lanes that move in step, as a cohort's do."""

    def __init__(self, task: Task, lanes: int) -> None:
        self.lanes = lanes
        self._trainer = Trainer(task)
        self._runs: dict[int, Run] = {}
        self._jobs: dict[int, Job] = {}

    def admit(self, job: Job) -> None:
        assert len(self._jobs) < self.lanes
        self._jobs[job.number] = job
        self._runs.setdefault(job.number, self._trainer.start(job))

    def advance(self) -> list[Event]:
        events: list[Event] = [self._trainer.advance(self._runs[n], job) for n, job in self._jobs.items()]
        for event in events:
            if not isinstance(event, Point):
                del self._jobs[event.number], self._runs[event.number]
        return events

    def evict(self, number: int, *, keep: bool = False) -> None:
        self._jobs.pop(number, None)
        if not keep and number in self._runs:
            self._runs.pop(number).close()

    def close(self) -> None:
        for number in list(self._runs):
            self.evict(number)


class Timed(Lanes):
    """Lanes in which the cost of a step depends on the recipe and on nothing else."""

    def advance(self) -> list[Event]:
        costs = {number: 0.002 + 0.01 * float(job.recipe["x"]) for number, job in self._jobs.items()}
        return [replace(e, seconds=costs[e.number]) if isinstance(e, Point) else e for e in super().advance()]


class Leaving(Lanes):
    """Lanes on machines, one each, that come and go: who trains on one that goes is lost with it."""

    def __init__(self, task: Task, lanes: int) -> None:
        super().__init__(task, lanes)
        self._rng = random.Random(lanes)
        self._most = lanes

    def advance(self) -> list[Event]:
        if self._rng.random() < 0.3:
            self.lanes = self._rng.randint(1, self._most)
        gone = list(self._jobs)[self.lanes :]
        for number in gone:
            self.evict(number)
        if gone:
            return [Lost(number, "its node is gone", fault=False) for number in gone]
        return super().advance()

    def node_of(self, number: int) -> str:
        return f"node {number % 3}"

    def nodes(self) -> list[Node]:
        return [Node("all", self.lanes, tuple(self._jobs), 1.0)]


class Watching(Policy):
    """Notes how many points each trial had whenever one is judged."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def next(self, view: View) -> Turn:
        return Start()

    def judge(self, view: View, number: int) -> Verdict:
        self.seen.append([len(trial.curve) for trial in view.trials])
        return Continue()


class Fickle(Policy):
    """Pauses after every point and goes on with any trial at random."""

    def next(self, view: View) -> Turn:
        rng = random.Random(sum(len(trial.curve) for trial in view.trials))
        paused = [trial.number for trial in view.trials if trial.state == "paused"]
        full = view.trials_left == 0
        if paused and (full or len(paused) > 3 or rng.random() < 0.5):
            return Resume(rng.choice(paused))
        return Wait() if full else Start()

    def judge(self, view: View, number: int) -> Verdict:
        return Pause() if random.Random(number + len(view.trials[number].curve)).random() < 0.5 else Continue()


def study_of(objective: Any = train, budget: Budget | None = None, **changes: Any) -> Study:
    plain: Mapping[str, Any] = {
        "name": "study", "objective": live(objective), "goal": "minimize loss", "sampler": "random", "seed": 1,
        "search": {"x": {"float": [0.0, 1.0]}}, "pruner": "none", "confirm": "none", **changes,
    }  # fmt: skip
    read = studyfile.read(plain, [])
    return read if budget is None else Study(**{**vars(read), "budget": budget})


def search(
    study: Study,
    store: Store,
    lanes: int = 1,
    policy: Policy | None = None,
    observer: Silent | None = None,
    executor_of: Callable[[Task, int], Executor] = Lanes,
) -> list[FrozenTrial]:
    """Run the loop by itself; returns the stored trials."""
    with store.session("study", study.directions) as session:
        ledger = Ledger(study, session, study.recipe)
        executor = executor_of(study.task, lanes)
        rules = Rules(
            policy=policy or Straight(),
            pruner=none.make(PrunerContext()),
            make_sampler=lambda number, attempt: optuna.samplers.RandomSampler(seed=number * 97 + attempt),
            horizon=lambda recipe: 6,
        )
        loop = Loop(ledger, executor, rules, observer or Silent())
        if isinstance(observer, Stopping):
            observer.loop = loop
        try:
            loop.run()
        finally:
            executor.close()
    snapshot = store.read("study")
    assert snapshot is not None
    return snapshot.trials


class Stopping(Silent):
    """Asks for a stop after so many points."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.loop: Loop | None = None

    def moved(self, entry: Entry) -> None:
        self.left -= 1
        if self.left == 0 and self.loop is not None:
            self.loop.stop = True


class Killed(BaseException):
    """What a SIGKILL is to the process it happens to."""


class Killing(Silent):
    """Kills in the middle of recording the last of so many points."""

    def __init__(self, after: int) -> None:
        self.left = after

    def moved(self, entry: Entry) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def points(trials: list[FrozenTrial]) -> int:
    return sum(len(trial.intermediate_values) for trial in trials)


@settings(max_examples=25, deadline=None)
@given(trials=st.integers(1, 12), lanes=st.integers(1, 5), fickle=st.booleans())
def test_exactly_the_wanted_trials_are_run_in_any_number_of_lanes(trials: int, lanes: int, fickle: bool) -> None:
    found = search(study_of(budget=Budget(trials=trials)), open_store(":memory:"), lanes, Fickle() if fickle else None)
    assert len(found) == trials
    assert all(trial.state.is_finished() for trial in found)
    assert points(found) == 6 * trials


def test_trials_that_move_together_are_judged_when_all_have_moved() -> None:
    watching = Watching()
    search(study_of(budget=Budget(trials=3)), open_store(":memory:"), 3, watching)
    assert watching.seen[:6] == [[1, 1, 1]] * 3 + [[2, 2, 2]] * 3


@settings(max_examples=40, deadline=None)
@given(
    trials=st.none() | st.integers(1, 12),
    steps=st.integers(1, 60),
    lanes=st.integers(1, 5),
    policy=st.sampled_from([Straight, Fickle, lambda: FreezeThaw(Settings(starts=3, uniform=5, near=5))]),
)
def test_steps_are_spent_to_the_last_on_no_more_than_the_wanted_trials(
    trials: int | None, steps: int, lanes: int, policy: Callable[[], Policy]
) -> None:
    found = search(study_of(budget=Budget(trials, steps)), open_store(":memory:"), lanes, policy())
    assert trials is None or len(found) <= trials
    assert points(found) == (steps if trials is None else min(steps, 6 * trials))
    assert all(trial.state.is_finished() for trial in found)


@settings(max_examples=10, deadline=None)
@given(trials=st.integers(1, 12), lanes=st.integers(1, 5))
def test_freeze_thaw_starts_the_wanted_trials_and_ends_by_itself(trials: int, lanes: int) -> None:
    policy = FreezeThaw(Settings(starts=3, uniform=5, near=5))
    found = search(study_of(budget=Budget(trials=trials)), open_store(":memory:"), lanes, policy)
    assert len(found) == trials
    assert all(trial.state.is_finished() for trial in found)


@pytest.mark.parametrize("lanes", [1, 4])
def test_freeze_thaw_leaves_trials_without_a_chance_where_only_their_number_is_limited(lanes: int) -> None:
    found = search(study_of(budget=Budget(trials=30)), open_store(":memory:"), lanes, FreezeThaw(Settings()))
    assert len(found) == 30
    best = min(found, key=lambda trial: trial.params["x"])
    assert best.state.name == "COMPLETE"
    assert points(found) < 0.8 * 30 * 6


def test_what_is_left_is_known_where_the_space_is_used_up() -> None:
    space = {"x": {"choice": [0.1, 0.2, 0.3]}}
    found = search(study_of(search=space, budget=Budget(steps=18)), open_store(":memory:"), 2, Fickle())
    assert (len(found), points(found)) == (3, 18)


@settings(max_examples=25, deadline=None)
@given(steps=st.integers(1, 60), lanes=st.integers(1, 5), fickle=st.booleans())
def test_no_step_more_than_the_budget_is_recorded(steps: int, lanes: int, fickle: bool) -> None:
    found = search(study_of(budget=Budget(steps=steps)), open_store(":memory:"), lanes, Fickle() if fickle else None)
    assert points(found) == steps
    assert all(trial.state.is_finished() for trial in found)


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(st.integers(1, 50), min_size=1, max_size=4), lanes=st.integers(1, 3))
def test_a_budget_may_grow_and_shrink_between_runs(parts: list[int], lanes: int) -> None:
    store = open_store(":memory:")
    for steps in parts:
        found = search(study_of(budget=Budget(steps=steps)), store, lanes, Fickle())
        assert all(trial.state.is_finished() for trial in found)
    assert points(found) == max(parts)


def test_fewer_trials_than_there_are_end_at_once() -> None:
    store = open_store(":memory:")
    search(study_of(budget=Budget(trials=5)), store)
    assert len(search(study_of(budget=Budget(trials=2)), store)) == 5


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_target_ends_the_search_and_what_runs_is_closed(lanes: int) -> None:
    found = search(study_of(budget=Budget(trials=500, target=0.25)), open_store(":memory:"), lanes)
    assert len(found) < 500
    complete = [trial for trial in found if trial.state.name == "COMPLETE"]
    assert min(trial.values[0] for trial in complete) <= 0.25
    assert {trial.state.name for trial in found} <= {"COMPLETE", "PRUNED", "FAIL"}
    assert all(t.user_attrs["reason"] == "the target was reached" for t in found if t.state.name != "COMPLETE")


def test_minutes_of_all_runs_count_together() -> None:
    store = open_store(":memory:")
    with store.session("study", ["minimize"]) as session:
        session.study._storage.set_study_user_attr(0, "seconds", 59.0)
        session.commit()
    assert search(study_of(budget=Budget(minutes=0.9)), store) == []


@settings(max_examples=25, deadline=None)
@given(after=st.integers(1, 40), lanes=st.integers(1, 3))
def test_a_stopped_search_goes_on_to_the_same_end(after: int, lanes: int) -> None:
    study = study_of(budget=Budget(trials=7))
    whole = search(study, open_store(":memory:"), lanes)
    store = open_store(":memory:")
    try:
        search(study, store, lanes, observer=Stopping(after))
    except Interrupted:
        found = search(study, store, lanes)
    else:
        found = search(study, store, lanes)
    assert [(t.params, t.values, t.intermediate_values) for t in found] == [
        (t.params, t.values, t.intermediate_values) for t in whole
    ]


@pytest.mark.parametrize("lanes", [1, 3])
def test_what_a_kill_leaves_of_the_measured_times_gives_the_same_decisions(lanes: int) -> None:
    def go(store: Store, after: int = 0) -> list[FrozenTrial]:
        policy = FreezeThaw(Settings(starts=3, uniform=10, near=10), per_second=True)
        return search(study_of(budget=Budget(steps=45)), store, lanes, policy, Killing(after), Timed)

    whole, killed = go(open_store(":memory:")), open_store(":memory:")
    for after in (9, 4, 13):
        with pytest.raises(Killed):
            go(killed, after)
    found = [(t.params, t.intermediate_values, t.user_attrs.get("train_seconds", 0.0)) for t in go(killed)]
    assert found == [(t.params, t.intermediate_values, t.user_attrs.get("train_seconds", 0.0)) for t in whole]
    spent = [len(t.intermediate_values) * (0.002 + 0.01 * t.params["x"]) for t in whole]
    assert [seconds for _, _, seconds in found] == pytest.approx(spent, abs=1e-5)


def _stored(store: Store) -> list[FrozenTrial]:
    snapshot = store.read("study")
    return snapshot.trials if snapshot else []


@pytest.mark.parametrize("lanes", [1, 3])
def test_everything_failing_is_told_with_the_commonest_reason(lanes: int) -> None:
    store = open_store(":memory:")
    with pytest.raises(EverythingFailed) as caught:
        search(study_of(failing, goal="minimize value", budget=Budget(trials=50)), store, lanes)
    reasons = [trial.user_attrs["reason"] for trial in _stored(store)]
    common = max(set(reasons), key=reasons.count)
    assert common in str(caught.value)
    assert f"hpo replay study {max(i for i, reason in enumerate(reasons) if reason == common)}" in str(caught.value)
    assert 5 <= len(reasons) <= 5 + lanes


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (DataError("the file is gone"), DataError),
        (OutputError("no room for the file"), OutputError),
        (OSError(errno.ENOSPC, "no room for the file", "own.txt"), OutputError),
    ],
    ids=str,
)
def test_what_is_not_the_trials_fault_ends_the_search_and_the_next_run_takes_the_trial_up(
    error: Exception, raised: type[Exception]
) -> None:
    gone: list[Exception] = [error]

    def train(*, x: float = 0.0, epochs: int = 3, seed: int = 0) -> Iterator[float]:
        for epoch in range(1, epochs + 1):
            if epoch == 2 and gone:
                raise gone.pop()
            yield x + 1 / epoch

    store = open_store(":memory:")
    wanted = study_of(train, goal="minimize value", budget=Budget(trials=3))
    with pytest.raises(raised, match="the file"):
        search(wanted, store)
    assert [trial.state.name for trial in _stored(store)] == ["RUNNING"]
    search(wanted, store)
    assert [trial.state.name for trial in _stored(store)] == ["COMPLETE"] * 3
    assert all(list(trial.intermediate_values) == [1, 2, 3] for trial in _stored(store))


def test_a_trial_that_another_program_enqueued_is_closed_with_a_reason() -> None:
    store = open_store(":memory:")
    with store.session("study", ["minimize"]) as session:
        session.study.enqueue_trial({"x": 0.5})
        session.commit()
    found = search(study_of(budget=Budget(trials=2)), store)
    assert [trial.state.name for trial in found] == ["FAIL", "COMPLETE"]
    assert "enqueued by another program" in found[0].user_attrs["reason"]


@given(lanes=st.integers(2, 6))
@settings(max_examples=8)
def test_lanes_come_and_go_and_however_often_a_machine_goes_its_trials_are_none_the_worse(lanes: int) -> None:
    store = open_store(":memory:")
    found = search(study_of(budget=Budget(trials=12)), store, lanes, executor_of=Leaving)
    assert [len(trial.intermediate_values) for trial in found] == [6] * 12
    assert {trial.state.name for trial in found} == {"COMPLETE"}
    assert [trial.user_attrs["nodes"] for trial in found] == [[f"node {trial.number % 3}"] for trial in found]
