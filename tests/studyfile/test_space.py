"""Mistakes in ranges and conditions: each is said once, where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hpo.search.describe.objective import describe

Mistakes = Callable[..., list[str]]

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
WAYS = "write {float: [low, high]}, {int: [low, high]} or {choice: [a, b]}"
KNOBS = describe("mlp", Path()).signature.knobs
OPTIMIZERS = ", ".join(KNOBS["optimizer"].options)

CASES: Mapping[str, tuple[str, list[str]]] = {
    # ranges
    "ranges that are none": (
        HEAD
        + """search:
  learning_rate: 0.1
  width: [16, 64]
  depth: {}
  epochs: {int: [1, 2.5]}
  momentum: {float: [0.9]}
  beta1: {float: [0.9, 0.1]}
  beta2: {float: [0.9, x]}
  warmup: {float: [0, 0.5], int: [0, 1]}
  l1: {float: [0, 1], log: true}
  floor: {float: [0, 1], log: yes}
  decay: {float: [0.1, 1], step: 2}
  weight_decay: {float: [1e-3, 1], log: true, step: 0.1}
  batch_size: {int: [1, 64], step: 0.5}
  drops: {float: [1, 5]}
  clip_norm: {choice: []}
  optimizer: {choice: [sgd, sgd], log: true}
""",
        [
            "4:18 learning_rate must be a range or a choice, got a number | one value belongs under fixed",
            "5:10 width must be a range or a choice, got a list | write {int: [16, 64]}",
            f"6:10 depth is neither float, int nor choice | {WAYS}",
            "7:21 an int range has whole ends, got 2.5",
            "8:21 momentum needs two ends, got 1 of them | write {float: [low, high]}",
            "9:18 beta1: the low end 0.9 is not below the high end 0.1 | write [0.1, 0.9]",
            "10:24 an end of a range must be a finite number, got 'x'",
            f"11:11 warmup is both float and int | {WAYS}",
            "12:16 a log range must start above 0, got 0 | start at 1e-6, or drop log",
            "13:31 log is true or false, got 'yes'",
            "14:34 the step 2 is longer than the range of decay",
            "15:53 a log range has no step | drop one of the two, or list values with choice",
            "16:36 the step of an int range is whole, got 0.5",
            "17:18 drops takes whole numbers only | write {int: [1, 5]}",
            "18:23 clip_norm needs a list of values to choose from | write {choice: [a, b]}",
            "19:29 'sgd' is listed twice",
            "19:35 a choice has no log | it belongs to float and int ranges",
        ],
    ),
    "ranges beyond what a knob or a number can be": (
        HEAD + "search: {dropout: {float: [0, 1.5]}, momentum: {float: [0, 1]}, beta1: {float: [-1e308, 1e308]}, "
        "width: {int: [1, 99999999999999999]}}\n",
        [
            "3:31 dropout must be at least 0 and below 1, got 1.5",
            "3:60 momentum must be at least 0 and below 1, got 1",
            "3:80 beta1: the range is too wide for a number | use a smaller one, or log: true",
            "3:115 a whole number beyond 2^53 cannot be searched",
        ],
    ),
    "a misspelt setting is one mistake": (
        HEAD + "search: {depth: {itn: [1, 3]}, width: {int: [1, 3], lgo: true}}\n",
        [
            "3:18 depth has no setting 'itn' | did you mean 'int'?",
            "3:53 width has no setting 'lgo' | did you mean 'log'?",
        ],
    ),
    # conditions
    "conditions that never hold": (
        HEAD
        + """search:
  optimizer: {choice: [sgd, adam]}
  width: {int: [16, 32]}
  momentum: {float: [0, 0.9], when: {optimizer: sdg}}
  beta1: {float: [0.1, 0.9], when: {optimiser: adam}}
  beta2: {float: [0.1, 0.9], when: {width: 64}}
  l1: {float: [0, 0.9], when: {schedule: cosine}}
  nesterov: {choice: [true, false], when: {depth: 2}}
  floor: {float: [0, 1], when: {}}
  warmup: {float: [0, 0.5], when: {optimizer: []}}
fixed: {schedule: step}
""",
        [
            "6:49 optimizer is never 'sdg', so momentum never varies | did you mean 'sgd'?",
            "7:37 beta1 depends on optimiser, which is neither searched nor fixed | did you mean 'optimizer'?",
            "8:44 width is never 64, so beta2 never varies | outside the range of width",
            "9:42 schedule is fixed to 'step', so l1 never varies | drop l1, or search schedule",
            "10:44 nesterov depends on depth, which is neither searched nor fixed | add it: fixed: {depth: ...}",
            "11:32 when must name a knob and its values | write when: {optimizer: sgd}",
            "12:47 when optimizer: needs a value or a list of values | write when: {optimizer: [a, b]}",
        ],
    ),
    "conditions in a circle are one mistake": (
        HEAD
        + """search:
  beta1: {float: [0, 0.9], when: {beta2: 0.5}}
  beta2: {float: [0, 0.9], when: {momentum: 0.5}}
  momentum: {float: [0, 0.9], when: {beta2: 0.5}}
""",
        ["5:34 these conditions go round in a circle: beta2 -> momentum -> beta2 | drop one of them"],
    ),
    "a condition on a knob whose range is mistaken is not held against it": (
        HEAD + "search: {optimizer: {choice: [sgd, adm]}, momentum: {float: [0, 0.9], when: {optimizer: sgd}}}\n",
        [f"3:36 optimizer takes one of {OPTIMIZERS}, got 'adm' | did you mean 'adam'?"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_said_once_where_it_is(mistakes: Mistakes, text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected
