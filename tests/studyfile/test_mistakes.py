"""Mistakes in study files: each is said once, where it is, with the likely meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hpo.search.describe.objective import describe

Mistakes = Callable[..., list[str]]

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
RATE = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}\n"
KNOBS = describe("mlp", Path()).signature.knobs
OPTIMIZERS, SCHEDULES = (", ".join(KNOBS[name].options) for name in ("optimizer", "schedule"))

CASES: Mapping[str, tuple[str, list[str]]] = {
    # keys
    "a misspelt key counts as the key it means": (
        "objectiv: mlp\ngoall: minimize val_loss\nserach: {depth: {int: [1, 3]}}\nsed: -1\n",
        [
            "1:1 unknown key 'objectiv' | did you mean 'objective'?",
            "2:1 unknown key 'goall' | did you mean 'goal'?",
            "3:1 unknown key 'serach' | did you mean 'search'?",
            "4:1 unknown key 'sed' | did you mean 'seed'?",
            "4:6 seed must be a whole number from 0 to 2147483647, got -1",
        ],
    ),
    "a limit beside the budget": (
        HEAD + RATE + "trials: 5\n",
        ["4:1 unknown key 'trials' | write budget: {trials: ...}"],
    ),
    "what is missing is said together": (
        "seed: 1\n",
        [
            "1:1 the study names no goal | goal: minimize val_loss",
            "1:1 the study names no objective | objective: mlp, or objective: ./my_model.py",
            "1:1 the study searches nothing | search: {learning_rate: {float: [1e-4, 1e-1], log: true}}",
        ],
    ),
    "a key given twice": (HEAD + RATE + "seed: 1\nseed: x\n", ["5:1 seed is given twice | first on line 4"]),
    "a knob given twice": (
        HEAD + "search:\n  depth: {int: [1, 3]}\n  depth: {int: [1, 4]}\n",
        ["5:3 depth is given twice | first on line 4"],
    ),
    "a list": ("- a\n", ["1:1 a study file is a mapping of keys, got a list | see: hpo list studies"]),
    # objective
    "an unknown objective blames no knob": (
        "objective: mpl\ngoal: minimize val_loss\nsearch: {anything: {int: [1, 3]}}\n",
        ["1:12 no objective or module is called 'mpl' | did you mean 'mlp'?"],
    ),
    "an objective that is no text": (
        "objective: [mlp]\ngoal: minimize val_loss\n" + RATE,
        [
            "1:12 objective must be text, got a list | a name, a file such as ./my_model.py, {command: ...}, or "
            "{script: train.py}"
        ],
    ),
    "placeholders that the study does not set": (
        "objective: {command: 'sh -c {lr} {wd}'}\ngoal: minimize loss\nsearch: {lrr: {float: [0, 1]}}\n",
        [
            "1:22 the command uses {lr}, which the study does not set | did you mean 'lrr'?",
            "1:22 the command uses {wd}, which the study does not set | one of: lrr",
        ],
    ),
    # goals
    "a goal the wrong way round": (
        "objective: mlp\ngoal: minimize val_accuracy\n" + RATE,
        ["2:7 minimize val_accuracy looks for the worst | did you mean 'maximize val_accuracy'?"],
    ),
    "a goal without direction": (
        "objective: mlp\ngoal: val_accuracy\n" + RATE,
        ["2:7 the goal 'val_accuracy' does not say minimize or maximize | did you mean 'maximize val_accuracy'?"],
    ),
    "a metric that does not exist": (
        "objective: mlp\ngoal: minimize val_los\n" + RATE,
        ["2:7 mlp yields no metric 'val_los' | did you mean 'val_loss'?"],
    ),
    "a goal twice": (
        "objective: mlp\ngoal: [minimize val_loss, minimize val_loss]\n" + RATE,
        ["2:27 val_loss is a goal already"],
    ),
    "goals that are none": (
        "objective: mlp\ngoal: [minimise val_loss, 3, minimize first val_loss]\n" + RATE,
        [
            "2:8 a goal starts with minimize or maximize, got 'minimise' | did you mean 'minimize'?",
            "2:27 a goal reads 'minimize val_loss', got a whole number | goal: minimize val_loss",
            "2:30 what of the curve counts is best, last or mean, got 'first' | "
            "write 'minimize val_loss', or 'minimize last val_loss'",
        ],
    ),
    # knobs
    "unknown knobs": (
        HEAD + "search: {lerning_rate: {float: [1e-4, 1e-1]}, data: {choice: [a]}}\nfixed: {epoch: 3}\n",
        [
            "3:10 mlp has no knob 'lerning_rate' | did you mean 'learning_rate'?",
            "3:47 mlp has no knob 'data' | give it as a key of the study, beside search",
            "4:9 mlp has no knob 'epoch' | did you mean 'epochs'?",
        ],
    ),
    "values a knob does not take": (
        HEAD
        + "search: {batch_size: {choice: [8, 2.5, big]}, optimizer: {choice: [sgd, adm]}, nesterov: {float: [0, 1]}}\n"
        + "fixed: {epochs: many, schedule: cosin, clip_norm: -1, beta1: .inf, dropout: {float: [0, 1]}}\n",
        [
            "3:35 batch_size takes auto or a whole number, got 2.5",
            "3:40 batch_size takes auto or a whole number, got 'big'",
            f"3:73 optimizer takes one of {OPTIMIZERS}, got 'adm' | did you mean 'adam'?",
            "3:98 nesterov takes true or false, not a range | write {choice: [...]}",
            "4:17 epochs takes a whole number, got 'many'",
            f"4:33 schedule takes one of {SCHEDULES}, got 'cosin' | did you mean 'cosine'?",
            "4:51 clip_norm must be at least 0, got -1",
            "4:62 a knob must be a finite number",
            "4:77 dropout is fixed to a range | move dropout under search",
        ],
    ),
    "a knob both searched and fixed": (
        HEAD + RATE + "fixed: {learning_rate: 0.1}\n",
        ["3:10 learning_rate is both searched and fixed | drop one of the two"],
    ),
    "the seed": (
        HEAD + "search: {seed: {int: [0, 9]}}\n",
        ["3:10 the seed is not searched | the winner is confirmed with fresh seeds; see confirm"],
    ),
    # budgets
    "budgets that cannot be spent": (
        HEAD + "search: {depth: {int: [1, 3]}}\nbudget: {trials: 9, steps: 10, target: -1, minutes: 0, epochs: 3}\n",
        [
            "4:18 9 trials, but the space holds 3 recipes | set trials to 3 or less, or repeats: true",
            "4:28 10 steps in all do not pay for one trial of 20 points"
            " | raise steps to 20 or more, or make trials shorter",
            "4:40 val_loss never falls below 0, so the target -1 is never reached",
            "4:53 minutes must be above 0, got 0 | leave it out for no limit",
            "4:56 unknown budget 'epochs' | one of: minutes, steps, target, trials",
        ],
    ),
    "numbers that count nothing": (
        HEAD + RATE + "budget: {trials: 1.5, steps: true, minutes: .inf, target: [1]}\nworkers: 0\nseed: 1.5\n",
        [
            "4:18 trials must be whole, got 1.5",
            "4:30 steps must be a number, got true",
            "4:45 minutes must be a number, got inf",
            "4:59 target must be a number, got a list",
            "5:10 workers must be a whole number from 1 to 4096, got 0",
            "6:7 seed must be a whole number from 0 to 2147483647, got 1.5",
        ],
    ),
    "a target in per cent": (
        "objective: mlp\ngoal: maximize val_accuracy\n" + RATE + "budget: {target: 95}\n",
        ["4:18 val_accuracy never exceeds 1, so the target 95 is never reached | did you mean 0.95?"],
    ),
    "steps that pay for the cheapest trial are enough, those that do not are not": (
        HEAD + "search: {epochs: {int: [5, 50]}}\nbudget: {steps: 4}\n",
        ["4:17 4 steps in all do not pay for one trial of 5 points | raise steps to 5 or more, or make trials shorter"],
    ),
    # the rest
    "settings of the wrong kind": (
        HEAD + RATE + "name: a/b\ndevice: gpu\nrepeats: yes\nconfirm: {top: 0, seed: 1}\nstorage: 3\n",
        [
            "4:7 a study cannot be called 'a/b' | no slashes, at most 200 letters",
            "5:9 there is no device 'gpu' | did you mean 'cuda'?",
            "6:10 repeats is true or false, got 'yes' | did you mean true?",
            "7:16 top must be a whole number from 1 to 1000, got 0 | confirm: none chooses by the search alone",
            "7:19 confirm has no setting 'seed' | did you mean 'seeds'?",
            "8:10 storage must be text, got 3 | write storage: '...'",
        ],
    ),
    "data": (
        HEAD + RATE + "data: {table: {pth: x.csv, target: y, validation: 3}}\n",
        [
            "4:16 data table has no option 'pth' | did you mean 'path'?",
            "4:39 data table: validation must be a share between 0 and 1, got 3",
        ],
    ),
    "data of an unknown name": (
        HEAD + RATE + "data: digit\n",
        ["4:7 there is no bundled data set called 'digit' | did you mean 'digits'?"],
    ),
    "data for a command": (
        "objective: {command: 'sh -c {x}'}\ngoal: minimize loss\nsearch: {x: {float: [0, 1]}}\ndata: digits\n",
        ["4:1 a command takes no data | write it into the command, or under fixed"],
    ),
    # words of other tools, and what YAML makes of them
    "the words of another tool": (
        "objective: mlp\ngoal: minimize val_loss\nparams: {lr: {float: [1e-4, 1e-1], log: true}}\n"
        "pruner: asha\nn_trials: 20\n",
        [
            "3:1 unknown key 'params' | did you mean 'search'?",
            "3:10 mlp has no knob 'lr' | did you mean 'learning_rate'?",
            "4:9 no pruner is called 'asha' | did you mean 'successive-halving'?",
            "5:1 unknown key 'n_trials' | write budget: {trials: ...}",
        ],
    ),
    "a command with braces and no quotes": (
        "objective: {command: python train.py --lr {lr}}\ngoal: minimize loss\nsearch: {lr: {float: [0, 1]}}\n",
        ['1:43 a command with { or } in it is not in quotes | write {command: "python ... {knob}"}'],
    ),
    "a value of YAML in the words of YAML": (
        HEAD + "search: {dropout: {float: [0, 0.5]}}\nfixed: {epochs: true}\nconfirm: true\nworkers: false\n",
        [
            "4:17 epochs takes a whole number, got true",
            "5:10 confirm is none or {top: 3, seeds: 2}, got true | leave it out for that",
            "6:10 workers must be a whole number from 1 to 4096, got false",
        ],
    ),
    # estimators
    "an estimator that does not exist": (
        "objective: sklearn\ngoal: maximize val_accuracy\nfixed: {estimator: RandomForestClasifier}\n"
        "search: {max_depht: {int: [1, 9]}}\n",
        ["3:20 no estimator is called 'RandomForestClasifier' | did you mean 'RandomForestClassifier'?"],
    ),
    "a parameter the estimator does not have": (
        "objective: sklearn\ngoal: maximize val_accuracy\nfixed: {estimator: RandomForestClassifier}\n"
        "search: {max_depht: {int: [1, 9]}}\n",
        ["4:10 sklearn has no knob 'max_depht' | did you mean 'max_depth'?"],
    ),
    "a parameter that only one of the estimators has": (
        "objective: sklearn\ngoal: maximize val_accuracy\nsearch:\n"
        "  estimator: {choice: [SVC, RandomForestClassifier]}\n"
        "  C: {float: [1, 9], when: {estimator: SVC}}\n  max_depth: {int: [1, 9]}\n",
        ["6:3 SVC has no parameter 'max_depth' | write when: {estimator: RandomForestClassifier}"],
    ),
    "no estimator": (
        "objective: sklearn\ngoal: maximize val_accuracy\nsearch: {max_depth: {int: [1, 9]}}\n",
        ["1:12 the knob 'estimator' has no default | add it: fixed: {estimator: ...}"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_said_once_where_it_is(mistakes: Mistakes, text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


WHOLE = {"objective": "mlp", "goal": "minimize val_loss", "search": "{depth: {int: [1, 3]}}"}


@pytest.mark.parametrize("key", WHOLE)
def test_a_key_counts_as_the_one_it_is_nearest_to_wherever_a_letter_is_missing_or_too_many(
    key: str, mistakes: Mistakes
) -> None:
    for place in range(len(key)):
        for typed in (key[:place] + key[place + 1 :], key[:place] + key[place] + key[place:]):
            lines = [f"{typed if name == key else name}: {value}" for name, value in WHOLE.items()]
            (mistake,) = mistakes("\n".join(lines))  # and none that says that the key is missing
            assert f"unknown key {typed!r} | did you mean {key!r}?" in mistake


def test_a_limit_of_the_budget_is_no_misspelt_key_even_where_it_is_near_one(mistakes: Mistakes) -> None:
    assert mistakes(HEAD + RATE + "target: 0.1\nbudget: {trials: 5}\n") == [
        "4:1 unknown key 'target' | write budget: {target: ...}"
    ]


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ("{width: 33, heads: 2}", "cannot be cut into 2 heads"),
        ("{width: 36, heads: 4, positions: rotary}", "rotary turns pairs"),
        ("{tokenizer: bpe, vocabulary: 100}", "too small for bpe"),
    ],
)
def test_sizes_that_fit_in_no_trial_are_told_before_any(
    mistakes: Callable[..., list[str]], fixed: str, said: str
) -> None:
    text = (
        "objective: gpt\ngoal: minimize val_bpb\nsearch: {learning_rate: {float: [0.001, 0.1]}}\nbudget: {trials: 2}\n"
    )
    (mistake,) = mistakes(f"{text}fixed: {fixed}\n")
    assert said in mistake
