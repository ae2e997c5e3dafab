"""Settings of the command line laid over a study file: what they mean, and mistakes in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hpo.search.studyfile.reader import read
from hpo.search.terms.budget import Budget
from hpo.search.terms.study import Plugin, Study

Mistakes = Callable[..., list[str]]

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
RATE = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}\n"

OVERRIDES: Mapping[str, tuple[list[tuple[str, str]], list[str]]] = {
    "the budget": ([("budget.trials", "many")], ["--trials:1:1 trials must be a number, got 'many'"]),
    "a plug-in": ([("sampler", "rnadom")], ["--sampler:1:1 no sampler is called 'rnadom' | did you mean 'random'?"]),
    "an unknown knob": (
        [("set", "lerning_rate=0.1")],
        ["--set lerning_rate:1:1 mlp has no knob 'lerning_rate' | did you mean 'learning_rate'?"],
    ),
    "a value and a range": (
        [("set", "epochs=many"), ("set", "momentum={float: [0, 1.5]}")],
        [
            "--set epochs:1:1 epochs takes a whole number, got 'many'",
            "--set momentum:1:13 momentum must be at least 0 and below 1, got 1.5",
        ],
    ),
    "no value": (
        [("set", "epochs")],
        [
            "--set:1:1 --set takes KNOB=VALUE, got 'epochs' | "
            "--set learning_rate=0.01, or --set 'dropout={float: [0, 0.3]}'"
        ],
    ),
    "no YAML": (
        [("seed", "[1")],
        [
            "--seed:1:3 the [...] opened before cannot be read on | "
            "is a ',' or the closing ']' missing? the '[' is at 1:1"
        ],
    ),
}


@pytest.mark.parametrize(("overrides", "expected"), OVERRIDES.values(), ids=OVERRIDES)
def test_a_mistake_in_a_flag_points_at_the_flag(
    mistakes: Mistakes, overrides: list[tuple[str, str]], expected: list[str]
) -> None:
    assert mistakes(HEAD + RATE, overrides) == expected


def test_mistakes_of_the_file_and_of_flags_are_said_together(mistakes: Mistakes) -> None:
    found = mistakes(HEAD + RATE + "pruner: medan\n", [("workers", "0"), ("sead", "1")])
    assert found == [
        "--sead:1:1 unknown key 'sead' | did you mean 'seed'?",
        "--workers:1:1 workers must be a whole number from 1 to 4096, got 0",
        "4:9 no pruner is called 'medan' | did you mean 'median'?",
    ]


def test_flags_are_laid_over_the_file(study: Callable[..., Study]) -> None:
    text = HEAD + "search: {learning_rate: {float: [1e-4, 1e-1]}, depth: {int: [1, 2]}}\nfixed: {width: 8, epochs: 9}\n"
    flags = [
        ("budget.trials", "7"), ("sampler", "{tpe: {n_startup_trials: 3}}"), ("set", "learning_rate=0.01"),
        ("set", "dropout={float: [0, 0.3]}"), ("set", "width={choice: [8, 16]}"), ("name", "12:30"),
        ("confirm", "none"),
    ]  # fmt: skip
    found = study(text, flags)
    assert found.budget == Budget(trials=7)
    assert found.sampler == Plugin("tpe", {"n_startup_trials": 3})
    assert found.fixed == {"epochs": 9, "learning_rate": 0.01}
    assert found.space.names() == ("depth", "dropout", "width")
    assert (found.name, found.confirm) == ("12:30", None)


def test_a_flag_repairs_what_the_file_has_wrong(study: Callable[..., Study]) -> None:
    assert study(HEAD + RATE + "seed: x\n", [("seed", "3")]).seed == 3


def test_a_knob_fixed_by_a_flag_may_leave_those_that_depend_on_it_at_their_defaults() -> None:
    found = read("gpt", [("set", "optimizer=adamw")])
    assert found.fixed["optimizer"] == "adamw"
    assert "adam_rate" not in found.space.from_unit([0.5] * len(found.space), found.fixed)


def test_where_the_points_of_a_curve_stand_is_not_searched(mistakes: Callable[..., list[str]]) -> None:
    (mistake,) = mistakes(
        "objective: gpt\ngoal: minimize val_bpb\nsearch: {eval_every: {choice: [2, 10]}}\nbudget: {trials: 2}\n"
    )
    assert "put it under fixed" in mistake
