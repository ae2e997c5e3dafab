"""Numbers of any size, in every store: steps up to the last that all hold, points and values that are not finite."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from stores import fresh_database, plain

from hpo.search import api
from hpo.search.cli import main
from hpo.search.report.plain import to_json
from hpo.search.running.training import LAST_STEP, Run
from hpo.search.store import Store, open_store
from hpo.search.terms.errors import EverythingFailed, UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(params=["memory", "sqlite", "journal", "postgres"])
def place(request, tmp_path) -> str:
    """A fresh place of each kind, memory too."""
    if request.param == "memory":
        return ":memory:"
    if request.param == "postgres":
        return fresh_database(request.getfixturevalue("cluster"))
    return str(tmp_path / ("s.db" if request.param == "sqlite" else "s.journal"))


def searched(place: str, steps: list, **settings) -> tuple[api.Result, Store]:
    """Run a study whose every trial has points at these steps."""

    def train(*, x: float = 0.0):
        for step in steps:
            yield {"step": step, "loss": x}

    result = api.run(
        train, name="s", search={"x": {"float": [0, 1]}}, goal="minimize loss", trials=4, confirm="none", storage=place,
        **settings,
    )  # fmt: skip
    return result, result.store


LARGE = [1, 2**31 - 1, 2**31, 2**53, 2**53 + 1, LAST_STEP - 1, LAST_STEP]


@pytest.mark.parametrize("pruner", ["none", "median", "hyperband"])
def test_steps_are_exact_up_to_the_last_in_every_store(place, pruner):
    result, store = searched(place, LARGE, pruner=pruner)
    trials = store.read("s").trials
    assert [trial.state for trial in trials].count(TrialState.FAIL) == 0, [t.user_attrs for t in trials]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert complete
    assert all(sorted(trial.intermediate_values) == LARGE for trial in complete)
    with plain(store) as storage:
        seen = optuna.load_study(study_name="s", storage=storage).get_trials()
    assert [trial.intermediate_values for trial in seen] == [trial.intermediate_values for trial in trials]
    assert [step for step, _ in result.report.ranked()[0].curve] == LARGE


@pytest.mark.parametrize(
    "step", [LAST_STEP + 1, 2**64, 10**400, 1e19, np.uint64(2**64 - 1), math.inf, math.nan, -1, 0, 1.5]
)
def test_a_step_that_no_store_holds_fails_its_trial_at_once_with_the_reason(place, step):
    with pytest.raises(EverythingFailed, match="the objective's step"):
        searched(place, [step])
    if place != ":memory:":
        trials = open_store(place).read("s").trials
        assert {trial.state for trial in trials} == {TrialState.FAIL}
        assert all("the objective's step" in trial.user_attrs["reason"] for trial in trials)
        assert all(trial.intermediate_values == {} for trial in trials)


@pytest.mark.parametrize(
    "step", [7, 7.0, np.int64(7), np.uint8(7), np.float32(7), np.array(7), np.array([7]), Fraction(7), True], ids=repr
)
def test_a_step_may_be_any_whole_number(step):
    run = Run(iter([{"step": step, "loss": 1.0}]))
    assert next(run)["loss"] == 1.0
    assert run.step == int(np.asarray(step).item() if isinstance(step, np.ndarray) else step)
    assert type(run.step) is int


def test_the_limit_of_steps_is_told():
    with pytest.raises(UserError, match=str(LAST_STEP)):
        next(Run(iter([{"step": LAST_STEP + 1, "loss": 1.0}])))


# --- what plain Optuna made -----------------------------------------------------------------------------------------

SPACE = {
    "x": FloatDistribution(-1e308, 1e308),
    "n": IntDistribution(0, 2**53),
    "c": CategoricalDistribution((None, True, "[/red] \x1b[31m", 1.5)),
}
POINT = {"x": 1e308, "n": 2**53, "c": "[/red] \x1b[31m"}


def foreign(store: Store) -> list[str]:
    """Studies that plain Optuna makes and the suite would not."""
    inf, nan = math.inf, math.nan
    studies = {
        "infinite": [
            create_trial(value=inf, params=POINT, distributions=SPACE, intermediate_values={1: inf, 2: -inf, 3: nan}),
            create_trial(value=-inf, intermediate_values={0: 1.0, 2**31 - 1: nan}),
            create_trial(value=1e308, intermediate_values={i: (-1) ** i * 1e308 for i in range(40)}),
            create_trial(value=5e-324, intermediate_values={-5: 5e-324, -1: 0.0}),
        ],
        "nothing but nan": [
            create_trial(value=1.0, intermediate_values={1: nan}),
            create_trial(state=TrialState.PRUNED, intermediate_values={1: nan, 2: inf}),
            create_trial(state=TrialState.FAIL, intermediate_values={1: nan}),
        ],
        "waiting": [
            create_trial(state=TrialState.WAITING, params=POINT, distributions=SPACE),
            create_trial(state=TrialState.RUNNING, intermediate_values={5: inf}),
        ],
        "none": [],
        "attributes": [
            create_trial(
                value=1.0,
                user_attrs={"seed": "x", "train_seconds": "abc", "metrics": [1], "evidence": 3, "reason": None},
                intermediate_values={1: 1.0},
            )
        ],
        "[bold]name": [create_trial(value=1.0)],
    }
    with plain(store) as storage:
        for name, listed in studies.items():
            study = optuna.create_study(study_name=name, storage=storage)
            study.add_trials(listed)
            if name == "attributes":
                for key in ("definition", "winner", "seconds", "question", "study_file", "task"):
                    study.set_user_attr(key, "mine")
            if name == "waiting":
                study.enqueue_trial({"x": 2.0})
        several = optuna.create_study(study_name="several", storage=storage, directions=["minimize", "maximize"])
        several.add_trials(
            [create_trial(values=[inf, 1.0]), create_trial(values=[1.0, -inf]), create_trial(values=[0, 0])]
        )
    return [*studies, "several"]


def strict(text: str):
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_reading_command_shows_what_plain_optuna_made(location, capsys):
    names = foreign(open_store(location))

    def told(*words: str, code: int = 0) -> str:
        assert main([*words, "--storage", location]) == code, words
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out

    assert all(name in told("status") for name in names)
    assert {one["study"] for one in strict(told("status", "--json"))} == set(names)
    for name in names:
        assert name in told("show", name)
        found = strict(told("show", name, "--json"))
        assert found["name"] == name
        for trial in found["trials"]:
            assert told("show", name, "--trial", str(trial["number"]))
        told("export", name, "--format", "csv")
        told("export", name, code=2)
    points = strict(told("show", "infinite", "--json"))["trials"][0]
    assert points["curve"] == [[1, "inf"], [2, "-inf"], [3, "nan"]]
    assert [float(value) for value in points["values"]] == [math.inf]


@pytest.mark.parametrize("data", [{"a": [math.nan, (math.inf, {"b": -math.inf})]}, [np.float64("nan")], {math.nan: 1}])
def test_json_has_neither_infinity_nor_nan(data):
    strict(to_json(data))
