"""A training script where a study file belongs, and objectives whose parameters are no knobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.search.studyfile.reader import read
from hpo.search.terms.errors import UserError

GENERATOR = (
    "def train(*, lr: float = 1e-3, width: int = 64, on: bool = True, epochs: int = 9, seed: int = 0):\n    yield 1\n"
)
FILE = "def main(args):\n    return 1\n"


@pytest.mark.parametrize(
    "text",
    [
        GENERATOR,
        GENERATOR + "METRICS = ('accuracy',)\n",
        "def train(recipe):\n    return 1\n",
        "def train(*, name: str = 'a'):\n    return 1\n",
        "def build(recipe): ...\ndef data(recipe): ...\n",
        FILE,
        "print('no function at all')\n",
        "this is not Python",
    ],
)
@pytest.mark.parametrize("name", ["train.py", "./train.py", "my train.py"])
def test_a_script_is_told_the_study_file_that_it_needs_and_that_file_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    with pytest.raises(UserError) as caught:
        read(name)
    shown = str(caught.value)
    (command,) = re.findall(r"then: hpo run (\S+\.yaml|'[^']+')", shown)
    file = Path(command.strip("'"))
    file.write_text("\n".join(re.findall(r"^  (.*)$", shown, re.MULTILINE)))
    if "name: str" in text:
        return  # nothing in it is a number, so what to search is the user's to say
    assert len(read(file).space) >= 1


@pytest.mark.parametrize(
    "signature", ["args", "args, config", "", "args=None", "*, config", "self", "argv=(), config=None"]
)
def test_a_function_that_takes_no_knobs_is_one_mistake(
    tmp_path: Path, mistakes: Callable[..., list[str]], signature: str
) -> None:
    (tmp_path / "train.py").write_text(f"def main({signature}):\n    return 1\n")
    search = "search: {lr: {float: [1e-4, 1]}, width: {int: [1, 9]}, depth: {int: [1, 9]}}\nfixed: {epochs: 3}\n"
    (found,) = mistakes(f"objective: ./train.py:main\ngoal: minimize value\n{search}")
    assert "of train.py has no knobs that the study names" in found
    assert "def train(*, learning_rate: float = 1e-3)" in found


def test_a_function_that_has_some_of_the_knobs_is_told_of_the_others(
    tmp_path: Path, mistakes: Callable[..., list[str]]
) -> None:
    (tmp_path / "train.py").write_text("def main(lr, seed=0):\n    return 1\n")
    search = "search: {lr: {float: [1e-4, 1]}, width: {int: [1, 9]}}\n"
    assert mistakes(f"objective: ./train.py:main\ngoal: minimize value\n{search}") == [
        "3:34 train.py has no knob 'width' | one of: lr, seed"
    ]


@pytest.mark.parametrize(
    ("data", "marked"),
    [
        ("{table: {path: nosuch.csv, target: y}}", "nosuch.csv"),
        ("{tabel: {path: nosuch.csv, target: y}}", "tabel"),
        ("{table: {path: s.yaml}}", "table"),
        ("{table: {path: s.yaml, targt: y}}", "targt"),
        ("{table: {path: s.yaml, target: 3}}", "target"),
        ("{table: {path: s.yaml, target: y, validation: 0.6, test: 0.5}}", "validation"),
        ("{table: {path: s.yaml, target: y, test: 7}}", "test"),
        ("{table: [1, 2]}", "[1, 2]"),
        ("{table: 7}", "table"),
        ("{npz: {path: s.yaml, x: 3}}", "x"),
        ("digitz", "digitz"),
    ],
)
def test_a_mistake_in_an_inline_mapping_underlines_the_option(
    tmp_path: Path, mistakes: Callable[..., list[str]], data: str, marked: str
) -> None:
    line = f"data: {data}"
    text = "objective: mlp\ngoal: maximize val_accuracy\nsearch: {dropout: {float: [0, 0.5]}}\n" + line + "\n"
    columns = {int(found.split()[0].split(":")[1]) for found in mistakes(text)}
    assert line.index(marked) + 1 in columns
    assert all("{" not in line or column > line.index("{") + 1 for column in columns)
