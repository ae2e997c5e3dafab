"""A guess of good values: the first trial starts there, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import mean
from typing import Any

import optuna
import pytest

from hpo.search import studyfile
from hpo.search.describe.live import live
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.report.study import report
from hpo.search.store import Store, open_store
from hpo.search.terms import registry

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPACE: dict[str, Any] = {
    "x": {"float": [0.0, 1.0]},
    "rate": {"float": [1e-4, 1e-1], "log": True},
    "kind": {"choice": ["a", "b"]},
    "momentum": {"float": [0.0, 0.9], "when": {"kind": "a"}},
}
STEPS = {"x": {"float": [0.0, 1.0], "step": 0.25}, "kind": {"choice": ["a", "b"]}}
SAMPLERS = tuple(name for name in registry.names("sampler") if name not in ("grid", "warmup"))


def level(point: Mapping[str, Any]) -> float:
    bonus = 0.1 * (point["kind"] != "b")
    return (point["x"] - 0.3) ** 2 + 0.1 * abs(math.log10(point["rate"]) + 2) + bonus


def train(
    *, x: float = 0.0, rate: float = 1e-3, kind: str = "a", momentum: float = 0.0, epochs: int = 6
) -> Iterator[float]:
    for epoch in range(1, epochs + 1):
        yield level({"x": x, "rate": rate, "kind": kind}) + 1 / epoch


class Notes(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def store() -> Store:
    return open_store(":memory:")


def run(store: Store, name: str, trials: int, **keys: Any) -> list[str]:
    """Run a study; what was said."""
    plain = {
        "name": name, "objective": live(train), "goal": "minimize loss", "search": SPACE, "budget": {"trials": trials},
        "confirm": "none", **keys,
    }  # fmt: skip
    notes = Notes()
    engine.run(studyfile.read(plain), store=store, progress=notes)
    return notes.said


def points(store: Store, name: str) -> list[dict[str, Any]]:
    return [dict(trial.point) for trial in report(store, name).trials]


@pytest.mark.parametrize("sampler", [*SAMPLERS, "freeze-thaw", {"freeze-thaw": {"of": "random"}}], ids=str)
def test_the_first_trial_starts_at_the_prior_and_the_sampler_draws_the_rest(store: Store, sampler: Any) -> None:
    run(store, "s", 3, sampler=sampler, prior={"rate": 0.003, "kind": "a"})
    first, second = points(store, "s")[:2]
    assert (first["rate"], first["kind"]) == (0.003, "a")
    assert 0 < first["x"] < 1
    assert first.keys() == SPACE.keys()
    assert second["rate"] != 0.003


def test_a_grid_begins_with_the_prior_and_still_tries_everything_once(store: Store) -> None:
    run(store, "s", 10, search=STEPS, sampler="grid", prior={"x": 0.75, "kind": "b"})
    tried = points(store, "s")
    assert tried[0] == {"x": 0.75, "kind": "b"}
    assert len({tuple(point.values()) for point in tried}) == 10


def test_a_guess_for_a_knob_that_does_not_vary_there_waits_for_its_condition(store: Store) -> None:
    found = {}
    for seed in range(6):
        run(store, f"s{seed}", 1, seed=seed, prior={"momentum": 0.5}, sampler="random")
        (point,) = points(store, f"s{seed}")
        found[point["kind"]] = point.get("momentum")
    assert found == {"a": 0.5, "b": None}


def test_a_prior_given_later_is_noted_and_tried_next_unless_it_was_tried(store: Store) -> None:
    run(store, "s", 3, search=STEPS)
    tried = points(store, "s")
    assert run(store, "s", 3, search=STEPS) == []
    new = next({"x": x, "kind": k} for x in (0.0, 0.5, 1.0) for k in "ab" if {"x": x, "kind": k} not in tried)
    said = run(store, "s", 4, search=STEPS, prior=new)
    assert said == [f"prior: none before, x {new['x']}, kind {new['kind']} from now on"]
    assert points(store, "s")[3] == new
    run(store, "s", 6, search=STEPS, prior=tried[0])
    assert points(store, "s").count(tried[0]) == 1


def test_a_good_prior_helps_from_the_first_trial_on_and_a_bad_one_is_outweighed() -> None:
    priors = {"none": {}, "good": {"x": 0.35, "rate": 0.008, "kind": "b"}, "bad": {"x": 1.0, "rate": 1e-4, "kind": "a"}}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in priors}
    for seed in range(8):
        store = open_store(":memory:")
        for name, prior in priors.items():
            run(store, name, 30, seed=seed, prior=prior)
            reached = [level(point) for point in points(store, name)]
            found[name].append((min(reached[:5]), min(reached)))
    early, late = ({name: mean(pair[i] for pair in pairs) for name, pairs in found.items()} for i in (0, 1))
    assert early["good"] < 0.2 * early["none"]
    assert max(late.values()) < 0.25 * early["none"]


def test_check_says_what_is_known_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    from hpo.search.cli import main

    flags = ["--prior", "{learning_rate: 0.003, batch_size: 64}", "--warm-start", "[one, two]"]
    assert main(["check", "lr-batch", *flags]) == 0
    shown = capsys.readouterr().out
    assert "  prior    learning_rate 0.003, batch_size 64\n" in shown
    assert "  warm     start from one, two\n" in shown


def test_python_takes_them_as_keywords() -> None:
    import hpo

    def bowl(*, x: float = 0.0) -> float:
        return (x - 2) ** 2

    found = hpo.run(
        bowl, search={"x": {"float": [0, 4]}}, goal="minimize value", trials=2, confirm="none", storage=":memory:",
        prior={"x": 2},
    )  # fmt: skip
    assert found.recipe["x"] == 2.0
