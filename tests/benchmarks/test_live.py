"""What live.py scores: whom a search hands over when, and how winners are compared."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

ROWS = [(0, 0.9, 1.0), (1, 0.5, 2.0), (0, 0.4, 3.0), (1, 0.3, 4.0), (2, 0.1, 5.0), (0, 0.35, 6.0)]
"""Points of three trials, one a second."""


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import live_search

    return live_search


@pytest.fixture
def summaries(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import live_summary

    return live_summary


def search(searches: ModuleType, kind: str = "epochs", amount: float = 6, **more: Any) -> Any:
    return searches.Search(kind, amount, rows=list(ROWS), points={0: {}, 1: {}, 2: {}}, **more)


def test_a_share_of_epochs_is_so_many_points(searches: ModuleType) -> None:
    assert [search(searches).until(share) for share in (1 / 6, 1 / 2, 1)] == [1, 3, 6]


def test_a_share_of_seconds_holds_the_points_that_came_in_time(searches: ModuleType) -> None:
    assert [search(searches, "cpu", 5.5).until(share) for share in (0.1, 1 / 2, 1)] == [0, 2, 5]


def test_a_share_of_trials_ends_where_the_next_trial_begins(searches: ModuleType) -> None:
    assert [search(searches, "trials", 3).until(share) for share in (1 / 3, 2 / 3, 1)] == [1, 4, 6]


def test_the_suite_hands_over_the_lowest_trial_and_a_script_the_lowest_complete_one(searches: ModuleType) -> None:
    found = search(searches, complete={0, 1})
    assert [found.incumbent(count, complete_only=False) for count in (0, 1, 3, 6)] == [None, 0, 0, 2]
    assert [found.incumbent(count, complete_only=True) for count in (4, 6)] == [1, 1]


def test_a_script_takes_what_it_saw_lowest_where_no_trial_is_complete_yet(searches: ModuleType) -> None:
    assert search(searches, complete={0}).incumbent(5, complete_only=True) == 2


def test_a_failed_trial_is_not_handed_over(searches: ModuleType) -> None:
    assert search(searches, failed={2}).incumbent(6, complete_only=False) == 1


def test_a_search_that_was_kept_is_read_back_whole(searches: ModuleType, tmp_path: Path) -> None:
    found = search(searches, complete={0}, failed={2})
    found.write(tmp_path / "search.json")
    read = searches.Search.read(tmp_path / "search.json")
    assert [tuple(row) for row in read.rows] == ROWS
    assert (read.points, read.complete, read.failed) == (found.points, found.complete, found.failed)


def test_winners_are_compared_over_the_seeds_that_both_have(summaries: ModuleType) -> None:
    none, other = summaries.NONE, "optuna tuned"
    worth = {
        none: np.array([[4.0, 4, 2, 2], [8.0, 8, 4, 4]]),
        other: np.array([[np.inf, 4, 2, 1], [np.nan] * 4]),
    }
    used = {m: {kind: np.tile([1.0, 2, 3, 6], (2, 1)) for kind in ("epochs", "cpu", "trials")} for m in worth}
    scores = summaries.Scores("study", "epochs", 6, worth, worth, worth, used)
    assert scores.worse(other, none)[:, 1:].tolist() == [[np.log(2), 0.0, -np.log(2)]]
    assert scores.needed(other, none) == {"epochs": 3.0, "cpu": 3.0, "trials": 3.0}
    assert scores.needed(none, other) is None
    row = scores.rows()[0]
    assert (row["method"], row["seeds"], row["at 1/6"]) == (other, 1, None), "it had nothing to hand over by then"
