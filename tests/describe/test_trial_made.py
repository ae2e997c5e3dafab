"""Objectives that a script makes where it searches are read and trained, and nothing of its search is run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hpo.search import studyfile
from hpo.search.running.training import Trainer
from hpo.search.terms.domain import Float, Int
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Job, Point

CLASS = """
import argparse

import optuna


class Objective:
    def __init__(self, data, low=0.5):
        self.data = data
        self.low = low
        if len(data) > 2:
            self.high = 4.0

    high = 2.0

    def __call__(self, trial):
        return trial.suggest_float("x", self.low, 3.0) + sum(self.data)


def closed(low, data):
    def objective(trial):
        return trial.suggest_float("x", low, 3.0) + sum(data)

    return objective

"""

MAIN = """
def main(n_trials=3):
    args = argparse.ArgumentParser().parse_args()
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"x": 1.0})
    DATA
    study.optimize(OBJECTIVE, n_trials=7)
    print(study.best_params)


if __name__ == "__main__":
    main()
"""

GUARD = """
if __name__ == "__main__":
    data = [1, 2]
    study = optuna.create_study(direction="maximize")
    objective = OBJECTIVE
    study.optimize(objective, n_trials=7)
"""


@pytest.mark.parametrize("made", ["Objective(data)", "Objective(low=0.5, data=data)", "closed(0.5, data)"])
@pytest.mark.parametrize("where", [MAIN, GUARD], ids=["main", "guard"])
def test_what_is_made_while_it_searches_is_the_objective(tmp_path: Path, where: str, made: str) -> None:
    text = CLASS + where.replace("DATA", "data = [1, 2]").replace("OBJECTIVE", made)
    (tmp_path / "s.py").write_text(text)
    study = studyfile.read(str(tmp_path / "s.py"))
    assert study.space["x"].domain == Float(0.5, 3.0)
    assert study.budget.trials == 7
    assert str(study.goal) == "maximize last value"
    trainer, job = Trainer(study.task), Job(0, {"x": 1.0})
    point = trainer.advance(trainer.start(job), job)
    assert isinstance(point, Point), point
    assert point.metrics == {"value": 4.0}


def test_an_object_made_by_a_function_of_the_trial_is_followed(tmp_path: Path) -> None:
    body = "def objective(trial):\n    return Objective([1], low=1.0)(trial)\n" + MAIN.replace("OBJECTIVE", "objective")
    (tmp_path / "s.py").write_text(CLASS + body.replace("DATA", "pass"))
    assert studyfile.read(str(tmp_path / "s.py")).space["x"].domain == Float(1.0, 3.0)


def test_what_only_one_branch_gives_an_object_is_not_guessed(tmp_path: Path) -> None:
    text = textwrap.dedent(CLASS).replace("self.low, 3.0", "0.0, self.high").replace("len(data) > 2", "data.shape[0]")
    (tmp_path / "s.py").write_text(text + MAIN.replace("DATA", "data = load()").replace("OBJECTIVE", "Objective(data)"))
    with pytest.raises(UserError, match="suggests no knob whose range its text tells"):
        studyfile.read(str(tmp_path / "s.py"))


@pytest.mark.parametrize("made", ["lambda trial: Objective(data)(trial)", "Objective(nowhere)"])
def test_what_cannot_be_followed_is_told_with_what_to_write(tmp_path: Path, made: str) -> None:
    path = tmp_path / "s.py"
    path.write_text(CLASS + MAIN.replace("DATA", "data = [1, 2]").replace("OBJECTIVE", made))
    with pytest.raises(UserError, match="def objective"):
        studyfile.read(str(path))
    path.write_text(path.read_text() + "\n\ndef objective(trial):\n    return Objective([1, 2])(trial)\n")
    assert "x" in studyfile.read(f"{path}:objective").space.names()


def test_a_name_that_is_no_function_is_answered_with_the_one_that_is_optimized(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text(CLASS + MAIN.replace("DATA", "data = [1, 2]").replace("OBJECTIVE", "Objective(data)"))
    with pytest.raises(UserError, match=r"hpo run s\.py, or hpo run s\.py:Objective"):
        studyfile.read(f"{path}:objective")
    assert studyfile.read(f"{path}:Objective").space.names() == ("x",)


LOWEST = "LOWEST = 0.5\n\n\nclass Root"

FAMILY = """
class Root:
    low: float = 0.5

    def __init__(self, data, high=3.0):
        self.data, self.top = data, high

    def pick(self, trial):
        return trial.suggest_float("x", self.low, self.top)

    def __call__(self, trial):
        return self.pick(trial) + sum(self.data)


class Left(Root):
    pass


class Right(Root):
    low = 0.75

    def pick(self, trial):
        return trial.suggest_int("n", 0, 3) + super().pick(trial)


class Objective(Left, Right):
    def __init__(self, data):
        super().__init__(data, high=2.0)

"""


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_what_is_inherited_is_followed_as_python_finds_it(tmp_path: Path, elsewhere: bool) -> None:
    if elsewhere:
        (tmp_path / "family.py").write_text(FAMILY.replace("= 0.5", "= LOWEST").replace("class Root", LOWEST))
    family = "from family import Objective\n" if elsewhere else FAMILY
    body = MAIN.replace("DATA", "data = [1, 2]").replace("OBJECTIVE", "Objective(data)")
    (tmp_path / "s.py").write_text(f"import argparse\nimport optuna\n{family}{body}")
    space = studyfile.read(str(tmp_path / "s.py")).space
    assert space["x"].domain == Float(0.75, 2.0)
    assert space["n"].domain == Int(0, 3)


def test_an_inherited_method_is_run_as_it_is_read(tmp_path: Path) -> None:
    body = MAIN.replace("DATA", "data = [1, 2]").replace("OBJECTIVE", "Objective(data)")
    (tmp_path / "s.py").write_text(f"import argparse\nimport optuna\n{FAMILY}{body}")
    study = studyfile.read(str(tmp_path / "s.py"))
    trainer, job = Trainer(study.task), Job(0, {"x": 1.0, "n": 2})
    point = trainer.advance(trainer.start(job), job)
    assert isinstance(point, Point), point
    assert point.metrics == {"value": 6.0}
