"""Budgets are totals over all runs of a study."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms.budget import Budget, Spent

LIMIT = st.none() | st.integers(1, 1000)
BUDGETS = st.builds(Budget, trials=LIMIT, steps=LIMIT, minutes=LIMIT)
SPENT = st.builds(Spent, trials=st.integers(0, 2000), steps=st.integers(0, 2000), seconds=st.floats(0, 1e5))


@given(BUDGETS, SPENT)
def test_the_whole_is_spent_exactly_when_nothing_may_start(budget: Budget, spent: Spent) -> None:
    may_start = budget.trials_left(spent) != 0 and budget.may_go_on(spent)
    assert (budget.fraction(spent) == 1.0) == (not may_start)
    assert 0.0 <= budget.fraction(spent) <= 1.0


def test_running_out_of_trials_stops_none_that_runs() -> None:
    assert Budget(trials=1).may_go_on(Spent(trials=1))
    assert not Budget(steps=5).may_go_on(Spent(steps=5))
    assert not Budget(minutes=1).may_go_on(Spent(seconds=60))


def test_no_limit_is_never_used_up() -> None:
    spent = Spent(10**9, 10**9, 1e12)
    assert Budget().may_go_on(spent)
    assert Budget().trials_left(spent) is Budget().steps_left(spent) is None
    assert Budget().fraction(Spent(10**9)) == 0.0


def test_a_target_is_reached_from_its_better_side() -> None:
    budget = Budget(target=0.5)
    assert not budget.reached(Spent(), maximize=True)
    assert budget.reached(Spent(best=0.5), maximize=True)
    assert budget.reached(Spent(best=0.5), maximize=False)
    assert not budget.reached(Spent(best=0.4), maximize=True)
    assert budget.reached(Spent(best=0.4), maximize=False)
    assert not Budget().reached(Spent(best=0.4), maximize=False)
