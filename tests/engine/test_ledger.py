"""Facts about trials in memory: what counts as tried, as a retry, as a trial's value."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.store import Store, open_store
from hpo.search.terms.domain import Choice, Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Study
from hpo.search.terms.value import Tally, aggregate_of

LOSS = Goal("loss", "minimize")
SPACE = Space((Parameter("x", Choice((1, 2, 3))),))
numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def open_ledger(store: Store, goals: tuple[Goal, ...] = (LOSS,), space: Space = SPACE) -> Any:
    """A context manager that gives the study's session."""
    return store.session("study", [goal.direction for goal in goals])


def ledger_of(session: Any, goals: tuple[Goal, ...] = (LOSS,), space: Space = SPACE) -> Ledger:
    study = Study("study", "live:f", goals, space)
    return Ledger(study, session, study.recipe)


def start(ledger: Ledger, x: float) -> Entry:
    entry = ledger.start({"x": x}, lambda number, attempt: optuna.samplers.RandomSampler())
    assert entry is not None
    return entry


def tally(values: list[float], *, maximize: bool = False) -> Tally:
    made = Tally()
    for value in values:
        made.add(value, maximize=maximize)
    return made


@given(numbers)
def test_a_trials_value_is_its_best_point_unless_the_goal_says_otherwise(values: list[float]) -> None:
    made = tally(values)
    assert made.value(aggregate_of(LOSS, {}, several=False)) == min(values)
    assert tally(values, maximize=True).value(aggregate_of(Goal("a", "maximize"), {}, several=False)) == max(values)
    assert made.value(aggregate_of(LOSS, {}, several=True)) == values[-1]
    assert made.value(aggregate_of(Goal("loss", "minimize", "last"), {"fold": 2.0}, several=False)) == values[-1]


@given(numbers)
def test_folds_count_by_their_mean(values: list[float]) -> None:
    assert tally(values).value(aggregate_of(LOSS, {"fold": 1.0}, several=False)) == sum(values) / len(values)


def test_a_recipe_that_failed_once_may_be_tried_again_and_twice_never() -> None:
    with open_ledger(open_store(":memory:")) as session:
        ledger = ledger_of(session)
        first = start(ledger, 1)
        assert first.key in ledger.tried()
        ledger.end(first, "failed", "bad luck")
        assert first.key not in ledger.tried()
        second = start(ledger, 1)
        assert second.retry_of == 0
        assert ledger.spent(0.0).trials == 1
        ledger.end(second, "failed", "bad luck")
        assert first.key in ledger.tried()


def test_a_finite_space_is_exhausted_when_every_recipe_stands_or_failed_twice() -> None:
    store = open_store(":memory:")
    with open_ledger(store) as session:
        ledger = ledger_of(session)
        for x in (1, 2):
            entry = start(ledger, x)
            ledger.point(entry, 1, (0.5,), {"loss": 0.5})
            ledger.end(entry, "complete")
        assert not ledger.only_retries()
        ledger.end(start(ledger, 3), "failed", "bad luck")
        assert ledger.only_retries()
        assert not ledger.exhausted()
        ledger.end(start(ledger, 3), "failed", "bad luck")
        assert ledger.exhausted()
        session.commit()
    with open_ledger(store) as session:
        assert ledger_of(session).exhausted()
        assert ledger_of(session).spent(0.0).trials == 3


def test_an_infinite_space_is_never_exhausted() -> None:
    space = Space((Parameter("x", Float(0.0, 1.0)),))
    with open_ledger(open_store(":memory:")) as session:
        assert not ledger_of(session, space=space).exhausted()


@pytest.mark.parametrize(
    "goals",
    [
        (LOSS,),
        (Goal("loss", "minimize", "mean"),),
        (LOSS, Goal("accuracy", "maximize", "best")),
        (Goal("loss", "minimize", "mean"), Goal("accuracy", "maximize")),
    ],
)
@given(losses=st.lists(st.floats(-10, 10), min_size=1, max_size=6), state=st.sampled_from(["running", "paused"]))
def test_what_is_read_back_is_what_was_known(goals: tuple[Goal, ...], losses: list[float], state: Any) -> None:
    store = open_store(":memory:")
    with open_ledger(store, goals) as session:
        ledger = ledger_of(session, goals)
        entry = start(ledger, 2)
        for step, loss in enumerate(losses, start=1):
            metrics = {"loss": loss, "accuracy": -loss, "fold": step} if len(losses) > 3 else {"loss": loss}
            values = tuple({"loss": loss, "accuracy": -loss}[goal.metric] for goal in goals)
            ledger.point(entry, step, values, metrics)
        ledger.move(entry, state)
        session.commit()
    with open_ledger(store, goals) as session:
        again = ledger_of(session, goals)[0]
        assert again.values == entry.values
        known = {"state", "curve", "point", "recipe", "key", "tallies"} | ({"metrics"} if len(goals) == 1 else set())
        assert {name: getattr(again, name) for name in known} == {name: getattr(entry, name) for name in known}


@given(costs=st.lists(st.floats(0.0, 0.003), min_size=1, max_size=12), state=st.sampled_from(["running", "paused"]))
def test_what_the_points_cost_is_stored_to_the_millisecond_and_policies_see_what_is_stored(
    costs: list[float], state: Any
) -> None:
    store = open_store(":memory:")
    with open_ledger(store) as session:
        ledger = ledger_of(session)
        entry = start(ledger, 2)
        for step, seconds in enumerate(costs, start=1):
            ledger.point(entry, step, (0.5,), {"loss": 0.5}, seconds)
        ledger.move(entry, state)
        seen = ledger.views[0].seconds
        session.commit()
    with open_ledger(store) as session:
        assert ledger_of(session).views[0].seconds == seen
    assert seen == pytest.approx(sum(costs), abs=1.1e-3 if state == "running" else 1e-4)
