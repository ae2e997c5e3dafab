"""Study files: what they mean, and what each mistake says, once, where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpo.objectives.data import KINDS, NAMES
from hpo.search import registry
from hpo.search.budget import Budget
from hpo.search.errors import StudyFileError, UserError
from hpo.search.objective.describe import describe
from hpo.search.objective.live import live
from hpo.search.space import Choice, Float, Int, Parameter
from hpo.search.study import Confirm, Goal, Plugin, Study
from hpo.search.studyfile.plugins import known_names
from hpo.search.studyfile.reader import KEYS, find, read
from hpo.search.studyfile.yaml12 import parse

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
KNOBS = describe("mlp", Path()).signature.knobs
OPTIMIZERS, SCHEDULES = (", ".join(KNOBS[name].options) for name in ("optimizer", "schedule"))
WAYS = "write {float: [low, high]}, {int: [low, high]} or {choice: [a, b]}"
RATE = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}\n"


def study(folder: Path, text: str, overrides: Sequence[tuple[str, str]] = ()) -> Study:
    (folder / "s.yaml").write_text(text)
    return read(folder / "s.yaml", overrides)


def mistakes(folder: Path, text: str | bytes, overrides: Sequence[tuple[str, str]] = ()) -> list[str]:
    """``line:column message | hint`` of each; a flag's place begins with the flag."""
    (folder / "s.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StudyFileError) as caught:
        read(folder / "s.yaml", overrides)
    shown = []
    for mistake in caught.value.mistakes:
        flag = f"{mistake.source}:" if mistake.source.startswith("--") else ""
        hint = f" | {mistake.hint}" if mistake.hint else ""
        shown.append(f"{flag}{mistake.line}:{mistake.column} {mistake.message}{hint}")
    return shown


def test_a_study_file_means_what_it_says(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        """# How fast should it learn?
objective: mlp
goal: [minimize last val_loss, maximize val_accuracy]
search:
  momentum: {float: [0, 0.9], step: 0.3, when: {optimizer: sgd}}
  optimizer: {choice: [sgd, adamw]}
  width: {int: [16, 64], step: 16}
  batch_size: {choice: [1e1, 32]}
fixed: {epochs: 3e1}
""",
    )
    assert found.name == "s"
    assert found.question == "How fast should it learn?"
    assert found.goals == (Goal("val_loss", "minimize", "last"), Goal("val_accuracy", "maximize"))
    assert found.space.parameters == (
        Parameter("optimizer", Choice(("sgd", "adamw"))),
        Parameter("width", Int(16, 64, step=16)),
        Parameter("batch_size", Choice((10, 32))),
        Parameter("momentum", Float(0.0, 0.9, step=0.3), when=(("optimizer", ("sgd",)),)),
    )
    assert repr(found.fixed) == "{'epochs': 30}"
    assert found.budget == Budget(trials=40)
    assert (found.sampler, found.pruner, found.executor, found.workers) == (None, None, None, 1)
    assert (found.confirm, found.seed, found.data, found.device, found.repeats) == (Confirm(), 0, None, "cpu", False)
    assert found.folder == tmp_path


def test_the_recorded_text_is_a_study_again_without_its_storage(tmp_path: Path) -> None:
    text = "# Why?\n" + HEAD + RATE + "storage: postgresql://me:secret@host/db\nconfirm: none\n"
    found = study(tmp_path, text, [("seed", "4")])
    assert found.storage == "postgresql://me:secret@host/db"
    assert "secret" not in found.text
    again = study(tmp_path, found.text)
    assert (again.question, again.seed, again.space, again.confirm) == ("Why?", 4, found.space, None)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("", Budget(trials=50)), ("budget: {}", Budget(trials=50)), ("budget: {target: 0.1}", Budget(50, target=0.1)),
        ("budget: {minutes: 5}", Budget(minutes=5.0)), ("budget: {steps: 900}", Budget(steps=900)),
        ("budget: {trials: 1e3, steps: 99}", Budget(1000, 99)),
    ],
)  # fmt: skip
def test_a_budget_without_a_limit_gets_fifty_trials(tmp_path: Path, budget: str, expected: Budget) -> None:
    assert study(tmp_path, HEAD + RATE + budget).budget == expected


def test_a_grid_without_a_budget_is_finished(tmp_path: Path) -> None:
    grid = "search: {width: {int: [1, 80]}, depth: {int: [1, 3]}}\nsampler: grid\n"
    assert study(tmp_path, HEAD + grid).budget == Budget(trials=240)
    assert study(tmp_path, HEAD + "search: {depth: {int: [1, 3]}}\n").budget == Budget(trials=3)


def test_plugins_nest(tmp_path: Path) -> None:
    text = "sampler: {warmup: {first: qmc, then: {tpe: {n_startup_trials: 2e0}}}}\npruner: null\nexecutor: {inline: }\n"
    found = study(tmp_path, HEAD + RATE + text)
    assert found.sampler == Plugin("warmup", {"first": Plugin("qmc"), "then": Plugin("tpe", {"n_startup_trials": 2})})
    assert repr(found.sampler.options["then"].options["n_startup_trials"]) == "2"
    assert found.pruner == Plugin("none")
    assert found.executor == Plugin("inline")


UNREADABLE = """
from dataclasses import dataclass, field
from settings_of_mine import DEFAULTS, Base, Recipe

@dataclass
class Mine(Base):
    learning_rate: float = DEFAULTS["rate"]
    layers: list[int] = field(default_factory=list)

def train(recipe: Mine): ...
def fit(recipe: Recipe): ...
def build(recipe): ...
def data(): ...
"""


@pytest.mark.parametrize("function", ["", ":fit"])
def test_an_objective_that_cannot_be_read_gives_no_false_mistakes(tmp_path: Path, function: str) -> None:
    (tmp_path / "my.py").write_text(UNREADABLE)
    text = f"objective: ./my.py{function}\ngoal: minimize anything\nfixed: {{layers: [3, 4], deep: {{a: 1}}}}\n"
    found = study(tmp_path, text + "search: {learning_rate: {float: [0, 1]}, whatever: {choice: [a, 1]}}\n")
    assert found.fixed == {"layers": [3, 4], "deep": {"a": 1}}


def test_what_is_known_of_an_open_objective_is_still_checked(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("def build(recipe): ...\ndef data(): ...\n")
    text = "objective: ./my.py\ngoal: minimize val_loss\nsearch: {anything: {int: [1, 3]}}\nfixed: {momentum: 2}\n"
    assert mistakes(tmp_path, text) == ["4:19 momentum must be at least 0 and below 1, got 2"]


def test_a_function_of_this_process_stays_in_it(tmp_path: Path) -> None:
    data = {"objective": live(lambda x: x), "goal": "minimize value", "search": {"x": {"float": [0, 1]}}}
    assert read(data).objective == "live:test_a_function_of_this_process_stays_in_it.<locals>.<lambda>"
    with pytest.raises(StudyFileError, match="put it in a file of its own"):
        read({**data, "workers": 2})


@pytest.mark.parametrize("name", registry.names("study"))
def test_every_shipped_study_is_one_and_asks_a_question(name: str) -> None:
    found = read(name)
    assert found.name == name
    assert found.question.endswith(("?", "."))


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
        ["1:12 objective must be text, got a list | a name, a file such as ./my_model.py, or {command: ...}"],
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
            "3:35 batch_size takes a whole number, got 2.5",
            "3:40 batch_size takes a whole number, got 'big'",
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
    # budgets
    "budgets that cannot be spent": (
        HEAD + "search: {depth: {int: [1, 3]}}\nbudget: {trials: 9, steps: 10, target: -1, minutes: 0, epochs: 3}\n",
        [
            "4:18 9 trials, but the space holds 3 recipes | set trials to 3 or less, or repeats: true",
            "4:28 10 steps in all do not pay for one trial of 20 epochs | raise steps to 20 or more, or lower epochs",
            "4:40 val_loss never falls below 0, so the target -1 is never reached",
            "4:53 minutes must be above 0, got 0 | leave it out for no limit",
            "4:56 unknown budget 'epochs' | one of: minutes, steps, target, trials",
        ],
    ),
    "numbers that count nothing": (
        HEAD + RATE + "budget: {trials: 1.5, steps: true, minutes: .inf, target: [1]}\nworkers: 0\nseed: 1.5\n",
        [
            "4:18 trials must be whole, got 1.5",
            "4:30 steps must be a number, got True",
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
        ["4:17 4 steps in all do not pay for one trial of 5 epochs | raise steps to 5 or more, or lower epochs"],
    ),
    # plug-ins
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
    "a pruner beside a policy": (
        HEAD + RATE + "sampler: freeze-thaw\npruner: median\nbudget: {steps: 100}\n",
        [
            "5:9 freeze-thaw decides by itself what goes on, so a pruner does nothing | "
            "drop the pruner, or take another sampler"
        ],
    ),
    "no estimator": (
        "objective: sklearn\ngoal: maximize val_accuracy\nsearch: {max_depth: {int: [1, 9]}}\n",
        ["1:12 the knob 'estimator' has no default | add it: fixed: {estimator: ...}"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_is_said_once_where_it_is(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert mistakes(tmp_path, text) == expected


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
    tmp_path: Path, overrides: list[tuple[str, str]], expected: list[str]
) -> None:
    assert mistakes(tmp_path, HEAD + RATE, overrides) == expected


def test_mistakes_of_the_file_and_of_flags_are_said_together(tmp_path: Path) -> None:
    found = mistakes(tmp_path, HEAD + RATE + "pruner: medan\n", [("workers", "0"), ("sead", "1")])
    assert found == [
        "--sead:1:1 unknown key 'sead' | did you mean 'seed'?",
        "--workers:1:1 workers must be a whole number from 1 to 4096, got 0",
        "4:9 no pruner is called 'medan' | did you mean 'median'?",
    ]


def test_flags_are_laid_over_the_file(tmp_path: Path) -> None:
    text = HEAD + "search: {learning_rate: {float: [1e-4, 1e-1]}, depth: {int: [1, 2]}}\nfixed: {width: 8, epochs: 9}\n"
    flags = [
        ("budget.trials", "7"), ("sampler", "{tpe: {n_startup_trials: 3}}"), ("set", "learning_rate=0.01"),
        ("set", "dropout={float: [0, 0.3]}"), ("set", "width={choice: [8, 16]}"), ("name", "12:30"),
        ("confirm", "none"),
    ]  # fmt: skip
    found = study(tmp_path, text, flags)
    assert found.budget == Budget(trials=7)
    assert found.sampler == Plugin("tpe", {"n_startup_trials": 3})
    assert found.fixed == {"epochs": 9, "learning_rate": 0.01}
    assert found.space.names() == ("depth", "dropout", "width")
    assert (found.name, found.confirm) == ("12:30", None)


def test_a_flag_repairs_what_the_file_has_wrong(tmp_path: Path) -> None:
    assert study(tmp_path, HEAD + RATE + "seed: x\n", [("seed", "3")]).seed == 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "1:1 the file is empty"),
        (b"\xef\xbb\xbf", "1:1 the file is empty"),
        (b"a: 1\nb: \xe9\n", "2:4 this is not UTF-8 text (byte 0xe9)"),
        ("a: 1".encode("utf-16"), "1:1 this is not UTF-8 text (byte 0xff)"),
        (b"\xef\xbb\xbf" + (HEAD + RATE + "x: 1\n").replace("\n", "\r\n").encode(), "4:1 unknown key 'x'"),
    ],
)  # fmt: skip
def test_what_bytes_a_file_is_made_of(tmp_path: Path, raw: bytes, expected: str) -> None:
    (found,) = mistakes(tmp_path, raw)
    assert found.startswith(expected)


def test_a_mapping_is_a_study_and_odd_objects_are_refused() -> None:
    data: dict[str, Any] = {"objective": "mlp", "goal": "minimize val_loss", "search": {"depth": {"int": [1, 3]}}}
    assert read(data).space["depth"].domain == Int(1, 3)
    with pytest.raises(StudyFileError, match="depth must be a range"):
        read({**data, "search": {"depth": None}})
    with pytest.raises(UserError, match="plain data"):
        read({**data, "seed": object()})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "no study is called 'nosuch'"),
        ("lr-bach", "did you mean 'lr-batch'?"),
        ("s", "did you mean --study s.yaml?"),
        ("./t.yaml", "there is no study file ./t.yaml: did you mean 's.yaml'?"),
        ("./folder.yaml", "is a folder"),
        ("nowhere/x.yaml", "there is no study file nowhere/x.yaml"),
        ("x" * 5000 + ".yaml", "there is no study file"),
        ("a\0b/c.yaml", "there is no study file"),
        ("~nobody-of-this-name/x.yaml", "there is no study file"),
        ("", "no study is called ''"),
    ],
)
def test_a_study_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text("")
    (tmp_path / "folder.yaml").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        find(name)
    assert message in str(caught.value)


def test_the_shown_message_is_clickable_and_marked(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD + RATE + "sampler: tpee\n")
    with pytest.raises(StudyFileError) as caught:
        read(tmp_path / "s.yaml")
    assert str(caught.value) == (
        f"{tmp_path / 's.yaml'}:4:10: no sampler is called 'tpee'\n"
        "4 | sampler: tpee\n"
        "  |          ^^^^ did you mean 'tpe'?"
    )  # fmt: skip


def test_reading_writes_nothing_and_leaves_the_parsed_text_alone(tmp_path: Path) -> None:
    text = HEAD + RATE
    study(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
    assert parse(study(tmp_path, text).text).plain() == parse(text).plain()


DOCUMENT = Path(__file__).parent.parent / "docs" / "study-file.md"


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="runs in a checkout")
class TestTheReference:
    def test_its_complete_studies_are_studies(self, tmp_path: Path) -> None:
        blocks = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
        assert len(blocks) >= 5
        for block in blocks:
            assert study(tmp_path, block).question

    def test_its_fragments_are_yaml(self) -> None:
        for block in re.findall(r"^```yaml fragment\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                assert line.startswith("#") or parse(line).value

    def test_its_mistakes_are_shown_as_they_print(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (shown,) = re.findall(r"^```\n(mystudy.*?)\n```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
        lines = dict(re.findall(r"^(\d+) \| (.*)$", shown, re.MULTILINE))
        (tmp_path / "mystudy.yaml").write_text(HEAD + "\n".join(lines.values()) + "\n")
        with pytest.raises(StudyFileError) as caught:
            read("mystudy.yaml")
        assert str(caught.value) == shown

    def test_it_names_every_key_plugin_and_objective(self) -> None:
        text = DOCUMENT.read_text()
        named = [*KEYS, *known_names("sampler"), *registry.names("pruner"), *registry.names("executor")]
        for name in [*named, *registry.names("objective"), *NAMES, *KINDS]:
            assert f"`{name}`" in text or f"{name}: {{" in text, f"{name} is missing"


@pytest.mark.parametrize(("budget", "trials"), [("", 50), ("budget: {trials: 60}\n", 60)])
def test_freeze_thaw_is_content_with_a_number_of_trials(tmp_path: Path, budget: str, trials: int) -> None:
    read_back = study(tmp_path, HEAD + RATE + budget + "sampler: freeze-thaw\n")
    assert read_back.budget == Budget(trials=trials)
