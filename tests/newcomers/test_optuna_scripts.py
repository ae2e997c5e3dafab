"""Scripts written for Optuna run as they are: their space is read, their trials resumed, stopped and repeated."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

import hpo
from hpo.search import studyfile
from hpo.search.describe.objective import describe, import_module
from hpo.search.describe.source import Source
from hpo.search.describe.trial_reader import suggestions
from hpo.search.running.training import Trainer
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.errors import StudyFileError, UserError
from hpo.search.terms.job import Failed, Finished, Job, Point, Task

SCRIPTS = Path(__file__).parent / "optuna_scripts"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # Optuna's, of its older spellings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the scripts."""
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(body: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(f"import optuna\n\ndef objective(trial):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n")
        return path

    return write


# --- the space -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [path.stem for path in sorted(SCRIPTS.glob("*.py"))])
def test_what_is_read_is_what_optuna_meets(name: str) -> None:
    """Every trial of Optuna's own has the knobs that the space holds for active there, with the same distributions."""
    told = describe(f"{SCRIPTS / name}.py:objective", Path())
    assert told.suggestions is not None
    unclear = {knob for _, knob, _ in told.suggestions.unclear}
    optuna.logging.disable_default_handler()
    study = optuna.create_study(
        directions=["minimize"] * told.suggestions.values, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(import_module(told).objective, n_trials=6)
    space = told.suggestions.space
    for trial in study.trials:
        met = {knob: value for knob, value in trial.params.items() if knob not in unclear}
        assert space.contains(met)
        assert {knob: to_distribution(space[knob].domain) for knob in met} == {
            knob: trial.distributions[knob] for knob in met
        }


def test_conditions_loops_and_helpers_become_conditional_knobs(script: Callable[[str], Path]) -> None:
    path = script("""
        def width(i, low=8):
            return trial.suggest_int("width_" + str(i), low, 64, log=True)
        n = trial.suggest_int("layers", 0, 2)
        widths = [width(i) for i in range(n)]
        kind = trial.suggest_categorical("kind", ["a", "b", "c"])
        if kind in ("a", "b"):
            trial.suggest_float("ab", 0, 1)
            if kind == "b" and n > 1:
                trial.suggest_float("deep_b", 0, 1)
            trial.suggest_float("rate", 1e-3, 1, log=True)
        elif not trial.suggest_categorical("plain", [True, False]):
            trial.suggest_float("rate", 1e-3, 1, log=True)
        return 0.0
    """)
    found = {name: dict(known.when) for name, known in suggestions(Source(path), "objective").parameters.items()}
    assert found == {
        "layers": {}, "width_0": {"layers": (1, 2)}, "width_1": {"layers": (2,)}, "kind": {},
        "ab": {"kind": ("a", "b")}, "deep_b": {"kind": ("b",), "layers": (2,)}, "plain": {"kind": ("c",)},
        "rate": {},  # under one condition or another: always offered, used where it is met
    }  # fmt: skip


def test_a_study_file_narrows_what_the_script_says(home: Path) -> None:
    study = studyfile.read(
        {"objective": "./network.py:objective", "goal": "maximize last value", "search": {"n_layers": {"int": [1, 2]}},
         "fixed": {"optimizer": "Adam"}}
    )  # fmt: skip
    names = study.space.names()
    assert "n_units_l1" in names
    assert "n_units_l2" not in names
    assert study.fixed == {"optimizer": "Adam"}
    wider = {"objective": "./network.py:objective", "goal": "maximize value", "search": {"lr": {"float": [1e-9, 1]}}}
    with pytest.raises(StudyFileError, match=r"lr must be from 0\.0001 to 0\.1"):
        studyfile.read(wider)


def test_what_the_script_says_of_its_search_is_taken_and_the_rest_told(home: Path) -> None:
    study = studyfile.read("network.py")
    assert (study.name, study.seed, study.budget.trials, study.budget.minutes) == ("net", 10, 8, 10.0)
    assert study.goals[0].direction == "maximize"
    assert study.sampler is not None
    assert study.sampler.name == "tpe"
    assert study.sampler.options == {"multivariate": True, "n_startup_trials": 4}
    assert study.pruner is not None
    assert study.pruner.options == {"n_startup_trials": 2, "n_warmup_steps": 1}
    grid = studyfile.read("instance.py:objective")
    assert [parameter.domain.count() for parameter in grid.space] == [3, 2]
    computed = studyfile.read("computed.py")
    assert computed.prior == {"shift": 0.25}
    assert any("kept in line 10 is not searched but drawn at random" in note for note in computed.notes)
    assert any("not taken from two_goals.py: storage" in note for note in studyfile.read("two_goals.py").notes)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (
            "study = optuna.create_study(**{'direction': 'maximize'})",
            "",
            "the direction of its study is",
        ),
        ("study = optuna.load_study(study_name='a', storage='b')", "", "its study is loaded in line"),
        ("way = input()\nstudy = optuna.create_study(direction=way)", "", "what is better: the direction"),
        ("study = None", "", "what is better: it creates no study"),
        ("study = optuna.create_study()", "Mine", "Mine is no function at the top level of the file"),
    ],
)
def test_what_is_better_is_never_guessed(tmp_path: Path, text: str, name: str, said: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"import optuna\ndef objective(trial):\n    return trial.suggest_float('x', 0, 1)\n{text}\n")
    with pytest.raises(UserError, match=said):
        studyfile.read(f"{path}:{name}" if name else str(path))


def test_of_several_studies_that_of_the_named_function_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    parts = ["import optuna"]
    for name, way, trials in (("a", "minimize", 3), ("b", "maximize", 4)):
        parts.append(f"def {name}(trial):\n    return trial.suggest_float('{name}', 0, 1)")
        parts.append(f"study = optuna.create_study(direction='{way}', study_name='{name}')")
        parts.append(f"study.optimize({name}, n_trials={trials})")
    path.write_text("\n".join(parts))
    for name, way, trials in (("a", "minimize", 3), ("b", "maximize", 4)):
        study = studyfile.read(f"{path}:{name}")
        assert (study.name, study.goals[0].direction, study.budget.trials) == (name, way, trials)
    assert any("optimizes others too (b)" in note for note in studyfile.read(str(path)).notes)


@pytest.mark.parametrize("handed", ["lambda trial: mine(trial, 3)", "Mine(3)", "functools.partial(mine, data=3)"])
def test_what_is_no_function_of_a_trial_alone_is_told_what_to_write(tmp_path: Path, handed: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"import optuna\ndef main():\n    optuna.create_study().optimize({handed}, n_trials=2)\n")
    with pytest.raises(UserError, match=r"to optimize in line 3: .* no function .*return mine\(trial, load\(\)\)"):
        studyfile.read(str(path))


def test_a_trial_that_is_handed_to_what_is_not_read_is_told(script: Callable[[str], Path]) -> None:
    path = script("""
        import elsewhere
        f = trial.suggest_float
        elsewhere.params(trial)
        return trial.suggest_float("x", 0, 1)
    """)
    told = suggestions(Source(path), "objective")
    assert [line for line, _, _ in told.unclear] == [6, 7]


# --- the run ---------------------------------------------------------------------------------------------------------


def test_a_script_runs_as_it_is_and_its_own_search_does_not(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = hpo.run("network.py", confirm="none", storage="hpo.db")
    assert len(found.trials) == 8
    assert set(found.trials.state) <= {"complete", "pruned"}
    assert found.trials.steps.max() == 5
    assert found.recipe["n_layers"] in (1, 2, 3)
    assert "best:" not in capfd.readouterr().out
    assert not (home / "two.db").exists()


def test_several_numbers_are_several_goals_and_notes_are_metrics(home: Path) -> None:
    found = hpo.run("two_goals.py", confirm="none", storage="hpo.db")
    assert list(found.trials.columns.intersection(["value_0", "value_1"])) == ["value_0", "value_1"]
    assert (found.trials.last_sum == found.trials.params_x + found.trials.params_y).all()


def trained(path: Path, recipe: dict[str, Any], number: int = 0) -> list[Point | Finished | Failed]:
    trainer = Trainer(Task(f"{path}:objective", folder=str(path.parent)))
    job = Job(number, recipe)
    run, news = trainer.start(job), list[Any]()
    while not news or isinstance(news[-1], Point):
        news.append(trainer.advance(run, job))
    return news


def test_reports_are_the_curve_and_the_number_returned_is_its_last_point(script: Callable[[str], Path]) -> None:
    path = script("""
        x = trial.suggest_float("x", 0, 1)
        for step in range(3):
            trial.report(x / (step + 1), step)
            trial.report(99.0, step)  # again: left out, as Optuna does
            assert not trial.should_prune()
        return x if trial.number else x / 3
    """)
    with pytest.warns(UserWarning, match="was reported before"):
        news = trained(path, {"x": 0.6, "seed": 1})
    assert [(point.step, point.metrics["value"]) for point in news[:-1] if isinstance(point, Point)] == [
        (1, 0.6), (2, 0.3), (3, pytest.approx(0.2))
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="was reported before"):
        longer = trained(path, {"x": 0.6, "seed": 1}, number=1)
    assert [point.step for point in longer if isinstance(point, Point)] == [1, 2, 3, 4]


def test_what_the_recipe_does_not_hold_is_drawn_from_the_rest_of_it(script: Callable[[str], Path]) -> None:
    path = script("return trial.suggest_float('x' if trial.number < 2 else 'y', 0, 1)")
    values = [trained(path, {"seed": seed}, number)[0] for seed, number in ((1, 0), (1, 1), (2, 0), (1, 2))]
    drawn = [event.metrics["value"] for event in values if isinstance(event, Point)]
    assert drawn[0] == drawn[1] == drawn[2]  # fresh runs are of the same value
    assert len(set(drawn)) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return trial.suggest_float('x', 0, 0.5)", "x is 0.9 in this trial, and the script takes 0.0 to 0.5 there"),
        ("return None", "must return a number, or several, got 'None'"),
        ("raise optuna.TrialPruned()", "pruned the trial itself, before it had reported a value"),
        ("return trial.suggest_float('y', 2, 1)", "y cannot be suggested: its range from 2 to 1 is none"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("return trial.study.best_value", "reads trial.study.best_value, and a trial knows nothing of the others"),
    ],
)
def test_a_trial_that_goes_wrong_says_why(script: Callable[[str], Path], body: str, said: str) -> None:
    (event,) = trained(script(body), {"x": 0.9, "seed": 0})
    assert isinstance(event, Failed)
    assert said in event.reason


def test_a_script_that_suggests_nothing_readable_is_told_what_to_write(script: Callable[[str], Path]) -> None:
    path = script("return trial.suggest_float('x', 0, 1 + trial.number)")
    with pytest.raises(UserError, match=r"x in line 4: its range is worked out while it runs.*ranges under search"):
        studyfile.read(str(path))


def test_a_stopped_script_ends_inside_report(script: Callable[[str], Path], tmp_path: Path) -> None:
    path = script(f"""
        try:
            for step in range(9):
                trial.report(1.0, step)
        finally:
            open({str(tmp_path / "left")!r}, "w").close()
        return 1.0
    """)
    trainer = Trainer(Task(f"{path}:objective", folder=str(tmp_path)))
    run = trainer.start(Job(0, {"seed": 0}))
    next(run)
    run.close()
    assert (tmp_path / "left").exists()
