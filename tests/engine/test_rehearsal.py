"""What can only fail is refused before anything is trained, and without importing anything heavy where no doubt is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.objectives import data, sklearn
from hpo.search.describe.objective import describe
from hpo.search.engine import run as engine
from hpo.search.engine.rehearsal import rehearse_apart
from hpo.search.store import open_store
from hpo.search.studyfile.reader import read
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.study import Study

STUDY = """
objective: sklearn
data: iris
goal: maximize val_accuracy
budget: {trials: 2}
confirm: none
"""


def check(read: Study) -> None:
    rehearse_apart(read, describe(read.objective, read.folder))


def test_an_estimator_that_cannot_do_without_another_is_refused_and_says_how_to_name_it(
    study: Callable[..., Study], mistakes: Callable[..., list[str]]
) -> None:
    alone = study(STUDY + "fixed: {estimator: SelfTrainingClassifier}\nsearch: {k_best: {int: [1, 9]}}")
    with pytest.raises(UserError, match=r"fixed: \{base_estimator: DecisionTreeClassifier\}"):
        check(alone)
    store = open_store(":memory:")
    with pytest.raises(UserError, match="SelfTrainingClassifier cannot be trained"):
        engine.run(alone, store=store)
    assert store.names() == []
    several = mistakes(STUDY + "fixed: {estimator: VotingClassifier}\nsearch: {voting: {choice: [hard, soft]}}")
    assert len(several) == 1
    assert "made of several others | name them, fixed: {estimators: {" in several[0]
    chain = "fixed: {estimator: sklearn.multioutput.ClassifierChain}\nsearch: {cv: {choice: [2, 3]}}"
    assert "needs a base estimator | name it" in mistakes(STUDY + chain)[0]


@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")
@pytest.mark.parametrize(
    ("estimator", "base", "knob", "values"),
    [
        ("AdaBoostClassifier", "DecisionTreeClassifier", "max_depth", "int: [1, 3]"),
        ("BaggingClassifier", "KNeighborsClassifier", "n_neighbors", "int: [1, 9]"),
        ("SelfTrainingClassifier", "LogisticRegression", "C", "float: [0.1, 9]"),
        ("CalibratedClassifierCV", "LinearSVC", "C", "float: [0.1, 9]"),
    ],
)
def test_a_base_estimator_is_named_and_its_parameters_reach_it(
    study: Callable[..., Study], estimator: str, base: str, knob: str, values: str
) -> None:
    fixed = f"fixed: {{estimator: {estimator}, base_estimator: {base}}}\n"
    found = study(STUDY + fixed + f"search: {{estimator__{knob}: {{{values}}}}}")
    check(found)
    store = open_store(":memory:")
    engine.run(found, store=store)
    with store.session(found.name, found.directions, create=False) as session:
        assert [trial.state.name for trial in session.study.trials] == ["COMPLETE", "COMPLETE"]
    from hpo.objectives.estimators.build import build

    made = build(estimator, {f"estimator__{knob}": 2}, "classification", 7, "iris", base)
    inner = made.get_params(deep=False)["estimator"]
    assert (type(inner).__name__, inner.get_params()[knob]) == (base, 2)
    assert inner.get_params().get("random_state", 7) == 7


def test_knobs_of_a_base_estimator_belong_to_those_that_have_them(mistakes: Callable[..., list[str]]) -> None:
    text = STUDY + "fixed: {estimator: AdaBoostClassifier%s}\nsearch: {%s}"
    both = "base_estimator: {choice: [DecisionTreeClassifier, LogisticRegression]}, "
    assert (
        "a base estimator's parameters need its name" in mistakes(text % ("", "estimator__max_depth: {int: [1, 3]}"))[0]
    )
    assert mistakes(text % ("", both + "estimator__max_depth: {int: [1, 3]}")) == [
        "8:82 LogisticRegression has no parameter 'max_depth' | write when: {base_estimator: DecisionTreeClassifier}"
    ]
    unknown = mistakes(text % (", base_estimator: Treee", "n_estimators: {int: [1, 3]}"))
    assert "no estimator is called 'Treee'" in unknown[0]
    svc = STUDY + "fixed: {estimator: SVC, base_estimator: Ridge}\nsearch: {C: {float: [1, 3]}}"
    assert "SVC is made of no other estimator | leave base_estimator out" in mistakes(svc)[0]


def test_a_parameter_outside_of_its_range_is_refused_before_anything_is_written(study: Callable[..., Study]) -> None:
    store = open_store(":memory:")
    wrong = study(STUDY + "fixed: {estimator: SVC, C: -1}\nsearch: {gamma: {float: [0.1, 1]}}")
    with pytest.raises(UserError, match="The 'C' parameter of SVC must be"):
        engine.run(wrong, store=store)
    assert store.names() == []


def test_one_recipe_that_can_be_built_is_enough(study: Callable[..., Study]) -> None:
    some = study(STUDY + "fixed: {estimator: SVC}\nsearch: {kernel: {choice: [nonsense, linear]}}")
    engine.run(some, store=open_store(":memory:"))


@pytest.mark.parametrize(
    "recipe",
    [
        {"estimator": "KNeighborsClassifier", "n_neighbors": 500},
        {"estimator": "PLSRegression", "n_components": 50},
        {"estimator": "IsotonicRegression"},
        {"estimator": "NuSVC", "nu": 0.9},
        {"estimator": "RandomForestClassifier", "n_estimators": 10**9},
        {"estimator": "MultinomialNB"},
        {"estimator": "GammaRegressor"},
    ],
    ids=lambda recipe: recipe["estimator"],
)
def test_what_depends_on_the_data_is_left_to_the_data(recipe: dict[str, Any]) -> None:
    sklearn.attempt(recipe)


def test_trying_leaves_the_global_generator_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    sklearn.attempt({"estimator": "BaggingClassifier", "base_estimator": "MLPClassifier"})
    assert np.random.random() == expected


USER = '''
"""Mine."""

print("noise")

def build(recipe):
    import torch
    return torch.nn.Linear(64, recipe.%s)

def data():
    raise SystemExit("never loaded by check")
'''


def test_a_build_that_reads_what_nobody_sets_is_refused(study: Callable[..., Study], tmp_path: Path) -> None:
    text = """
objective: ./mine.py
goal: minimize val_loss
search: {units: {choice: [8, 16]}}
"""
    (tmp_path / "mine.py").write_text(USER % "channels")
    with pytest.raises(UserError, match="no knob 'channels'"):
        check(study(text))
    (tmp_path / "mine.py").write_text(USER % "units")
    check(study(text))


def table(rows: list[str], folder: Path) -> dict[str, Any]:
    (folder / "t.csv").write_text("\n".join(["note,y", *rows]) + "\n")
    return {"table": {"path": str(folder / "t.csv"), "target": "y"}}


def test_a_table_without_a_feature_or_a_target_is_refused(study: Callable[..., Study], tmp_path: Path) -> None:
    text = "objective: mlp\ndata: {table: {path: t.csv, target: y}}\ngoal: maximize val_accuracy\n"
    text += "search: {width: {choice: [8, 16]}}\n"
    table([f"number {i},{'ab'[i % 2]}" for i in range(100)], tmp_path)
    with pytest.raises(UserError, match="no column is left to learn from"):
        check(study(text))
    table([f"{i % 7},a" for i in range(100)], tmp_path)
    with pytest.raises(UserError, match="the target 'y' is constant"):
        check(study(text))
    assert not data.doubtful(table([f"{i % 7},{'ab'[i % 2]}" for i in range(100)], tmp_path))


@pytest.mark.parametrize("name", registry.names("study"))
def test_no_shipped_study_leaves_a_doubt(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*words: Any, **options: Any) -> None:
        raise AssertionError("a process was started")

    found = read(name)
    if describe(found.objective, found.folder).kind != "builtin" or "table" in (found.data or ()):
        return  # a build of one's own is tried, and a table is summed up
    monkeypatch.setattr(subprocess, "Popen", started)
    check(found)


def test_checking_with_a_doubt_imports_nothing_heavy_here(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        STUDY + "fixed: {estimator: AdaBoostClassifier}\nsearch: {n_estimators: {int: [5, 50]}}"
    )
    code = f"""
import sys
from hpo.search.cli import main
assert main(["check", {str(tmp_path / "s.yaml")!r}]) == 0
assert not {{"sklearn", "torch", "numpy", "pandas", "optuna"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


BOUND = """
objective: mlp
data: iris
goal: minimize val_loss
budget: {trials: 2}
confirm: none
fixed: {width: 8}
"""


@pytest.mark.parametrize(
    ("search", "told"),
    [
        (
            "depth: {choice: [1, 2]}, freeze: {int: [0, 5]}",
            "freeze: 3 to 5 do not fit (freeze: 3 is more than there is: the model has 1 block before its head); "
            "write freeze: {int: [0, 2]}",
        ),
        ("lora_rank: {choice: [0, 4, 64]}", "lora_rank: 64 does not fit"),
        ("layer_decay: {float: [0.5, 1]}, freeze: {int: [0, 3]}", "3 does not fit"),
    ],
)
def test_values_that_fit_no_network_are_told_in_one_message_with_those_that_do(
    study: Callable[..., Study], search: str, told: str
) -> None:
    found, store = study(BOUND + f"search: {{{search}}}"), open_store(":memory:")
    with pytest.raises(UserError) as caught:
        check(found)
    assert told in str(caught.value)
    with pytest.raises(UserError, match="a part of the search can only fail"):
        engine.run(found, store=store)
    assert store.names() == []


def test_what_fits_with_some_depth_fits(study: Callable[..., Study]) -> None:
    check(study(BOUND + "search: {depth: {int: [1, 3]}, freeze: {int: [0, 3]}, lora_rank: {choice: [0, 2]}}"))
