"""A study knows what it trains: code, defaults, closures, globals, and the files that it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hpo
from hpo.search.describe.fingerprint import imports_of, source_of
from hpo.search.describe.objective import describe, live
from hpo.search.terms.errors import Advice

BEFORE = """
LEVEL = 1.0
TABLE = {"a": [1, 2]}
class Net:
    width = 3
    def run(self): return 1
def helper(x): return x + 1
def make(offset):
    def train(*, x: float = 0.0, rate: float = 0.1):
        def inner(y): return y * 2
        return (x - 2) ** 2 + offset + LEVEL + helper(x) + inner(x) + len(TABLE) + Net().run()
    return train
f = make(3)
"""


def digest(source: str) -> str | None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), space)
    return source_of(describe(live(space["f"]), Path()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x - 2", "x - 3"),
        ("rate: float = 0.1", "rate: float = 0.2"),
        ("make(3)", "make(4)"),
        ("LEVEL = 1.0", "LEVEL = 1.5"),
        ("[1, 2]", "[1, 3]"),
        ("return x + 1", "return x + 2"),
        ("return y * 2", "return y * 3"),
        ("width = 3", "width = 4"),
        ("def run(self): return 1", "def run(self): return 2"),
        ("LEVEL + helper", "LEVEL - helper"),
    ],
)
def test_whatever_changes_what_a_live_function_trains_changes_its_fingerprint(old: str, new: str) -> None:
    assert old in BEFORE
    assert digest(BEFORE) != digest(BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("LEVEL = 1.0", "# a remark\nLEVEL = 1.0"), ("f = make", "other = 5\nf = make")]
)
def test_what_changes_nothing_that_is_trained_leaves_the_fingerprint(old: str, new: str) -> None:
    assert digest(BEFORE) == digest(BEFORE.replace(old, new))


def test_another_process_gives_the_same_fingerprint() -> None:
    code = (
        "from pathlib import Path; from hpo.search.describe.fingerprint import source_of;"
        "from hpo.search.describe.objective import describe, live\n"
        f"exec({BEFORE!r})\nprint(source_of(describe(live(f), Path())))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_arrays_and_tables_that_a_function_names_belong_to_it() -> None:
    import numpy as np
    import pandas as pd

    def trains_on(data: Any) -> str | None:
        def train(*, x: float = 0.0) -> float:
            return float(len(data)) + x

        return source_of(describe(live(train), Path()))

    assert trains_on(np.arange(5)) == trains_on(np.arange(5)) != trains_on(np.arange(6))
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert trains_on(table) == trains_on(table.copy()) != trains_on(table.assign(a=[1, 3]))


def test_a_function_that_names_itself_or_a_cycle_has_a_fingerprint() -> None:
    circle: list[Any] = []
    circle.append(circle)

    def train(*, x: float = 0.0) -> float:
        return train(x=x - 1) if x > 0 and circle else x

    assert source_of(describe(live(train), Path())) is not None


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MODEL = "from lib import net\nimport json\ndef train(*, x: float = 0.0):\n    yield {'loss': net.f(x)}\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder, {"lib/net": "def f(x): return x + 1"}),
        lambda folder: write(folder, {"lib/deep": "A = 2"}),
        lambda folder: write(folder, {"lib/__init__": "B = 1"}),
    ],
)
def test_what_an_objective_imports_from_its_folder_belongs_to_it(
    tmp_path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    lib = {"lib/__init__": "", "lib/net": "from .deep import A\ndef f(x): return x", "lib/deep": "A = 1"}
    write(tmp_path, {"model": MODEL, **lib, "unrelated": "C = 1"})
    study = {
        "objective": str(tmp_path / "model.py"), "goal": "minimize loss", "search": {"x": {"float": [0, 1]}},
        "sampler": "random", "confirm": "none", "budget": {"trials": 2}, "storage": str(tmp_path / "s.db"), "name": "s",
    }  # fmt: skip
    hpo.run(study)
    write(tmp_path, {"unrelated": "C = 2"})
    hpo.run(study, trials=3)
    objective = describe(str(tmp_path / "model.py"), tmp_path)
    before = imports_of(objective, tmp_path)
    change(tmp_path)
    assert imports_of(objective, tmp_path) != before
    with pytest.warns(Advice, match="not what 3 earlier trials of s trained"):
        hpo.run(study, trials=4)
    with pytest.warns(Advice, match="not what 4 earlier trials"):  # for as long as they stand
        hpo.run(study, trials=5)
    hpo.run(study, trials=5, fresh=True)


def test_a_function_redefined_in_a_notebook_is_told_apart(tmp_path: Path) -> None:
    def run(f: Any, trials: int) -> Any:
        return hpo.run(
            f, search={"x": {"float": [0, 4]}}, goal="minimize value", trials=trials, confirm="none", name="cell",
            storage=str(tmp_path / "s.db"),
        )  # fmt: skip

    def first() -> Any:
        def f(*, x: float = 0.0) -> float:
            return (x - 2) ** 2

        f.__qualname__ = "f"
        return f

    def second() -> Any:
        def f(*, x: float = 0.0) -> float:
            return (x - 1) ** 2 + 100

        f.__qualname__ = "f"
        return f

    run(first(), 4)
    run(first(), 5)
    with pytest.warns(Advice, match="not what 5 earlier trials of cell trained: they stand beside new ones"):
        run(second(), 8)


def test_the_files_that_a_command_names_belong_to_it(tmp_path: Path) -> None:
    write(tmp_path, {"train": "import helper\nprint(1)", "helper": "A = 1"})
    objective = describe(f"command:{sys.executable} train.py {{x}}", tmp_path)
    before = imports_of(objective, tmp_path)
    assert before is not None
    write(tmp_path, {"helper": "A = 2"})
    middle = imports_of(objective, tmp_path)
    write(tmp_path, {"train": "import helper\nprint(2)"})
    assert len({before, middle, imports_of(objective, tmp_path)}) == 3
    assert json.dumps(before)
