"""SIGKILL at random moments: the command or one of its workers dies, the same command goes on, nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing import Campaign, check, check_fresh_runs, left_alone
from optuna.trial import FrozenTrial
from stores import fresh_database

GRID = {"x": {"float": [0.0, 0.95], "step": 0.05}, "kind": {"choice": ["a", "b", "bad"]}}
WAYS: dict[str, dict[str, Any]] = {
    "inline": {"sampler": "tpe", "executor": "inline"},
    "processes": {"sampler": "random", "pruner": "none", "executor": {"processes": {"workers": 2}}},
    "freeze-thaw": {"sampler": "freeze-thaw", "executor": {"inline": {"paused": 3}}, "budget": {"steps": 90}},
    "grid": {
        "search": GRID, "sampler": "grid", "pruner": "none", "executor": {"processes": {"workers": 2}}, "budget": None,
    },
}  # fmt: skip


def check_grid(killed: Campaign, whole: Campaign) -> None:
    """Which points of a grid are retried, and when, depends on who was first: each is there, a bad one twice."""
    points = Counter(_point(trial) for trial in killed.trials_of("killed"))
    assert all(trial.state.is_finished() for trial in killed.trials_of("killed"))
    assert set(points) == {_point(trial) for trial in whole.trials_of("killed")}
    assert all(count == (2 if '"bad"' in point else 1) for point, count in points.items())
    assert len(points) == 60
    check_fresh_runs(killed)


def _point(trial: FrozenTrial) -> str:
    return json.dumps(trial.params, sort_keys=True)


def campaign(
    folder: Path, way: str, place: Callable[[str], str], *, kills: int, pause: float, **settings: Any
) -> Campaign:
    """Compare a study killed so often with one left alone."""
    forked = kills > 1  # a single one is of fresh processes, as users start them
    killed = Campaign(folder / "killed", {**WAYS[way], **settings}, place("killed"), pause, forked=forked)
    whole = left_alone(killed, place)
    killed.kill_until_done(kills)
    (check_grid if way == "grid" else check)(killed, whole)
    return killed


@pytest.mark.parametrize(
    ("way", "storage", "kills"), [("inline", "s.db", 1), ("processes", "s.journal", 3), ("freeze-thaw", "s.db", 3)]
)
def test_a_study_killed_a_few_times_ends_as_one_left_alone(tmp_path: Path, way: str, storage: str, kills: int) -> None:
    assert campaign(tmp_path, way, lambda name: storage, kills=kills, pause=0.02).kills.total()


LONGER: dict[str, dict[str, Any]] = {
    "inline": {"budget": {"trials": 400}},
    "processes": {"budget": {"trials": 200}},
    "freeze-thaw": {"budget": {"steps": 400}},
    "grid": {"fixed": {"epochs": 60}},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("storage", ["s.db", "s.journal", pytest.param("", marks=pytest.mark.postgres, id="postgres")])
def test_a_study_killed_fifty_times_ends_as_one_left_alone(
    tmp_path: Path, way: str, storage: str, request: pytest.FixtureRequest
) -> None:
    def place(name: str) -> str:
        found: str = storage or fresh_database(request.getfixturevalue("cluster"))
        return found

    killed = campaign(tmp_path, way, place, kills=50, pause=0.03, **LONGER[way])
    print(f"{way} on {storage or 'postgres'}: killed {dict(killed.kills)}, in the middle of {dict(killed.hits())}")
    assert killed.hits()["search"] >= 42
