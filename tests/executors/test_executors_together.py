"""Every executor with what stops and pauses trials: it stops them for stated reasons and spends the budget exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from executing import marks, ways
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import promises

import hpo
from hpo.search.studyfile.plugins import requires
from hpo.search.terms import registry
from hpo.search.terms.trial import Trial

EPOCHS = 12
WAYS = {str(plugin): plugin for name in registry.names("executor") for plugin in ways(name)}


def marked(chosen: Iterable[str], heavy: Callable[[str], bool] = lambda way: True) -> list[Any]:
    """Those with workers take seconds to start, those that import what the suite trains with most of all."""

    def own(way: str) -> list[Any]:
        slow = "workers" in WAYS[way].options and heavy(way)
        return [*([pytest.mark.slow] if slow else []), *marks(WAYS[way].name)]

    return [pytest.param(way, marks=own(way)) for way in chosen]


SLOW = marked(WAYS)
LIGHT = marked(WAYS, lambda way: "trained by suite" in requires("executor", WAYS[way].name))
IN_STEP = marked(way for way in WAYS if promises("executor", WAYS[way].name, "same study", WAYS[way].options))
"""A study does not depend on which trial was faster."""
FREEZE_THAW = {"sampler": "freeze-thaw", "budget": {"steps": 40}}

OBJECTIVE = """
import math, random

def train(*, learning_rate: float = 0.01, width: int = 8, epochs: int = 12, seed: int = 0):
    far, rng = abs(math.log10(learning_rate) + 2), random.Random(seed)
    for epoch in range(1, epochs + 1):
        yield {"val_loss": 0.3 * far + math.exp(-0.3 * epoch) + rng.gauss(0, 0.01)}
"""


Lightest = Callable[[str], dict[str, Any]]


@pytest.fixture
def own(tmp_path: Path) -> Lightest:
    """Settings for the lightest objective that an executor trains: its workers import what that needs."""
    (tmp_path / "model.py").write_text(OBJECTIVE)

    def lightest(way: str) -> dict[str, Any]:
        suite_only = "trained by suite" in requires("executor", WAYS[way].name)
        return {} if suite_only else {"objective": str(tmp_path / "model.py"), "data": None}

    return lightest


def search(way: Any, **changes: Any) -> list[Trial]:
    """Trials of a small study; half of its learning rates are hopeless."""
    settings = {
        "name": "together", "objective": "mlp", "data": "iris", "goal": "minimize val_loss", "sampler": "random",
        "search": {"learning_rate": {"float": [1e-6, 1e-1], "log": True}}, "fixed": {"epochs": EPOCHS, "width": 8},
        "budget": {"trials": 14}, "confirm": "none", "seed": 1, "executor": way, "storage": ":memory:", **changes,
    }  # fmt: skip
    given = {key: value for key, value in settings.items() if value is not None}
    return list(hpo.run(given).report.trials)


def plain(trials: list[Trial]) -> list[Any]:
    return [(trial.point, trial.state, trial.curve, trial.reason) for trial in trials]


def check_stops(trials: list[Trial]) -> list[Trial]:
    """Every trial has ended as it should; returns those that were stopped."""
    pruned = [trial for trial in trials if trial.state == "pruned"]
    complete = [trial for trial in trials if trial.state == "complete"]
    assert len(pruned) + len(complete) == len(trials) == 14
    assert len(pruned) > 2
    assert all(trial.reason and len(trial.curve) < EPOCHS for trial in pruned)
    assert all(len(trial.curve) == EPOCHS for trial in complete)
    return pruned


@pytest.mark.parametrize("way", LIGHT)
def test_learning_curve_says_what_it_expected_of_each_trial_it_stopped(way: str, own: Lightest) -> None:
    trials = search(WAYS[way].plain(), pruner="learning-curve", **own(way))
    best = min(value for trial in trials for _, value in trial.curve)
    for evidence in (trial.evidence for trial in check_stops(trials)):
        assert evidence["low"] <= evidence["predicted"] <= evidence["high"]
        assert evidence["probability"] < 0.05
        assert evidence["incumbent"] >= best
    assert best in [value for trial in trials if trial.state == "complete" for _, value in trial.curve]


@pytest.mark.parametrize("way", SLOW)
def test_a_ranking_pruner_says_why_it_stopped_a_trial(way: str) -> None:
    check_stops(search(WAYS[way].plain(), pruner="successive-halving"))


@pytest.mark.parametrize("way", IN_STEP)
@pytest.mark.parametrize("changes", [{"pruner": "learning-curve"}, FREEZE_THAW], ids=["learning-curve", "freeze-thaw"])
def test_lanes_that_move_in_step_give_the_same_trials_again(way: str, changes: dict[str, Any]) -> None:
    assert plain(search(WAYS[way].plain(), **changes)) == plain(search(WAYS[way].plain(), **changes))


BOTH: tuple[dict[str, Any], ...] = ({"pruner": "learning-curve"}, FREEZE_THAW)


@pytest.fixture(scope="module")
def inline() -> list[Any]:
    """The trials that one process trains, holding the paused ones."""
    return [plain(search("inline", **changes)) for changes in BOTH]


@pytest.mark.parametrize(
    "way",
    [
        {"inline": {"paused": 0}},
        {"cohort": {"lanes": 1}},
        {"cohort": {"lanes": 1, "paused_memory": 0}},
        pytest.param({"processes": {"workers": 1, "paused": 1}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_with_one_lane_it_makes_no_difference_who_trains_and_what_is_held(
    way: dict[str, Any], inline: list[Any]
) -> None:
    for changes, expected in zip(BOTH, inline, strict=True):
        assert plain(search(way, **changes)) == expected


@pytest.mark.parametrize("way", LIGHT)
def test_freeze_thaw_spends_its_steps_to_the_last_and_not_one_more(way: str, own: Lightest) -> None:
    trials = search(WAYS[way].plain(), sampler="freeze-thaw", budget={"steps": 57, "trials": 12}, **own(way))
    assert sum(len(trial.curve) for trial in trials) == 57
    assert len(trials) <= 12
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    assert all([step for step, _ in trial.curve] == list(range(1, len(trial.curve) + 1)) for trial in trials)


@settings(max_examples=8)
@given(steps=st.integers(1, 60), trials=st.integers(1, 15), lanes=st.integers(1, 4), memory=st.sampled_from([0, 512]))
def test_freeze_thaw_neither_starves_nor_exceeds_any_budget(steps: int, trials: int, lanes: int, memory: int) -> None:
    budget = {"steps": steps + EPOCHS, "trials": trials}
    found = search({"cohort": {"lanes": lanes, "paused_memory": memory}}, sampler="freeze-thaw", budget=budget)
    assert len(found) <= trials
    assert sum(len(trial.curve) for trial in found) == min(budget["steps"], trials * EPOCHS)
