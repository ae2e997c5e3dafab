"""What a script says of its search beside its objective: ``create_study``, ``optimize``, samplers and pruners.

Read from its text, where it has plain values; nothing is run. What has no counterpart, or is worked out while the
script runs, is told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
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
    "RandomSampler": ("seed",),
    "BruteForceSampler": ("seed",),
    "MedianPruner": ("n_startup_trials", "n_warmup_steps", "interval_steps"),
    "SuccessiveHalvingPruner": ("min_resource", "reduction_factor"),
    "HyperbandPruner": ("min_resource", "max_resource", "reduction_factor"),
    "PercentilePruner": ("percentile",),
    "enqueue_trial": ("params",),
}


@dataclass
class Planned:
    """What is taken over.

    Attributes:
        function: name of the function that ``optimize`` is given; empty where there is none, or no name.
        handed: (line, text) of what the first ``optimize`` is given.
        others: names of further functions that are optimized.
        directions: ``minimize`` or ``maximize``, one per goal; none where the text does not tell.
        undirected: why it does not.
        keys: keys of a study file: name, sampler, pruner, budget, workers, seed, prior.
        grid: values of each knob that a grid lists.
        left: what has no counterpart here, or is no plain value, in words.
    """

    function: str = ""
    handed: tuple[int, str] | None = None
    others: list[str] = field(default_factory=list)
    directions: list[str] = field(default_factory=list)
    undirected: str = "it creates no study"
    keys: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def plan_of(source: Source, function: str = "") -> Planned:
    """Read a script's plan: that of the study which optimizes a function, of the first where none is named."""
    found, calls = Planned(), list(_calls(source.tree))
    runs = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "optimize"]
    names = [_optimized(call) for call in runs]
    wanted = function or next((name for name in names if name), "")
    chosen = next((call for call, name in zip(runs, names, strict=True) if name == wanted), runs[0] if runs else None)
    found.others = sorted({name for name in names if name and name != wanted})
    made = _made(calls, chosen)
    if made is not None:
        _study(made, _given("create_study", made, source), found, source)
    if chosen is not None:
        _optimize(chosen, _given("optimize", chosen, source), found)
    for call in calls:
        if _name(call.func) in ("enqueue_trial", "set_metric_names") and _owner(call) == _owner(chosen):
            _told(call, _given(_name(call.func), call, source), found)
    return found


def _optimized(call: ast.Call) -> str:
    """Name of the function that an ``optimize`` is given."""
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "func"), None)
    first = first.func if isinstance(first, ast.Call) else first  # what makes it names it
    return first.id if isinstance(first, ast.Name) else ""


def _owner(call: ast.Call | None) -> str:
    """What a method is called on, as text."""
    return ast.unparse(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else ""


def _made(calls: Sequence[ast.Call], chosen: ast.Call | None) -> ast.Call | None:
    """The call that makes the study which is optimized: the last one before that."""
    made = [call for call in calls if _name(call.func) in ("create_study", "load_study")]
    if chosen is not None:
        inside = next((call for call in made if call is getattr(chosen.func, "value", None)), None)
        made = [inside] if inside is not None else [call for call in made if call.lineno <= chosen.lineno]
    return made[-1] if made else None


def _told(call: ast.Call, given: Mapping[str, Any], found: Planned) -> None:
    """What else is said to the study."""
    if _name(call.func) == "set_metric_names":
        found.left.append("the metrics' names: they are value_0, value_1")
        return
    params = given.get("params")
    if not isinstance(params, dict):
        found.left.append("enqueue_trial, whose values are worked out while it runs")
    elif "prior" in found.keys:
        found.left.append("enqueue_trial beyond the first")
    else:
        found.keys["prior"] = params


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
    if isinstance(node, ast.Attribute) and node.attr in ("MINIMIZE", "MAXIMIZE"):  # StudyDirection's
        return node.attr.lower()
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


def _study(call: ast.Call, given: Mapping[str, Any], found: Planned, source: Source) -> None:
    packed = any(keyword.arg is None for keyword in call.keywords)
    direction = given.get("directions") or given.get("direction") or (UNKNOWN if packed else "minimize")
    listed = [direction] if isinstance(direction, str) else direction
    if _name(call.func) == "load_study":
        found.undirected = f"its study is loaded in line {call.lineno}"
    elif isinstance(listed, (list, tuple)) and all(str(item) in ("minimize", "maximize") for item in listed):
        found.directions = [str(item) for item in listed]
    else:
        found.undirected = f"the direction of its study is worked out while it runs (line {call.lineno})"
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
    if len(call.args) > len(_PLACES.get(name, ())) or any(keyword.arg is None for keyword in call.keywords):
        found.left.append(f"some arguments of {name}")
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
    found.function = _optimized(call)
    found.handed = None if first is None else (call.lineno, ast.unparse(first))
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
    elif jobs not in (None, 1):
        found.left.append("n_jobs: choose with --workers")
    for name, value in (("n_trials", trials), ("timeout", seconds)):
        if value is UNKNOWN:
            found.left.append(f"{name}, which is worked out while it runs")
    found.left += [name for name in given if name in ("callbacks", "catch")]
