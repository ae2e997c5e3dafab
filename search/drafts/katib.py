"""A Katib experiment: parameters, objective, algorithm, counts, and the command of its trial template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.drafts.common.programs import placeholder, set_program
from hpo.search.drafts.common.ranges import is_number, number, span
from hpo.search.drafts.common.taken import goal, leave, search

_ALGORITHMS = {
    "random": "random", "grid": "grid", "tpe": "tpe", "multivariate-tpe": "tpe", "bayesianoptimization": "gp",
    "cmaes": "cmaes", "sobol": "qmc", "hyperband": "tpe",
}  # fmt: skip
_STOPPING = {"medianstop": "median"}


MARK = "a Katib experiment (apiVersion: kubeflow.org/...)"


def takes(given: Given) -> bool:
    """Whether the file is an experiment."""
    content = given.content
    return isinstance(content, dict) and str(content.get("apiVersion", "")).startswith("kubeflow.org/")


def draft(given: Given) -> Draft:
    """The experiment as a study."""
    content, source = given.content, given.source
    assert source is not None
    spec = _mapping(content.get("spec"))
    name = _mapping(content.get("metadata")).get("name") or source.stem
    made = Draft(source.stem, f"What the experiment {name} asks")
    made.study = {"objective": None, "goal": None, "search": {}}
    for parameter in spec.get("parameters") or []:
        _parameter(made, _mapping(parameter))
    aim = _mapping(spec.get("objective"))
    made.study["goal"] = goal(aim.get("type", "minimize"), aim.get("objectiveMetricName", "val_loss"))
    leave(made, aim.keys() - {"type", "objectiveMetricName", "goal"}, "objective.")
    made.why["goal"] = "Katib takes the last value of a trial unless told otherwise"
    budget = {"trials": spec.get("maxTrialCount"), "target": number(aim.get("goal"))}
    made.study["budget"] = {key: value for key, value in budget.items() if is_number(value)} or {"trials": 50}
    if isinstance(spec.get("parallelTrialCount"), int) and spec["parallelTrialCount"] > 1:
        made.study["workers"] = spec["parallelTrialCount"]
    _search(made, spec)
    _program(made, given, _mapping(spec.get("trialTemplate")))
    taken = {
        "parameters", "objective", "algorithm", "maxTrialCount", "parallelTrialCount", "trialTemplate", "earlyStopping",
    }  # fmt: skip
    leave(made, spec.keys() - taken, "spec.")
    leave(made, content.keys() - {"apiVersion", "kind", "metadata", "spec"})
    return made


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _parameter(made: Draft, parameter: Mapping[str, Any]) -> None:
    name, kind = str(parameter.get("name")).lstrip("-"), parameter.get("parameterType")
    space = _mapping(parameter.get("feasibleSpace"))
    low, high, step = (number(space.get(key)) for key in ("min", "max", "step"))
    if isinstance(space.get("list"), list):
        search(made, name, {"choice": [number(value) for value in space["list"]]}, space)
    elif is_number(low) and is_number(high):
        log = "log" in str(space.get("distribution", "")).lower()
        if not log and is_number(step):
            made.study["search"][name] = span("int" if kind == "int" else "float", low, high, step=step)
        else:
            made.study["search"][name] = span("int" if kind == "int" else "float", low, high, log=log)
            if space.get("step") is not None:
                made.left.append(f"{name}: steps of {space['step']}; on this scale it has none")
    else:
        search(made, name, None, dict(space))


def _search(made: Draft, spec: Mapping[str, Any]) -> None:
    algorithm = _mapping(spec.get("algorithm"))
    name = algorithm.get("algorithmName")
    if name in _ALGORITHMS:
        made.study["sampler"] = _ALGORITHMS[name]
    elif name:
        made.left.append(f"algorithm {name}: the default sampler takes its place")
    if algorithm.get("algorithmSettings"):
        made.left.append("algorithmSettings: the sampler's own defaults take their place")
    stopping = _mapping(spec.get("earlyStopping")).get("algorithmName")
    if name == "hyperband":
        made.study["pruner"] = "hyperband"
    elif stopping in _STOPPING:
        made.study["pruner"] = _STOPPING[stopping]
    elif stopping is None:
        made.study["pruner"] = "none"
        made.why["pruner"] = "the experiment stops no trial early; without this line weak trials are stopped"
    else:
        made.left.append(f"earlyStopping {stopping}: the default pruner takes its place")


def _program(made: Draft, given: Given, template: Mapping[str, Any]) -> None:
    source = given.source
    assert source is not None
    known = {
        str(entry.get("name")): str(entry.get("reference")).lstrip("-")
        for entry in map(_mapping, template.get("trialParameters") or [])
    }
    container: Mapping[str, Any] = next(_containers(template.get("trialSpec")), {})
    words = [str(word) for key in ("command", "args") for word in container.get(key) or []]
    if not words:
        made.asks.append("the trial template names no command: put yours under objective")
        set_program(made, given, source.parent / "train.py", None)
        return
    filled = [
        re.sub(r"\$\{trialParameters\.([\w-]+)\}", lambda m: placeholder(known.get(m[1], m[1])), word) for word in words
    ]
    set_program(made, given, source.parent / "train.py", filled)
    if container.get("image"):
        made.left.append(f"image {container['image']}: the command runs here, in the study file's folder")


def _containers(node: Any) -> Any:
    """Every container of a trial's specification, wherever it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("containers"), list):
            yield from map(_mapping, node["containers"])
        for inner in node.values():
            yield from _containers(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _containers(inner)
