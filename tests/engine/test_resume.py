"""A search interrupted at any moment and run again is the search that was never interrupted."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial

from hpo.search import studyfile
from hpo.search.describe.live import live
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.store import Store, open_store

optuna.logging.set_verbosity(optuna.logging.WARNING)

CONTINUOUS = {"x": {"float": [0.0, 1.0]}, "rate": {"float": [1e-4, 1e-1], "log": True}}
MIXED = {
    **CONTINUOUS,
    "kind": {"choice": ["a", "b", "bad"]},
    "momentum": {"float": [0.0, 0.9], "when": {"kind": "a"}},
}
GRID = {"x": {"float": [0.0, 0.8], "step": 0.2}, "kind": {"choice": ["a", "b", "bad"]}}
TIMES = ("seconds", "train_seconds", "attempts", "note")


def train(
    *, x: float = 0.0, rate: float = 1e-3, kind: str = "a", momentum: float = 0.0, epochs: int = 9, seed: int = 0
) -> Iterator[dict[str, float]]:
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        if kind == "bad" and epoch == 2:
            raise ValueError("no luck")
        loss = (x - 0.3) ** 2 + 0.1 * abs(math.log10(rate) + 2) + 0.1 * momentum + 1 / epoch
        yield {"loss": loss + rng.gauss(0, 0.05), "size": x * epoch + rng.random()}


def folds(*, x: float = 0.0, rate: float = 1e-3, seed: int = 0) -> Iterator[dict[str, float]]:
    rng = random.Random(seed)
    for fold in range(5):
        yield {"loss": (x - 0.3) ** 2 + rng.gauss(0, 0.1), "fold": fold}


def plain(*, x: float = 0.0, rate: float = 1e-3, seed: int = 0) -> float:
    return (x - 0.3) ** 2 + random.Random(seed).gauss(0, 0.1)


class Killed(BaseException):
    """What a SIGKILL is to the process it happens to: nothing more is recorded."""


class Assassin(Progress):
    """Kills after so many things have happened, in the middle of recording the last."""

    def __init__(self, after: float) -> None:
        self.left = after

    def _happen(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def started(self, entry: Entry) -> None:
        self._happen()

    def moved(self, entry: Entry) -> None:
        self._happen()

    def ended(self, entry: Entry) -> None:
        self._happen()


def study(objective: Any, **settings: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "study", "objective": live(objective), "goal": "minimize loss", "search": CONTINUOUS, "seed": 5,
        "budget": {"trials": 22}, "confirm": {"top": 2, "seeds": 2},
    }  # fmt: skip
    return {key: value for key, value in {**base, **settings}.items() if value is not None}


def run(settings: dict[str, Any], store: Store, after: float = math.inf) -> bool:
    """Run, or go on; False when killed on the way."""
    try:
        engine.run(studyfile.read(settings, []), store=store, progress=Assassin(after))
    except Killed:
        return False
    return True


def facts(store: Store) -> dict[str, Any]:
    """Everything that an interruption must not change."""
    found: dict[str, Any] = {}
    for name in store.names():
        snapshot = store.read(name)
        assert snapshot is not None
        attrs = {key: value for key, value in snapshot.user_attrs.items() if key not in TIMES}
        found[name] = attrs, [_trial(trial) for trial in snapshot.trials]
    return found


def _trial(trial: FrozenTrial) -> Any:
    attrs = {key: value for key, value in trial.user_attrs.items() if key not in TIMES}
    paused = trial.system_attrs.get("paused", False)
    return trial.number, trial.state.name, trial.params, trial.values, trial.intermediate_values, attrs, paused


SUITES: dict[str, Any] = {
    "objective": "mlp", "data": "iris", "goal": "minimize val_loss", "fixed": {"epochs": 5},
    "search": {"learning_rate": {"float": [1e-3, 1e-1], "log": True}},
}  # fmt: skip
STUDIES: dict[str, dict[str, Any]] = {
    "random": study(train, search=MIXED, sampler="random"),
    "tpe": study(train, search=MIXED, sampler="tpe"),
    "qmc, median": study(train, sampler="qmc", pruner="median"),
    "cmaes, percentile": study(train, sampler="cmaes", pruner={"percentile": {"percentile": 40.0}}),
    "grid": study(train, search=GRID, sampler="grid", budget=None),
    "hyperband": study(train, search=MIXED, pruner="hyperband"),
    "patient": study(train, pruner={"patient": {"of": "median", "patience": 1}}),
    "threshold": study(train, pruner={"threshold": {"upper": 1.2}}),
    "learning-curve": study(train, pruner="learning-curve"),
    "wilcoxon": study(folds, pruner="wilcoxon"),
    "one point": study(plain, goal="minimize value"),
    "several goals": study(train, goal=["minimize loss", "maximize size"], sampler="nsga2"),
    "best of several goals": study(train, goal=["minimize best loss", "maximize mean size"], sampler="tpe"),
    "pruned by one of several": study(
        train, goal=["minimize loss", "maximize size"], pruner={"median": {"goal": "loss"}}, sampler="random"
    ),
    "steps": study(train, budget={"steps": 90}),
    "target": study(train, budget={"trials": 40, "target": 0.12}),
    "freeze-thaw": study(train, sampler="freeze-thaw", budget={"steps": 90}),
    "freeze-thaw by trials": study(train, sampler="freeze-thaw", budget={"trials": 14}),
    "freeze-thaw, few held": study(
        train, sampler="freeze-thaw", budget={"steps": 60, "trials": 12}, executor={"inline": {"paused": 2}}
    ),
    "gp": study(train, sampler="gp", budget={"trials": 13}),
    "cohort": {**study(train), **SUITES, "executor": {"cohort": {"lanes": 4}}},
    "cohort, freeze-thaw on disk": {
        **study(train, sampler="freeze-thaw", budget={"steps": 50}),
        **SUITES,
        "executor": {"cohort": {"lanes": 3, "paused_memory": 0}},
    },
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_search_killed_anywhere_and_run_again_is_the_uninterrupted_one(name: str) -> None:
    settings = STUDIES[name]
    whole = open_store(":memory:")
    assert run(settings, whole)
    expected = facts(whole)
    rng = random.Random(name)
    killed, count = open_store(":memory:"), 0
    while not run(settings, killed, rng.randint(3, 9 if name == "one point" else 40)):
        count += 1
    assert count > 2
    assert facts(killed) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "hyperband", "several goals", "freeze-thaw", "grid"])
def test_there_is_no_moment_at_which_a_kill_changes_the_search(name: str) -> None:
    settings = STUDIES[name]
    whole = open_store(":memory:")
    assert run(settings, whole)
    expected = facts(whole)
    after = 0
    while True:
        store = open_store(":memory:")
        if run(settings, store, after):
            break
        assert run(settings, store)
        assert facts(store) == expected, f"killed at event {after}"
        after += 1


@pytest.mark.parametrize("place", ["study.db", "study.journal"])
def test_a_search_killed_anywhere_goes_on_from_a_file(tmp_path: Path, place: str) -> None:
    settings = STUDIES["tpe"]
    whole = open_store(":memory:")
    assert run(settings, whole)
    rng = random.Random(place)
    while not run(settings, open_store(tmp_path / place), rng.randint(5, 60)):
        pass
    assert facts(open_store(tmp_path / place)) == facts(whole)


def test_the_same_command_again_finishes_at_once_and_changes_nothing() -> None:
    store = open_store(":memory:")
    assert run(STUDIES["tpe"], store)
    before = facts(store)
    assert run(STUDIES["tpe"], store, after=0)
    assert facts(store) == before


def test_a_study_run_in_parts_is_the_one_run_at_once() -> None:
    whole, parts = open_store(":memory:"), open_store(":memory:")
    assert run(study(train, search=MIXED, confirm="none"), whole)
    for trials in (1, 2, 9, 22):
        assert run(study(train, search=MIXED, confirm="none", budget={"trials": trials}), parts)
    assert facts(parts)["study"][1] == facts(whole)["study"][1]


def test_trials_interrupted_under_several_workers_are_taken_up_by_one() -> None:
    settings = study(train, search={"x": {"float": [0.0, 1.0]}}, pruner="none", budget={"trials": 5})
    store = open_store(":memory:")
    with store.session("study", ["minimize"]) as session:
        storage = session.study._storage
        for number in range(4):
            storage.create_new_trial(0)
            storage.set_trial_param(number, "x", number / 4, FloatDistribution(0.0, 1.0))
            for step in range(1, 4):
                storage.set_trial_intermediate_value(number, step, 5.0 + number)
        session.commit()
    assert run(settings, store)
    snapshot = store.read("study")
    assert snapshot is not None
    assert [trial.state.name for trial in snapshot.trials] == ["COMPLETE"] * 5
    assert [list(trial.intermediate_values) for trial in snapshot.trials] == [list(range(1, 10))] * 5
    assert [trial.intermediate_values[3] for trial in snapshot.trials[:4]] == [5.0, 6.0, 7.0, 8.0]
