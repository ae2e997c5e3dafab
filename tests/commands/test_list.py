"""What there is, and what each of it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hpo.search.cli import main
from hpo.search.commands.list import _KINDS, _entries
from hpo.search.studyfile.reader import read
from hpo.search.studyfile.yaml12 import parse

NAMES = sorted({name for kind in _KINDS.values() for name in _entries(kind)})


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["list", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_listed_says_what_it_is_and_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", name]) == 0
    said = capsys.readouterr().out
    assert name in said.partition("\n")[0]
    assert len(said.splitlines()) > 1


def test_a_knob_has_type_range_default_neutral_value_and_what_to_search(capsys: pytest.CaptureFixture[str]) -> None:
    knobs = {knob["name"]: knob for knob in listed(capsys, "mlp")["knobs"]}
    rate, steps = knobs["learning_rate"], knobs["accumulation_steps"]
    assert (rate["takes"], rate["range"], rate["default"]) == ("a number", "above 0", 0.003)
    searched = parse(rate["search"]).plain()
    assert searched["log"]
    assert searched["float"][0] < 0.003 < searched["float"][1]
    assert steps["neutral"] == "1"
    assert "optimizer step" in steps["doc"]
    assert not {"seed", "data", "checkpoint"} & set(knobs), "the suite fills them in"


@pytest.mark.parametrize("words", [("mlp",), ("cnn",), ("sklearn", "SVC"), ("sklearn", "RandomForestClassifier")])
def test_the_ranges_that_are_offered_can_be_searched(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    told = listed(capsys, *words)
    search = {knob["name"]: parse(knob["search"]).plain() for knob in told["knobs"] if knob["search"]}
    assert len(search) > 3
    fixed = {"estimator": words[1]} if len(words) > 1 else {}
    goal = f"minimize {'val_log_loss' if fixed else 'val_loss'}"
    for name, said in search.items():
        assert read({"objective": words[0], "goal": goal, "search": {name: said}, "fixed": fixed}).space


def test_the_parameters_of_an_estimator_are_told_from_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    knobs = {knob["name"]: knob for knob in listed(capsys, "sklearn", "HistGradientBoostingClassifier")["knobs"]}
    assert knobs["learning_rate"]["default"] == 0.1
    assert "shrinkage" in knobs["learning_rate"]["doc"]
    assert parse(knobs["max_leaf_nodes"]["search"]).plain() == {"int": [4, 63], "log": True}, "as for its regressor"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["slearn"], "did you mean 'sklearn'?"),
        (["sklearn", "HistGradientBostingClassifier"], "did you mean 'HistGradientBoostingClassifier'?"),
        (["tpe", "SVC"], "takes no estimator"),
        (["studies", "SVC"], "hpo list sklearn SVC"),
        (["./none.py"], "there is no file ./none.py"),
    ],
)
def test_what_is_not_there_is_told(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *words]) == 2
    assert told in capsys.readouterr().err
