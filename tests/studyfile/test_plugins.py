"""Samplers, pruners and executors in study files: mistakes, each said once, where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

Mistakes = Callable[..., list[str]]

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
RATE = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}\n"

CASES: Mapping[str, tuple[str, list[str]]] = {
    "plug-ins that do not exist": (
        HEAD + RATE + "sampler: tpee\npruner: successive_halving\nexecutor: {proceses: {workers: 2}}\n",
        [
            "4:10 no sampler is called 'tpee' | did you mean 'tpe'?",
            "5:9 no pruner is called 'successive_halving' | did you mean 'successive-halving'?",
            "6:12 no executor is called 'proceses' | did you mean 'processes'?",
        ],
    ),
    "options that do not exist, also of nested ones": (
        HEAD + RATE + "sampler: {warmup: {first: {tpe: {n_start: 2}}, then: {cmaes: {sigma: 1}}}}\npruner: [median]\n",
        [
            "4:34 tpe has no option 'n_start' | did you mean 'n_startup_trials'?",
            "4:63 cmaes has no option 'sigma' | did you mean 'sigma0'?",
            "5:9 pruner is a name or {name: options}, got a list",
        ],
    ),
    "options beside the name": (
        HEAD + RATE + "sampler:\n  tpe:\n  n_startup_trials: 5\n",
        ["5:3 sampler is a name or {name: options}, got 2 names | did you mean {tpe: {n_startup_trials: ...}}?"],
    ),
    "an option that must be given, and one of the wrong type": (
        HEAD + RATE + "sampler: {warmup: {first: qmc}}\npruner: {median: {n_startup_trials: few}}\n",
        [
            "4:11 warmup needs the option 'then' | write {warmup: {then: tpe}}",
            "5:37 n_startup_trials takes a whole number, got 'few'",
        ],
    ),
    "a grid over ranges without steps": (
        HEAD
        + "search: {dropout: {float: [0, 0.5]}, momentum: {float: [0, 0.9]}, depth: {int: [1, 2]}}\nsampler: grid\n",
        [
            "4:10 grid cannot enumerate dropout, a continuous range without steps | "
            "give dropout a step, or list values with choice",
            "4:10 grid cannot enumerate momentum, a continuous range without steps | "
            "give momentum a step, or list values with choice",
        ],
    ),
    "a grid without end": (
        HEAD + "search: {width: {int: [1, 9000000000]}}\nsampler: grid\n",
        [
            "4:10 grid would have to enumerate more than a million recipes | "
            "give ranges longer steps, or use tpe, qmc or random"
        ],
    ),
    "cmaes on choices only": (
        HEAD + "search: {optimizer: {choice: [sgd, adam]}}\nsampler: cmaes\n",
        ["4:10 cmaes searches numbers, and this space has choices only | use tpe, or grid"],
    ),
    "cmaes on numbers with conditions only": (
        HEAD + "search: {optimizer: {choice: [sgd, adam]}, momentum: {float: [0, 0.9], when: {optimizer: sgd}}}\n"
        "sampler: cmaes\n",
        ["4:10 cmaes needs a number without a condition, and every one here has one | use tpe"],
    ),
    "what a nested sampler needs": (
        HEAD + RATE + "sampler: {warmup: {first: grid, then: tpe}}\n",
        [
            "4:10 grid cannot enumerate learning_rate, a continuous range without steps | "
            "give learning_rate a step, or list values with choice"
        ],
    ),
    "pruning by one of several goals": (
        "objective: mlp\ngoal: [minimize val_loss, maximize val_accuracy]\n"
        + RATE
        + "sampler: cmaes\npruner: median\n",
        [
            "4:10 cmaes searches for one goal, the study has 2 | use nsga2 or tpe",
            "5:9 pruning needs to know by which of the goals | write {median: {goal: val_loss}}",
        ],
    ),
    "pruning by a goal that is none": (
        HEAD + RATE + "pruner: {median: {goal: val_los}}\n",
        ["4:25 the study has no goal 'val_los' | did you mean 'val_loss'?"],
    ),
    "the goal belongs to the outer pruner": (
        HEAD + RATE + "pruner: {patient: {of: {median: {goal: val_loss}}}}\n",
        ["4:34 median has no option 'goal' | one of: interval_steps, n_min_trials, n_startup_trials, n_warmup_steps"],
    ),
    "executors that cannot do it": (
        "objective: sklearn\ngoal: maximize val_accuracy\nfixed: {estimator: SVC}\nsearch: {C: {float: [1, 9]}}\n"
        "executor: cohort\nworkers: 3\n",
        [
            "5:11 sklearn trains by itself, so its trials cannot form a cohort | "
            "use inline or processes, or give the file build and data",
        ],
    ),
    "workers for an executor without": (
        HEAD + RATE + "executor: inline\nworkers: 3\n",
        ["5:10 the executor inline has no workers | use executor: processes"],
    ),
    "a pruner beside a policy": (
        HEAD + RATE + "sampler: freeze-thaw\npruner: median\nbudget: {steps: 100}\n",
        [
            "5:9 freeze-thaw decides by itself what goes on, so a pruner does nothing | "
            "drop the pruner, or take another sampler"
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_said_once_where_it_is(mistakes: Mistakes, text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected
