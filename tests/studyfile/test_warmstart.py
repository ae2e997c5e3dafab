"""``prior`` and ``warm_start`` in study files: what they mean, and mistakes, each said once, where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hpo.search.terms.study import Study

Mistakes = Callable[..., list[str]]

STUDY = """objective: mlp
goal: minimize val_loss
search:
  learning_rate: {float: [1e-4, 1e-1], log: true}
  optimizer: {choice: [sgd, adam]}
  momentum: {float: [0, 0.9], when: {optimizer: sgd}}
  width: {int: [16, 64], step: 16}
  dropout: {float: [0, 0.5], step: 0.1}
fixed: {epochs: 9}
"""


CASES: Mapping[str, tuple[str, list[str]]] = {
    "a prior that is no mapping": (
        "prior: 0.003\n",
        ["10:8 prior must be a mapping of knobs, got a number | prior: {learning_rate: 0.003}"],
    ),
    "a prior for what is not searched": (
        "prior: {lerning_rate: 0.003, epochs: 9, clip_norm: 2}\n",
        [
            "10:9 the prior names 'lerning_rate', which is not searched | did you mean 'learning_rate'?",
            "10:30 epochs is fixed, so a prior for it says nothing | drop one of the two",
            "10:41 the prior names 'clip_norm', which is not searched | "
            "one of: dropout, learning_rate, momentum, optimizer, width",
        ],
    ),
    "values that are never drawn": (
        "prior: {learning_rate: 3, optimizer: adm, width: 24.5, dropout: 0.23}\n",
        [
            "10:24 the prior 3 of learning_rate lies outside of 0.0001 to 0.1 | "
            "widen the range under search, or guess inside of it",
            "10:38 optimizer has no choice 'adm' | did you mean 'adam'?",
            "10:50 the prior of width must be a whole number, got 24.5",
            "10:65 the prior 0.23 of dropout is none of its steps | the nearest is 0.2",
        ],
    ),
    "values that are none": (
        "prior: {learning_rate: high, optimizer: {choice: [sgd]}, width: true, dropout: .nan}\n",
        [
            "10:24 the prior of learning_rate must be a number, got 'high'",
            "10:41 the prior of optimizer is one value, got a mapping | prior: {optimizer: ...}",
            "10:65 the prior of width must be a number, got true",
            "10:80 the prior nan of dropout lies outside of 0.0 to 0.5 | "
            "widen the range under search, or guess inside of it",
        ],
    ),
    "a whole number between the steps": (
        "prior: {width: 40}\n",
        ["10:16 the prior 40 of width is none of its steps | the nearest is 32"],
    ),
    "a guess that excludes another": (
        "prior: {momentum: 0.8, optimizer: adam}\n",
        ["10:9 momentum does not vary where optimizer is 'adam', as the prior has it | drop one of the two"],
    ),
    "warm starts that name no study": (
        "warm_start: [3, '', {a: b}, null]\n",
        [
            "10:14 warm_start names earlier studies, got 3 | write warm_start: '3'",
            "10:17 warm_start names earlier studies, got ''",
            "10:21 warm_start names earlier studies, got a mapping",
            "10:29 warm_start names earlier studies, got nothing",
        ],
    ),
    "a warm start from itself, and one named twice": (
        "name: this\nwarm_start: [old, old, this]\n",
        [
            "11:19 'old' is listed twice",
            "11:24 study 'this' cannot be its own warm start | "
            "give this one another name, or drop warm_start: run again, a study goes on by itself",
        ],
    ),
    "keys that are misspelt": (
        "prier: {width: 32}\nwarmstart: old\n",
        [
            "10:1 unknown key 'prier' | did you mean 'prior'?",
            "11:1 unknown key 'warmstart' | did you mean 'warm_start'?",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_said_once_where_it_is(mistakes: Mistakes, text: str, expected: list[str]) -> None:
    assert mistakes(STUDY + text) == expected


def test_a_knob_whose_range_is_mistaken_is_not_held_against_the_prior(mistakes: Mistakes) -> None:
    text = STUDY.replace("[16, 64]", "[64, 16]") + "prior: {width: 32}\n"
    assert mistakes(text) == ["7:16 width: the low end 64 is not below the high end 16 | write [16, 64]"]


def test_values_are_those_that_the_range_has(study: Callable[..., Study]) -> None:
    found = study(STUDY + "prior: {learning_rate: 1e-2, width: 3.2e1, dropout: 0, momentum: 0.5}\nwarm_start: old\n")
    assert repr(found.prior) == "{'learning_rate': 0.01, 'width': 32, 'dropout': 0.0, 'momentum': 0.5}"
    assert found.warm_start == ("old",)
    assert study(STUDY + "warm_start: [old, older]\n").warm_start == ("old", "older")


@pytest.mark.parametrize("text", ["", "prior: {}\nwarm_start: []\n", "prior:\nwarm_start:\n"])
def test_both_may_be_left_out(study: Callable[..., Study], text: str) -> None:
    found = study(STUDY + text)
    assert (found.prior, found.warm_start) == ({}, ())


def test_flags_take_their_place_and_mistakes_point_at_them(study: Callable[..., Study], mistakes: Mistakes) -> None:
    text = STUDY + "prior: {width: 32}\n"
    found = study(text, [("prior", "{dropout: 0.1}"), ("warm_start", "old")])
    assert (found.prior, found.warm_start) == ({"dropout": 0.1}, ("old",))
    assert mistakes(text, [("prior", "{dropout: 1}"), ("warm_start", "7")]) == [
        "--prior:1:11 the prior 1 of dropout lies outside of 0.0 to 0.5 | "
        "widen the range under search, or guess inside of it",
        "--warm-start:1:1 warm_start names earlier studies, got 7 | write warm_start: '7'",
    ]


def test_a_knob_that_a_flag_fixes_leaves_the_prior(study: Callable[..., Study]) -> None:
    text = STUDY + "prior: {width: 32, dropout: 0.1}\n"
    assert study(text, [("set", "width=16")]).prior == {"dropout": 0.1}
    assert study(text, [("set", "width={int: [8, 32]}")]).prior == {"width": 32, "dropout": 0.1}


def test_the_recorded_text_has_them(study: Callable[..., Study]) -> None:
    found = study(STUDY + "prior: {width: 32}\nwarm_start: old\n")
    again = study(found.text)
    assert (again.prior, again.warm_start) == (found.prior, found.warm_start)
