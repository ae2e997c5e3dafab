"""What a script says of its search beside its objective: ``create_study``, ``optimize``, samplers and pruners.

Read from its text, where it has plain values; nothing is run. What has no counterpart, or is worked out while the
script runs, is told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.search.describe.annotations import value_of
from hpo.search.describe.source import Source
from hpo.search.terms.knobs import UNKNOWN

SAMPLERS = {
    "TPESampler": "tpe", "RandomSampler": "random", "CmaEsSampler": "cmaes", "GPSampler": "gp", "QMCSampler": "qmc",
    "NSGAIISampler": "nsga2", "GridSampler": "grid", "BruteForceSampler": "grid",
}  # fmt: skip
PRUNERS = {
    "MedianPruner": "median", "PercentilePruner": "percentile", "SuccessiveHalvingPruner": "successive-halving",
    "HyperbandPruner": "hyperband", "ThresholdPruner": "threshold", "WilcoxonPruner": "wilcoxon", "NopPruner": "none",
    "PatientPruner": "patient",
}  # fmt: skip
_PLACES = {
    "optimize": ("func", "n_trials", "timeout", "n_jobs"),
    "create_study": (),
    "PatientPruner": ("wrapped_pruner", "patience"),
    "GridSampler": ("search_space",),
    "PercentilePruner": ("percentile",),
    "enqueue_trial": ("params",),
}


@dataclass
class Planned:
    """What is taken over.

    Attributes:
        function: name of the function that ``optimize`` is given; empty where there is none.
        directions: ``minimize`` or ``maximize``, one per goal.
        keys: keys of a study file: name, sampler, pruner, budget, workers, seed, prior.
        grid: values of each knob that a grid lists.
        left: what has no counterpart here, or is no plain value, in words.
    """

    function: str = ""
    directions: list[str] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def plan_of(source: Source) -> Planned:
    """Read a script's plan."""
    found = Planned()
    for call in _calls(source.tree):
        name = _name(call.func)
        given = _given(name, call, source)
        if name == "create_study":
            _study(given, found, source)
        elif name == "optimize" and isinstance(call.func, ast.Attribute):
            _optimize(call, given, found)
        elif name == "enqueue_trial":
            params = given.get("params")
            if isinstance(params, dict):
                found.keys["prior"] = params
            else:
                found.left.append("enqueue_trial, whose values are worked out while it runs")
    return found


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls in the order of the text."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    yield from sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _given(name: str, call: ast.Call, source: Source) -> dict[str, Any]:
    """Arguments by name; a value that is itself a call stays the call."""
    nodes = dict(zip(_PLACES.get(name, ()), call.args, strict=False))
    nodes |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    return {key: _plain(node, source) for key, node in nodes.items()}


def _plain(node: ast.expr, source: Source) -> Any:
    if isinstance(node, ast.Name):
        held = source.find(node)
        if held is not None and isinstance(held[1], ast.Assign) and isinstance(held[1].value, ast.Call):
            return held[1].value
        local = [
            statement.value
            for statement in ast.walk(source.tree)
            if isinstance(statement, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == node.id for target in statement.targets)
        ]
        if len(local) == 1 and held is None:
            return local[0] if isinstance(local[0], ast.Call) else value_of(local[0], source.find)
    return node if isinstance(node, ast.Call) else value_of(node, source.find)


def _study(given: Mapping[str, Any], found: Planned, source: Source) -> None:
    direction = given.get("directions") or given.get("direction") or "minimize"
    listed = [direction] if isinstance(direction, str) else direction
    if isinstance(listed, (list, tuple)) and all(str(item) in ("minimize", "maximize") for item in listed):
        found.directions = [str(item) for item in listed]
    else:
        found.left.append("the direction, which is worked out while it runs: give --set or a study file with goal")
    if isinstance(given.get("study_name"), str):
        found.keys["name"] = given["study_name"]
    if "storage" in given and given["storage"] is not None:
        found.left.append("storage: studies lie in hpo.db; choose with --storage")
    for key, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if given.get(key) is not None:
            plugin = _plugin(given[key], known, found, source, key)
            if plugin is not None:
                found.keys[key] = plugin


def _plugin(call: Any, known: Mapping[str, str], found: Planned, source: Source, key: str) -> Any:
    name = _name(call.func) if isinstance(call, ast.Call) else ""
    if name not in known:
        found.left.append(f"the {key}{f' {name}' if name else ''}, for which there is no counterpart")
        return None
    options, given = dict[str, Any](), _given(name, call, source)
    takes = _options(key, known[name])
    for option, value in given.items():
        if option == "seed" and isinstance(value, int):
            found.keys["seed"] = value
        elif name == "GridSampler" and option == "search_space" and isinstance(value, dict):
            found.grid = {str(knob): list(values) for knob, values in value.items()}
        elif option == "wrapped_pruner":
            inner = _plugin(value, known, found, source, key)
            options |= {} if inner is None else {"of": inner}
        elif option in takes and value is not UNKNOWN and not isinstance(value, ast.Call):
            options[option] = value
        elif value is not None and value != "auto":
            found.left.append(f"{name}({option}=...)")
    return {known[name]: options} if options else known[name]


def _options(kind: str, name: str) -> frozenset[str]:
    """Options of a sampler or pruner of ours."""
    from hpo.search.terms import registry

    signature = Source(registry.path(kind, name)).signature("make", skip_first=True)
    return frozenset() if signature is None else frozenset(signature.knobs)


def _optimize(call: ast.Call, given: Mapping[str, Any], found: Planned) -> None:
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "func"), None)
    if isinstance(first, ast.Name):
        found.function = first.id
    elif isinstance(first, ast.Lambda) and isinstance(first.body, ast.Call):
        found.left.append(f"what {ast.unparse(first)} hands to {_name(first.body.func)}")
    budget: dict[str, float] = {}
    trials, seconds, jobs = given.get("n_trials"), given.get("timeout"), given.get("n_jobs")
    if isinstance(trials, int) and trials > 0:
        budget["trials"] = trials
    if isinstance(seconds, (int, float)) and seconds > 0:
        budget["minutes"] = round(seconds / 60, 4)
    if budget:
        found.keys["budget"] = budget
    if isinstance(jobs, int) and jobs > 1:
        found.keys["workers"] = jobs
    for name, value in (("n_trials", trials), ("timeout", seconds)):
        if value is UNKNOWN:
            found.left.append(f"{name}, which is worked out while it runs")
    found.left += [name for name in given if name in ("callbacks", "catch")]
