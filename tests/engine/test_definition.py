"""Running a study again: what carries over, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from hpo.search import studyfile
from hpo.search.describe.objective import describe
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.definition import compare, definition
from hpo.search.store import open_store
from hpo.search.terms.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)

MODEL = """
def train(*, x: float = 0.0, width: int = 1, kind: str = "a", momentum: float = 0.0, epochs: int = 3, seed: int = 0):
    for epoch in range(1, epochs + 1):
        yield {"loss": x + width * 0.01 + momentum + 1 / epoch, "other": x}
"""
SEARCH: dict[str, Any] = {
    "x": {"float": [0.2, 0.8]},
    "width": {"int": [4, 8]},
    "kind": {"choice": ["a", "b"]},
    "momentum": {"float": [0.0, 0.5], "when": {"kind": "a"}},
}


class Notes(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(params=["studies.db", "studies.journal"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "model.py").write_text(MODEL)
    return str(tmp_path / request.param)


def run(place: str, trials: int, *, fresh: bool = False, search: dict[str, Any] | None = None, **changes: Any) -> Any:
    plain = {
        "name": "study", "objective": str(Path(place).parent / "model.py"), "goal": "minimize loss", "storage": place,
        "search": search or SEARCH, "budget": {"trials": trials}, "confirm": "none", "seed": 2, **changes,
    }  # fmt: skip
    notes = Notes()
    engine.run(studyfile.read(plain, []), fresh=fresh, progress=notes)
    snapshot = open_store(place).read("study")
    assert snapshot is not None
    return snapshot.trials, notes.said


def changed(name: str, **domain: Any) -> dict[str, Any]:
    return {**SEARCH, name: domain}


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
@pytest.mark.parametrize(
    "search",
    [
        changed("x", float=[0.0, 1.0]),
        changed("width", int=[1, 64], log=True),
        changed("kind", choice=["b", "new", "a"]),
        {**SEARCH, "momentum": {"float": [0.0, 0.9], "when": {"kind": "a"}}},
    ],
)
def test_a_wider_space_carries_the_trials_over(place: str, search: dict[str, Any], sampler: str) -> None:
    old, _ = run(place, 12, sampler=sampler)
    new, _ = run(place, 20, search=search, sampler=sampler)
    assert len(new) == 20
    for before, after in zip(old, new, strict=False):
        assert (before.params, before.values, before.state) == (after.params, after.values, after.state)
        assert before.intermediate_values == after.intermediate_values
        assert before.user_attrs == after.user_attrs
        assert before.datetime_start == after.datetime_start


def test_carried_over_trials_are_read_by_plain_optuna(place: str) -> None:
    run(place, 8)
    new, _ = run(place, 12, search=changed("kind", choice=["b", "new", "a"]))
    study = optuna.load_study(
        study_name="study", storage=open_store(place).storage(), sampler=optuna.samplers.TPESampler(seed=0)
    )
    assert [trial.params for trial in study.trials] == [trial.params for trial in new]
    assert {trial.distributions["kind"].choices for trial in study.trials} == {("b", "new", "a")}
    study.ask({name: new[0].distributions[name] for name in ("x", "width", "kind")})


def test_a_wider_grid_tries_only_what_is_new(place: str) -> None:
    def grid(values: list[str]) -> dict[str, Any]:
        return {"kind": {"choice": values}, "width": {"int": [1, 3]}}

    run(place, 6, search=grid(["a", "b"]), sampler="grid")
    found, _ = run(place, 9, search=grid(["c", "a", "b"]), sampler="grid")
    assert len({tuple(sorted(trial.params.items())) for trial in found}) == len(found) == 9


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"goal": "minimize other"}, "goal: minimize loss -> minimize other"),
        ({"goal": "minimize last loss"}, "goal: minimize loss -> minimize last loss"),
        ({"seed": 3}, "seed: 2 -> 3"),
        ({"fixed": {"epochs": 2}}, "fixed epochs: default -> 2"),
        ({"search": changed("x", float=[0.7, 0.8])}, "trials lie outside the new range"),
        (
            {"search": changed("width", choice=[4, 5, 6, 7, 8])},
            "width: int from 4 to 8 -> choice of 4, 5, 6, 7, 8",
        ),
        ({"search": {k: v for k, v in SEARCH.items() if k != "width"}}, "width is no longer searched"),
        ({"search": {**SEARCH, "epochs": {"int": [1, 3]}}}, "epochs is searched now and was not before"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_changed(place: str, changes: dict[str, Any], says: str) -> None:
    old, _ = run(place, 8)
    with pytest.raises(UserError) as caught:
        run(place, 12, **changes)
    assert says in str(caught.value)
    kept = open_store(place).read("study")
    assert kept is not None
    assert [trial.params for trial in kept.trials] == [trial.params for trial in old]
    fresh, _ = run(place, 3, fresh=True, **changes)
    assert len(fresh) == 3


def test_another_name_leaves_the_old_study_alone(place: str) -> None:
    run(place, 4)
    run(place, 4, name="another", seed=9)
    assert set(open_store(place).names()) == {"study", "another"}


def test_what_is_only_worth_saying_is_said(place: str) -> None:
    run(place, 4)
    (Path(place).parent / "model.py").write_text(MODEL + "\n# a remark\n")
    _, said = run(place, 6, sampler="random", pruner="median")
    assert any("sampler: {tpe: {unpruned: 0.2}} before, random from now on" in note for note in said)
    assert any("pruner:" in note for note in said)
    assert any("is not what 4 earlier trials of study trained" in note for note in said)


def test_a_pruner_that_was_named_once_does_not_stay(place: str) -> None:
    run(place, 4)
    run(place, 5, pruner="successive-halving", sampler="tpe")
    _, said = run(place, 6)
    assert any("pruner: successive-halving before" in note for note in said)
    assert any("sampler: tpe before" in note for note in said)
    _, said = run(place, 7)
    assert not any("before" in note for note in said)


def test_starting_over_forgets_the_fresh_runs_too(place: str) -> None:
    run(place, 4, confirm={"top": 2, "seeds": 1})
    assert "study (confirm)" in open_store(place).names()
    run(place, 2, fresh=True)
    assert open_store(place).names() == ["study"]


def test_a_goal_that_no_trial_has_met_may_be_corrected(place: str) -> None:
    with pytest.raises(UserError, match="has no metric 'los'"):
        run(place, 4, goal="minimize los")
    trials, _ = run(place, 4)
    assert any(trial.value is not None for trial in trials)


def test_another_number_of_processes_a_trial_is_worth_saying(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    plain = {
        "objective": str(tmp_path / "model.py"),
        "goal": "minimize loss",
        "search": SEARCH,
        "budget": {"trials": 1},
    }
    before, after = (studyfile.read({**plain, "processes_per_trial": count}, []) for count in (1, 2))
    objective = describe(before.objective, before.folder)
    said = compare(definition(before, objective, {}), definition(after, objective, {}), [])
    assert said == ([], ["processes_per_trial: 1 before, 2 from now on"])
