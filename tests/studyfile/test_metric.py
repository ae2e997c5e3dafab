"""``metric``: which function is meant, and every mistake in it with its remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.search.terms.study import Study

STUDY = "# s\nobjective: {}\ngoal: maximize val_{}\nsearch: {{learning_rate: {{float: [1e-3, 1e-2]}}}}\nmetric: {}\n"

ONE = "def profit(y_true, y_pred):\n    return 1.0\n\n\ndef _helper(x):\n    return x\n"
SEVERAL = """
def first(a, b):
    return 1

def metric(a, b, weight=2):
    return 2

def alone(a):
    return 3

def keyed(a, b, *, weight, scale=1):
    return 4
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "several.py").write_text(SEVERAL)
    (tmp_path / "others.py").write_text(SEVERAL.replace("metric", "second"))
    (tmp_path / "broken.py").write_text("def profit(:\n")
    (tmp_path / "taken.py").write_text("def f1(a, b):\n    return 1\n")
    (tmp_path / "my.py").write_text("def train(*, learning_rate: float = 1.0):\n    yield {'val_profit': 1}\n")


@pytest.mark.parametrize(
    ("value", "name"),
    [("./one.py", "profit"), ("one.py:profit", "profit"), ("./several.py", "metric"), ("several.py:first", "first")],
)
def test_a_file_or_a_function_of_it_is_a_goal(
    study: Callable[..., Study], tmp_path: Path, value: str, name: str
) -> None:
    assert study(STUDY.format("mlp", name, value)).metric == f"{tmp_path / value.partition('.py')[0]}.py:{name}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("./nowhere.py", "there is no file nowhere.py in"),
        ("./others.py", "others.py defines first, second, alone, keyed | name one: others.py:first"),
        ("./one.py:proffit", "one.py has no function 'proffit' | did you mean 'profit'?"),
        ("./several.py:alone", "alone of several.py is given what is true and what is predicted | def profit("),
        ("./several.py:keyed", "keyed of several.py needs weight, which it is not given | give a default"),
        ("./broken.py", "broken.py, line 1, is not Python"),
        ("./taken.py", "val_f1 is a metric already"),
        ("[1]", "metric names a function in a file, got a list | metric: ./mine.py"),
    ],
)
def test_a_mistake_is_told_once_with_its_remedy(mistakes: Callable[..., list[str]], value: str, message: str) -> None:
    (told,) = mistakes(STUDY.format("mlp", "profit", value))
    assert message in told
    assert told.startswith("5:9")


@pytest.mark.parametrize("objective", ["./my.py", "gpt"])
def test_an_objective_that_measures_by_itself_takes_none(mistakes: Callable[..., list[str]], objective: str) -> None:
    (told,) = mistakes(STUDY.format(objective, "profit", "./one.py"))
    assert "measures by itself" in told
