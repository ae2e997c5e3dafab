"""How many lanes a search fills: by its budget, unless the study names them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search import studyfile
from hpo.search.cli import main
from hpo.search.describe.objective import describe
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.engine.lanes import Filled, abreast, complete_trials, filled
from hpo.search.engine.loop import Loop
from hpo.search.store import Store, open_store
from hpo.search.terms.budget import Budget

COUNTS = st.integers(1, 10_000)


def study_of(**changes: Any) -> Any:
    plain = {
        "name": "study", "objective": "mlp", "data": "iris", "goal": "minimize val_loss", "fixed": {"epochs": 4},
        "search": {"learning_rate": {"float": [1e-3, 1e-1], "log": True}}, "confirm": "none", "seed": 3,
    }  # fmt: skip
    return studyfile.read({**plain, **changes}, [])


def fill(**changes: Any) -> Filled:
    study = study_of(**changes)
    return filled(study, describe(study.objective, study.folder))


class Counting(Progress):
    """Notes the largest number of trials in training at a time, of the search and of the fresh runs."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.said: list[str] = []

    def opened(self, loop: Loop, phase: str) -> None:
        self._loop, self._phase = loop, phase

    def started(self, entry: Entry) -> None:
        self.most[self._phase] = max(self.most.get(self._phase, 0), len(self._loop._running))

    def say(self, message: str) -> None:
        self.said.append(message)


def run(store: Store, **changes: Any) -> Counting:
    seen = Counting()
    engine.run(study_of(**changes), store=store, progress=seen)
    return seen


@given(COUNTS, COUNTS, st.integers(1, 64), st.integers(1, 8))
def test_a_larger_budget_never_has_fewer_lanes_and_none_more_than_there_are(
    trials: int, further: int, lanes: int, workers: int
) -> None:
    most = lanes * workers
    few, many, unknown = (abreast(count, most, workers) for count in (trials, trials + further, None))
    assert workers <= few <= many <= unknown == most


@given(COUNTS, COUNTS, st.integers(1, 100), COUNTS)
def test_a_larger_budget_pays_for_no_fewer_complete_trials(steps: int, trials: int, points: int, more: int) -> None:
    paid = complete_trials(Budget(trials, steps), points)
    assert paid is not None
    assert 1 <= paid <= trials
    for larger in (Budget(trials + more, steps), Budget(trials, steps + more), Budget(trials), Budget(trials, steps)):
        assert (complete_trials(larger, points) or 0) >= paid


def test_the_budget_decides_where_nothing_else_is_said() -> None:
    assert fill(budget={"steps": 64}).limit == 4
    assert fill(budget={"trials": 8}).limit == 2
    assert fill(budget={"trials": 3}).limit == 1
    assert fill(budget={"trials": 64}).limit is None


def test_where_no_trial_learns_from_another_all_are_filled() -> None:
    blind = fill(budget={"trials": 8}, sampler="random", pruner="none")
    assert blind == Filled(None, 16, "no trial learns from another here")
    assert fill(budget={"trials": 8}, sampler="random").limit == fill(budget={"trials": 8}, pruner="none").limit == 2
    assert fill(budget={"trials": 8}, sampler="freeze-thaw").limit == 2


def test_minutes_alone_leave_the_lanes_full() -> None:
    assert fill(budget={"minutes": 5}) == Filled(
        None, 16, "how many trials the budget pays for is not known beforehand"
    )
    assert fill(budget={"minutes": 5, "trials": 8}).limit == 2


@pytest.mark.parametrize("lanes", [1, 5, 32])
def test_lanes_that_are_named_are_all_filled(lanes: int) -> None:
    assert fill(budget={"trials": 4}, executor={"cohort": {"lanes": lanes}}) == Filled(
        None, lanes, "the study names them"
    )


def test_every_worker_has_a_trial() -> None:
    assert fill(budget={"trials": 8}, workers=4).limit == 4
    assert fill(budget={"trials": 80}, workers=4) == Filled(
        20, 64, "the budget pays for 80 complete trials, in 4 turns, so that later ones learn from earlier ones"
    )


def test_executors_that_do_not_leave_it_to_the_suite_are_left_alone() -> None:
    assert fill(budget={"trials": 8}, executor="inline") == Filled()
    assert fill(budget={"trials": 8}, executor={"processes": {"workers": 2}}) == Filled()


def test_fresh_runs_fill_what_the_search_left_free() -> None:
    seen = run(open_store(":memory:"), budget={"trials": 8}, confirm={"top": 3, "seeds": 2})
    assert seen.most == {"search": 2, "confirm": 6}
    assert [line for line in seen.said if line.startswith("lanes: 2 of 16")]


def test_a_stored_study_keeps_its_number_until_another_is_named() -> None:
    store = open_store(":memory:")
    assert run(store, budget={"trials": 8}).most["search"] == 2
    assert run(store, budget={"trials": 24}).most["search"] == 2
    assert run(store, budget={"trials": 40}, executor={"cohort": {"lanes": 5}}).most["search"] == 5


def test_a_study_that_began_with_all_lanes_goes_on_with_all() -> None:
    store = open_store(":memory:")
    run(store, budget={"trials": 1}, executor={"cohort": {"lanes": 16}})
    assert run(store, budget={"trials": 12}).most["search"] == 11


def test_check_says_how_many_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        assert main(["check", "lr-batch", *words]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  lanes ")]
        return line.removeprefix("  lanes    ")

    assert (
        said("--steps", "320")
        == "4 of 16: 320 steps are 16 complete trials, in 4 turns, so that later ones learn from earlier ones"
    )
    assert said("--executor", "{cohort: {lanes: 8}}") == "8 of 8: the study names them"
