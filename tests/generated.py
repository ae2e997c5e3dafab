"""Study files made up from the grammar: most of them are studies, of every form and with every key."""

from __future__ import annotations

import random
from typing import Any

import yaml

from hpo.search.studyfile.yaml12 import dump

MODEL = '''
"""An objective with a knob of each kind."""
from typing import Literal


def train(
    *, rate: float = 0.1, width: int = 8, act: Literal["relu", "gelu", "tanh"] = "relu", bias: bool = True,
    name: str = "a", rest: float | None = None, epochs: int = 10, seed: int = 0
):
    for epoch in range(epochs):
        yield {"loss": rate, "acc": 1.0}
'''
"""What ``./model.py`` of the generated files holds."""

METRICS = {"./model.py": ("loss", "acc"), "command": ("value", "loss"), "mlp": ("val_loss", "val_accuracy")}
SCALARS = (0, 1, 16, -3, 0.5, 1e-3, 1e300, "a", "b c", "é", "1e-4", "null", None, True, False)


def generate(draw: random.Random) -> str:
    """The text of a study file."""
    objective = draw.choice(("./model.py", "command", "mlp"))
    names = KNOBS if objective == "./model.py" else MLP if objective == "mlp" else COMMAND
    chosen = draw.sample(sorted(names), draw.randint(1, min(4, len(names))))
    search: dict[str, Any] = {}
    for name in chosen:
        domain = names[name](draw)
        givers = [n for n, other in search.items() if "choice" in other and "when" not in other]
        if givers and draw.random() < 0.4:
            giver = draw.choice(givers)
            values = search[giver]["choice"]
            domain["when"] = {giver: draw.choice((draw.choice(values), draw.sample(values, draw.randint(1, 2))))}
        search[name] = domain
    study: dict[str, Any] = {
        "objective": {"command": _command(chosen, draw)} if objective == "command" else objective,
        "goal": _goals(METRICS[objective], draw),
        "search": search,
    }
    _policies(study, draw)
    for key, value in EXTRAS.items():
        if draw.random() < 0.25:
            study[key] = value(draw)
    if objective != "mlp":
        study.pop("device", None)
    elif draw.random() < 0.5:
        study["data"] = draw.choice(("digits", "iris", {"table": {"path": "data.csv", "target": "y"}}))
    if draw.random() < 0.3:
        study["prior"] = {n: d["choice"][0] if "choice" in d else next(iter(d.values()))[0] for n, d in search.items()}
    left = sorted(set(names) - set(chosen))
    if left and objective != "command" and draw.random() < 0.5:
        name = draw.choice(left)
        domain = names[name](draw)
        study["fixed"] = {name: domain["choice"][0] if "choice" in domain else next(iter(domain.values()))[0]}
    flow = draw.choice((True, False, None))
    text = dump(study) if draw.random() < 0.5 else yaml.safe_dump(study, sort_keys=False, default_flow_style=flow)
    return draw.choice(("", "# What is this?\n")) + str(text)


def _float(draw: random.Random) -> dict[str, Any]:
    low = draw.choice((1e-5, 1e-3, 0.01, 0.1, 0.3))
    ends = [low, low * draw.choice((2, 3, 10, 100))]
    kind = draw.random()
    if kind < 0.3:
        return {"float": ends, "log": True}
    return {"float": ends, "step": low / draw.choice((1, 2, 4))} if kind < 0.5 else {"float": ends}


def _int(draw: random.Random) -> dict[str, Any]:
    low = draw.choice((1, 2, 8))
    ends = [low, low + draw.choice((1, 3, 64))]
    return {"int": ends, **draw.choice(({}, {"log": True}, {"step": 1}, {"step": 2}))}


def _of(*values: Any) -> Any:
    def domain(draw: random.Random) -> dict[str, Any]:
        return {"choice": draw.sample(values, draw.randint(2, len(values)))}

    return domain


KNOBS = {
    "rate": _float, "width": _int, "act": _of("relu", "gelu", "tanh"), "bias": _of(True, False),
    "name": _of("a", "b c", "é", "null", "12:30"), "rest": _of(None, 0.5, 1.0),
}  # fmt: skip
MLP = {
    "learning_rate": _float, "width": _int, "depth": lambda draw: {"int": [0, draw.randint(1, 4)]},
    "batch_size": _of(16, 32, 64), "activation": _of("relu", "gelu", "tanh"), "normalization": _of("none", "layer"),
    "dropout": lambda draw: {"float": [0, 0.5], **draw.choice(({}, {"step": 0.1}))},
    "optimizer": _of("sgd", "adamw", "adam"),
}  # fmt: skip
COMMAND = {
    **{f"k{number}": _float for number in range(3)},
    **{f"n{number}": _int for number in range(3)},
    **{f"c{number}": _of(*SCALARS[2:]) for number in range(3)},
}


def _command(knobs: list[str], draw: random.Random) -> str:
    words = [f"--{knob}={{{knob}}}" for knob in knobs if draw.random() < 0.7]
    return " ".join([draw.choice(("python train.py", "true", "sh -c 'echo 1'")), *words])


def _goals(metrics: tuple[str, ...], draw: random.Random) -> Any:
    def goal(metric: str) -> str:
        side = "maximize" if "acc" in metric else "minimize"
        return f"{side} {draw.choice(('', '', 'best ', 'last ', 'mean '))}{metric}"

    return goal(metrics[0]) if draw.random() < 0.75 else [goal(metric) for metric in metrics]


def _policies(study: dict[str, Any], draw: random.Random) -> None:
    """Budget, sampler and pruner, which depend on one another and on the goals."""
    several = isinstance(study["goal"], list)
    kinds = [{"trials": draw.randint(1, 9)}, {"steps": draw.choice((100, 2000))}, {"minutes": draw.choice((0.5, 10))}]
    if not several:
        kinds.append({"target": 0.5})
    if draw.random() < 0.7:
        study["budget"] = {key: value for kind in draw.sample(kinds, 2) for key, value in kind.items()}
    if draw.random() < 0.7:
        samplers = ["random", "qmc", "tpe", {"tpe": {"n_startup_trials": draw.randint(1, 20)}}]
        samplers.append({"warmup": {"first": "qmc", "then": "tpe", "trials": draw.randint(1, 9)}})
        samplers += ["nsga2"] if several else ["gp", "freeze-thaw", "cmaes", "grid"]
        study["sampler"] = draw.choice(samplers)
    if study.get("sampler") != "freeze-thaw" and draw.random() < 0.5:
        of_goal = {"goal": study["goal"][0].split()[-1]} if several else {}
        pruners = ["none", {"median": of_goal}, {"percentile": {"percentile": 25.0, **of_goal}}]
        if not several:
            pruners += ["hyperband", "learning-curve", {"patient": {"of": "median", "patience": 2}}, "by-points"]
        study["pruner"] = draw.choice(pruners)


EXTRAS: dict[str, Any] = {
    "name": lambda draw: draw.choice(("a", "a study", "é", "2024")),
    "seed": lambda draw: draw.choice((0, 7, 2**31 - 1)),
    "repeats": lambda draw: draw.random() < 0.5,
    "workers": lambda draw: draw.choice((1, 2, 16)),
    "confirm": lambda draw: draw.choice(("none", {"top": 2}, {"top": 5, "seeds": 1})),
    "storage": lambda draw: draw.choice(("s.db", "a/s.journal", "postgresql://u:p@h/d", ":memory:")),
    "device": lambda draw: draw.choice(("cpu", "auto")),
    "start_from": lambda draw: None,
    "metric": lambda draw: None,
    "record": lambda draw: None,
    "warm_start": lambda draw: draw.choice(("earlier", ["one", "two"])),
}
