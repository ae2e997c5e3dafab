"""Earlier studies as evidence: what is taken of them, what comes of it, and that it stays what it was."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import pytest

from hpo.search import studyfile
from hpo.search.describe.live import live
from hpo.search.engine import run as engine
from hpo.search.engine import warmstart
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.report.study import report
from hpo.search.store import Store, open_store
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)

RATE = {"float": [1e-4, 1e-1], "log": True}
SPACE: dict[str, Any] = {
    "x": {"float": [0.0, 1.0]},
    "rate": RATE,
    "kind": {"choice": ["a", "b"]},
    "momentum": {"float": [0.0, 0.9], "when": {"kind": "a"}},
}
SAMPLERS = tuple(name for name in registry.names("sampler") if name not in ("grid", "warmup"))
MODELS = ("tpe", "freeze-thaw")


def level(point: Mapping[str, Any], best: float = 0.3) -> float:
    rate, bonus = abs(math.log10(point.get("rate", 1e-3)) + 2), 0.1 * (point.get("kind", "a") != "b")
    return (point.get("x", 0.0) - best) ** 2 + 0.1 * rate + bonus


def train(
    *, x: float = 0.0, rate: float = 1e-3, kind: str = "a", momentum: float = 0.0, epochs: int = 6, seed: int = 0
) -> Iterator[dict[str, float]]:
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        yield {"loss": level({"x": x, "rate": rate, "kind": kind}) + 1 / epoch + rng.gauss(0, 0.01), "size": x}


def reversed_task(*, x: float = 0.0, rate: float = 1e-3, kind: str = "a", momentum: float = 0.0) -> float:
    return -level({"x": x, "rate": rate, "kind": kind})


class Notes(Progress):
    """Keeps what is said; may kill the search after so many points."""

    def __init__(self, points: float = math.inf) -> None:
        self.said: list[str] = []
        self.left = points

    def say(self, message: str) -> None:
        self.said.append(message)

    def moved(self, entry: Entry) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "studies.db")


def run(
    store: Store, name: str, trials: int = 12, points: float = math.inf, objective: Any = train, **keys: Any
) -> Notes:
    fresh = keys.pop("fresh", False)
    budget = {"steps": 6 * trials} if "freeze-thaw" in str(keys.get("sampler")) else {"trials": trials}
    plain = {
        "name": name, "objective": live(objective), "goal": "minimize loss", "search": SPACE, "budget": budget,
        "confirm": "none", **keys,
    }  # fmt: skip
    notes = Notes(points)
    engine.run(studyfile.read(plain), store=store, progress=notes, fresh=fresh)
    return notes


def points(store: Store, name: str) -> list[dict[str, Any]]:
    return [dict(trial.point) for trial in report(store, name).trials]


def curves(store: Store, name: str) -> list[Any]:
    return [(trial.point, trial.curve, trial.state) for trial in report(store, name).trials]


def regret(store: Store, name: str, after: int) -> float:
    return min(level(point) for point in points(store, name)[:after])


@pytest.mark.parametrize("sampler", [*SAMPLERS, {"freeze-thaw": {"of": "random"}}], ids=str)
def test_the_best_recipes_of_an_earlier_study_are_tried_after_the_prior(store: Store, sampler: Any) -> None:
    run(store, "old", 20, pruner="none")
    best = [dict(trial.point) for trial in report(store, "old").ranked()[:3]]
    said = run(store, "new", 6, sampler=sampler, prior={"x": 0.5}, warm_start="old", seed=7).said
    found = points(store, "new")
    assert found[0]["x"] == 0.5
    assert found[1:4] == best
    assert found[4] not in best
    assert said == ["warm start: 20 of 20 trials of 'old' lie in this space and count as evidence"]


def test_the_confirmed_recipes_come_before_those_that_only_looked_better(store: Store) -> None:
    run(store, "old", 20, confirm={"top": 3, "seeds": 2})
    winner = report(store, "old").winner
    assert winner is not None
    run(store, "new", 3, warm_start="old")
    assert points(store, "new") == [candidate.point for candidate in winner.candidates]


def test_several_studies_take_turns_and_agree_on_what_they_share(store: Store) -> None:
    run(store, "one", 12, seed=1, pruner="none")
    run(store, "two", 12, seed=2, pruner="none")
    run(store, "three", 3, seed=3, warm_start="one")
    one, two = ([dict(trial.point) for trial in report(store, name).ranked()[:3]] for name in ("one", "two"))
    run(store, "new", 6, warm_start=["one", "two"])
    assert points(store, "new") == [one[0], two[0], one[1], two[1], one[2], two[2]]
    run(store, "newer", 6, warm_start=["one", "three"])
    found = points(store, "newer")
    assert all(found.count(point) == 1 for point in one)


def test_a_pareto_front_is_tried_from_end_to_end(store: Store) -> None:
    goals = ["minimize loss", "minimize size"]
    run(store, "old", 25, goal=goals)
    front = [dict(trial.point) for trial in report(store, "old").front()]
    assert len(front) > 3
    run(store, "new", 3, goal=goals, warm_start="old")
    found = points(store, "new")
    assert (found[0], found[-1]) == (front[0], front[-1])
    assert found[1] in front


def test_freeze_thaw_sees_the_earlier_trials_and_tries_their_best_recipe_first(store: Store) -> None:
    run(store, "old", 20)
    run(store, "new", 4, sampler="freeze-thaw", warm_start="old")
    best = report(store, "old").ranked()[0].point
    first = points(store, "new")[0]
    assert first == pytest.approx({**best})


@pytest.mark.parametrize(
    ("changes", "fixed", "counts"),
    [
        ({}, {}, lambda point: True),
        ({}, {"epochs": 4}, lambda point: True),  # not searched there, so the trials may have another number of them
        ({"x": {"float": [0.0, 0.5]}}, {}, lambda point: point["x"] <= 0.5),
        ({"epochs": {"int": [2, 9]}}, {}, lambda point: True),  # there it had its default, 6
        ({"epochs": {"int": [7, 9]}}, {}, lambda point: False),
        ({"kind": None, "momentum": None}, {"kind": "b"}, lambda point: point["kind"] == "b"),
        ({"kind": None, "momentum": None}, {}, lambda point: False),  # kind is a by default, and momentum 0
    ],
)
def test_only_trials_that_the_study_could_have_run_count(
    store: Store, changes: dict[str, Any], fixed: dict[str, Any], counts: Callable[[Mapping[str, Any]], bool]
) -> None:
    run(store, "old", 12, sampler="random", seed=1)
    search = {name: domain for name, domain in {**SPACE, **changes}.items() if domain}
    (said,) = run(store, "new", 5, search=search, fixed=fixed, warm_start="old").said
    taken = sum(map(counts, points(store, "old")))
    if taken:
        assert said == f"warm start: {taken} of 12 trials of 'old' lie in this space and count as evidence"
    else:
        assert said == "warm start: none of the 12 trials of 'old' lies in this space, so nothing is taken from it"


def test_what_was_fixed_there_may_be_searched_here(store: Store) -> None:
    run(store, "old", 8, search={"x": SPACE["x"]}, fixed={"rate": 0.01, "kind": "b"})
    run(store, "new", 1, warm_start="old")
    best = report(store, "old").ranked()[0].point
    assert points(store, "new") == [{"x": best["x"], "rate": 0.01, "kind": "b"}]


def test_a_study_in_which_nothing_finished_is_noted(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(store, "old", points=3)
    said = run(store, "new", 2, warm_start="old").said
    assert said == ["warm start: nothing has finished in 'old', so nothing is taken from it"]
    run(store, "frozen", 2, warm_start="old", sampler="freeze-thaw")


def test_a_study_of_plain_optuna_will_do(store: Store) -> None:
    plain = optuna.create_study(storage=store.storage(), study_name="old")
    plain.optimize(lambda trial: level({"x": trial.suggest_float("x", 0, 1)}), n_trials=8)
    for sampler in MODELS:
        run(store, sampler, 2, search={"x": SPACE["x"]}, warm_start="old", sampler=sampler)
        assert points(store, sampler)[0] == pytest.approx(plain.best_params)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"warm_start": "odl"}, "warm_start: there is no study 'odl' in {place}: did you mean 'old'?"),
        ({"warm_start": ["old", "ld"]}, "warm_start: there is no study 'ld' in {place}: did you mean 'old'?"),
        (
            {"warm_start": "old", "goal": "maximize size"},
            "warm_start: 'old' has the goal minimize size, and 'new' has maximize size: only a study with the same "
            "goal says anything about this one",
        ),
        (
            {"warm_start": "old", "goal": ["minimize size", "minimize last loss"]},
            "warm_start: 'old' has the goal minimize size, and 'new' has minimize size, minimize last loss: only a "
            "study with the same goal says anything about this one",
        ),
    ],
)
def test_a_warm_start_that_cannot_be_is_refused_and_nothing_is_written(
    store: Store, keys: dict[str, Any], message: str
) -> None:
    run(store, "old", 2, goal="minimize size")
    with pytest.raises(UserError) as caught:
        run(store, "new", **keys)
    assert str(caught.value) == message.format(place=store.display)
    assert store.names() == ["old"]


def test_a_warm_start_in_an_empty_store_is_refused_and_makes_no_file(tmp_path: Path) -> None:
    store = open_store(tmp_path / "empty.db")
    with pytest.raises(UserError, match=r"there is no study 'old' in .*: it holds no other study$"):
        run(store, "new", warm_start="old")
    assert not list(tmp_path.iterdir())


def test_a_misspelt_warm_start_does_not_cost_the_study_that_was_to_start_over(store: Store) -> None:
    run(store, "old", 2)
    run(store, "new", 2)
    with pytest.raises(UserError, match="did you mean 'old'"):
        run(store, "new", 2, fresh=True, warm_start="oold")
    assert len(points(store, "new")) == 2


def test_the_same_task_helps_from_the_first_trial_on_and_the_reversed_one_is_outweighed() -> None:
    found: dict[str, list[tuple[float, float]]] = {"none": [], "same": [], "reversed": []}
    for seed in range(8):
        store = open_store(":memory:")
        run(store, "same", 30, seed=1000 + seed)
        run(store, "reversed", 30, seed=2000 + seed, objective=reversed_task)
        for name in found:
            run(store, f"from {name}", 30, seed=seed, warm_start=[] if name == "none" else name)
            found[name].append((regret(store, f"from {name}", 5), regret(store, f"from {name}", 30)))
    early, late = ({name: mean(pair[i] for pair in pairs) for name, pairs in found.items()} for i in (0, 1))
    assert early["same"] < 0.2 * early["none"]
    assert max(late.values()) < 0.25 * early["none"]


@pytest.mark.parametrize("sampler", MODELS)
@pytest.mark.parametrize("after", [0, 12])
def test_a_killed_study_goes_on_the_same_although_the_earlier_one_has_grown_or_gone(
    tmp_path: Path, sampler: str, after: int
) -> None:
    def studies(folder: str) -> Store:
        (tmp_path / folder).mkdir()
        store = open_store(tmp_path / folder / "studies.db")
        run(store, "old", 15, seed=1)
        return store

    keys: dict[str, Any] = {"sampler": sampler, "prior": {"x": 0.4}, "warm_start": "old"}
    whole, killed = studies("whole"), studies("killed")
    run(whole, "new", 10, **keys)
    with pytest.raises(KeyboardInterrupt):
        run(killed, "new", 10, points=after, **keys)
    run(killed, "old", 30, seed=1)
    with pytest.raises(KeyboardInterrupt):
        run(killed, "new", 10, points=3, **keys)
    killed.delete("old")
    assert run(killed, "new", 10, **keys).said == []
    assert curves(killed, "new") == curves(whole, "new")


def test_another_warm_start_is_noted_and_taken_anew(store: Store) -> None:
    run(store, "one", 6, seed=1)
    run(store, "two", 8, seed=2, pruner="none")
    run(store, "new", 5, warm_start="one")
    said = run(store, "new", 8, warm_start="two").said
    assert said == [
        "warm start: 8 of 8 trials of 'two' lie in this space and count as evidence",
        "warm_start: one 6 before, two 8 from now on",
    ]
    assert points(store, "new")[5:] == [dict(trial.point) for trial in report(store, "two").ranked()[:3]]
    assert run(store, "new", 9).said == ["warm_start: two 8 before, none from now on"]


def test_much_evidence_is_kept_in_part_and_the_best_is_in_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmstart, "_TRIALS", 20)

    def long(*, x: float = 0.0) -> Iterator[dict[str, float]]:
        for step in range(1, 101):
            yield {"loss": (x - 0.3) ** 2 + (step != 77)}

    keys: dict[str, Any] = {"objective": long, "search": {"x": SPACE["x"]}, "pruner": "none"}
    run(store, "old", 25, sampler="random", **keys)
    run(store, "new", 1, warm_start="old", **keys)
    snapshot = store.read("new")
    assert snapshot is not None
    kept = snapshot.system_attrs["evidence"]["earlier"]
    assert len(kept) == 20
    assert all(50 <= len(trial["curve"]) <= 51 for trial in kept)
    best = report(store, "old").ranked()[0]
    assert kept[0]["point"] == best.point
    assert [77, best.values[0]] in kept[0]["curve"]


def test_evidence_outside_of_a_space_that_was_narrowed_since_is_left_out(store: Store) -> None:
    run(store, "old", 20, search={"x": SPACE["x"]}, sampler="random")
    keys: dict[str, Any] = {"warm_start": "old", "prior": {"x": 0.2}, "name": "new", "objective": live(train)}
    wide = studyfile.read({**keys, "goal": "minimize loss", "search": {"x": {"float": [0.0, 1.0]}}})
    narrow = studyfile.read({**keys, "goal": "minimize loss", "search": {"x": {"float": [0.0, 0.29]}}})
    run(store, "new", 1, search={"x": SPACE["x"]}, warm_start="old", prior={"x": 0.2})
    with store.session("new", ("minimize",)) as session:
        whole, part = (warmstart.recall(study, session.study) for study in (wide, narrow))
    assert len(whole.earlier) == 20
    inside = [trial.point for trial in whole.earlier if trial.point["x"] <= 0.29]
    assert [trial.point for trial in part.earlier] == inside
    assert [trial.number for trial in part.earlier] == list(range(len(inside)))
    assert whole.starts[0] == part.starts[0] == part.start(0) == {"x": 0.2}
    assert {} in part.starts
    assert part.start(99) == {}


def test_what_was_known_is_shown(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hpo.search.cli import main

    run(store, "old", 6)
    run(store, "new", 2, prior={"rate": 0.003}, warm_start="old")
    main(["show", "new", "--storage", str(tmp_path / "studies.db")])
    assert "known before: the prior rate 0.003; 6 trials of 'old'\n" in capsys.readouterr().out
    snapshot = store.read("new")
    assert snapshot is not None
    note = "".join(str(text) for key, text in snapshot.system_attrs.items() if key.startswith("dashboard:note"))
    assert "known before" in note
