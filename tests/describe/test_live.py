"""Functions of the running process: their knobs, what they take along to other processes, trials they are given."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest

from hpo.search.describe import live
from hpo.search.describe.objective import describe
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.errors import UserError

DEPTHS = [1, 2, 3]
LOW = 1e-4


def ranged(trial, name):
    return trial.suggest_float(name, LOW, 1.0, log=True)


def read(function):
    return describe(live.live(function), Path.cwd())


def test_the_ranges_of_a_function_of_a_trial_are_read_with_what_it_uses() -> None:
    widest = 64

    def objective(trial):
        depth = trial.suggest_categorical("depth", DEPTHS)
        if depth == 3:
            trial.suggest_int("width", 8, widest)
        return ranged(trial, "rate")

    found = read(objective)
    assert found.suggestions is not None
    known = found.suggestions.parameters
    assert known["depth"].domain == Choice((1, 2, 3))
    assert known["width"].domain == Int(8, 64)
    assert known["width"].when == (("depth", (3,)),)
    assert isinstance(known["rate"].domain, Float)
    assert known["rate"].domain.low == LOW


def test_an_object_that_is_called_with_a_trial_is_read_by_its_class() -> None:
    class Objective:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def __call__(self, trial):
            return self.factor * trial.suggest_float("x", 0, 1)

    found = read(Objective(2.0))
    assert found.suggestions is not None
    assert set(found.suggestions.parameters) == {"x"}


def test_of_a_function_redefined_the_new_ranges_count() -> None:
    def objective(trial):
        return trial.suggest_float("x", 0, 1)

    read(objective)

    def objective(trial):  # as a cell that is run again
        return trial.suggest_float("y", 0, 1)

    found = read(objective).suggestions
    assert found is not None
    assert set(found.parameters) == {"y"}


def test_a_lambda_of_a_trial_is_told_what_to_write() -> None:
    with pytest.raises(UserError, match=r"write def objective\(trial\): return mine\(trial, data\)"):
        live.live(lambda trial: trial.suggest_float("x", 0, 1))


def test_a_function_is_taken_along_with_what_it_uses() -> None:
    shift = [2.0]

    def train(*, x: float = 0.0) -> float:
        return (x - shift[0]) ** 2 + LOW

    reference = live.live(train)
    packed = live.pack(reference)
    assert set(live.uses(reference)) == {"shift", "LOW"}
    live._functions.clear()
    with pytest.raises(UserError, match="belongs to the process that defined it"):
        live.function_of(reference)
    live.take(reference, packed)
    assert live.function_of(reference)(x=1.0) == 1.0 + LOW


@pytest.mark.parametrize(
    "held", [threading.Lock(), (n for n in range(3)), io.StringIO], ids=["lock", "generator", "type"]
)
def test_what_cannot_leave_the_process_is_named(held: object) -> None:
    def train(*, x: float = 0.0) -> float:
        return x if held else 0.0

    reference = live.live(train)
    if isinstance(held, type):
        assert live.pack(reference)
        return
    with pytest.raises(UserError, match=rf"it uses held \({type(held).__name__}\).*inside the function"):
        live.pack(reference)


def test_a_module_that_another_process_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nearby.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import nearby

    def train(*, x: float = 0.0) -> float:
        return float(nearby.twice(x))

    packed = live.pack(reference := live.live(train))
    monkeypatch.delitem(sys.modules, "nearby")
    (tmp_path / "nearby.py").unlink()
    with pytest.raises(UserError, match=r"train cannot train in another process: .*No module named 'nearby'"):
        live.take(reference, packed)
