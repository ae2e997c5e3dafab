"""How much the best value seen flatters is told by fresh runs, and where there are none it is said to flatter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo
from hpo.search.report.flattery import flattery
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Trial
from hpo.search.terms.winner import Candidate, Winner


def noisy(*, x: float = 0.0, noise: float = 1.0, seed: int = 0) -> Iterator[dict[str, float]]:
    for epoch in range(5):
        yield {"loss": x + noise * ((seed + 31 * epoch) * 7919 % 101) / 101}


def searched(**options: Any) -> StudyReport:
    knobs = {"search": {"x": {"float": [0, 0.2]}}, "goal": "minimize loss", "trials": 12, "sampler": "random"}
    return hpo.run(noisy, **{**knobs, "pruner": "none", "storage": ":memory:", "progress": False, **options}).report


def made(seen: float, runs: tuple[float, ...], goal: str) -> StudyReport:
    """A study of two complete trials, the better of which has fresh runs."""
    other = seen - 1 if goal.startswith("max") else seen + 1
    trials = tuple(Trial(i, {}, ((1, value),), "complete", (value,)) for i, value in enumerate((seen, other)))
    mean = sum(runs) / len(runs)
    winner = Winner({}, (Candidate(0, {}, (seen,), tuple((run,) for run in runs), (mean,), None),))
    return StudyReport("s", "", (goal,), None, {}, 2, 1, 1.0, trials, winner, {})


def test_fresh_runs_of_the_best_trial_say_by_how_much() -> None:
    found = searched(confirm={"top": 2, "seeds": 3})
    best = found.ranked()[0]
    fresh = next(c for c in (found.winner.candidates if found.winner else ()) if c.trial == best.number)
    assert f"{best.values[0]:.4g} of trial {best.number}, flatters by" in flattery(found)
    assert flattery(found).endswith(f"its fresh runs come to {fresh.mean[0]:.4g}")


def test_without_fresh_runs_the_points_beside_the_best_one_are_named() -> None:
    found = searched(confirm=None)
    assert "may flatter, as the best of 12 runs (the points beside it have " in flattery(found)
    assert flattery(found).endswith("fresh runs tell by how much: --confirm")


def test_nothing_is_said_where_nothing_was_left_to_luck() -> None:
    assert flattery(searched(fixed={"noise": 0.0}, confirm={"top": 2, "seeds": 2})) == ""
    assert flattery(searched(trials=1, confirm=None)) == ""


def test_a_steady_fall_is_no_luck() -> None:
    def falling(*, x: float = 0.0) -> Iterator[dict[str, float]]:
        yield from ({"loss": x + 1 / step} for step in range(1, 6))

    found = hpo.run(
        falling, search={"x": {"float": [0, 1]}}, goal="minimize loss", trials=5, confirm=None, storage=":memory:",
        progress=False,
    ).report  # fmt: skip
    assert "beside" not in flattery(found)


@pytest.mark.parametrize("goal", ["minimize loss", "maximize score"])
@settings(max_examples=40, deadline=None)
@given(st.floats(-1e6, 1e6), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=4))
def test_a_value_flatters_exactly_where_its_fresh_runs_are_worse(goal: str, seen: float, runs: list[float]) -> None:
    found = made(seen, tuple(runs), goal)
    assert found.winner is not None
    mean, told = found.winner.first.mean[0], flattery(found)
    worse = mean < seen if goal.startswith("max") else mean > seen
    assert ("flatters by" in told) == worse
    assert told or all(run == seen for run in runs)
