"""Hydra's Optuna sweeper: params, direction, trials, jobs, sampler; the application runs once a trial."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.describe.source import Source
from hpo.search.describe.told_metrics import metrics_of
from hpo.search.describe.trial_plan import SAMPLERS
from hpo.search.drafts.common.programs import placeholder, set_program
from hpo.search.drafts.common.ranges import is_number, span
from hpo.search.drafts.common.taken import fix, goal, leave, search
from hpo.search.studyfile.scriptstudy import goal_among
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms.errors import StudyFileError

_CALL = re.compile(r"(\w+)\((.*)\)\s*\Z", re.DOTALL)
_TAKEN = ("params", "search_space", "direction", "n_trials", "n_jobs", "sampler", "study_name", "_target_", "storage")


MARK = "Hydra's Optuna sweeper (hydra.sweeper)"


def takes(given: Given) -> bool:
    """Whether the file configures a sweeper."""
    content = given.content
    hydra = content.get("hydra") if isinstance(content, dict) else None
    return isinstance(hydra, dict) and isinstance(hydra.get("sweeper"), dict)


def draft(given: Given) -> Draft:
    """The sweep as a study."""
    source, content = given.source, given.content
    assert source is not None
    sweeper = content["hydra"]["sweeper"]
    name = sweeper.get("study_name")
    made = Draft(str(name) if name else source.stem, f"What the sweep of {source.name} asks")
    made.study = {"objective": None, "goal": None, "search": {}, "fixed": {}}
    for knob, said in {**(sweeper.get("search_space") or {}), **(sweeper.get("params") or {})}.items():
        _knob(made, str(knob), said, source.parent)
    made.study["budget"] = {"trials": sweeper.get("n_trials", 20)}
    _sampler(made, content, sweeper)
    if isinstance(sweeper.get("n_jobs"), int) and sweeper["n_jobs"] > 1:
        made.study["workers"] = sweeper["n_jobs"]
    if sweeper.get("storage"):
        made.left.append("storage: studies lie in hpo.db; choose with --storage")
    leave(made, sweeper.keys() - set(_TAKEN), "hydra.sweeper.")
    leave(made, content["hydra"].keys() - {"sweeper"}, "hydra.")
    leave(made, content.keys() - {"hydra", "defaults"}, why="the application goes on reading it from here")
    _application(made, given, sweeper.get("direction", "minimize"))
    made.study = {key: value for key, value in made.study.items() if value not in ({}, None) or key == "search"}
    return made


def _knob(made: Draft, knob: str, said: Any, folder: Path) -> None:
    if isinstance(said, Mapping):
        search(made, knob, _older(said), said)
    elif not isinstance(said, str):
        fix(made, knob, said)
    elif (domain := _override(said, knob, folder)) is not None and "value" in domain:
        fix(made, knob, domain["value"])
    else:
        search(made, knob, domain, said)


def _older(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """The spelling of earlier versions: type, low, high."""
    if said.get("type") == "categorical" or "choices" in said:
        return {"choice": list(said.get("choices", []))}
    low, high = said.get("low"), said.get("high")
    if not is_number(low) or not is_number(high):
        return None
    step = said.get("step") if is_number(said.get("step")) else None
    return span("int" if said.get("type") == "int" else "float", low, high, log=said.get("log") is True, step=step)


def _override(text: str, knob: str, folder: Path, *, log: bool = False, whole: bool = False) -> dict[str, Any] | None:
    """A sweep of Hydra's grammar: ``interval(0, 1)``, ``tag(log, interval(1e-5, 1))``, ``choice(a, b)``, ``a,b``."""
    call = _CALL.match(text.strip())
    if call is None:
        values = [_value(part) for part in _split(text)]
        return {"choice": values} if len(values) > 1 else {"value": values[0]}
    name, inside = call[1], _split(call[2])
    if name in ("tag", "int", "float", "shuffle", "sort", "str"):
        tags = [part for part in inside[:-1] if name == "tag"]
        inside = [part for part in inside if not part.startswith("reverse=")]
        given = ",".join(inside) if name in ("shuffle", "sort") else inside[-1]
        return _override(given, knob, folder, log=log or "log" in tags, whole=whole or name == "int")
    if name == "choice":
        return {"choice": [_value(part) for part in inside]}
    named = dict(part.split("=", 1) for part in inside if "=" in part)
    numbers = [_value(part) for part in inside if "=" not in part]
    if name == "glob":
        group = folder.joinpath(*knob.lstrip("+").split("/"))
        found = sorted(path.stem for path in group.glob(f"{_value(inside[0])}.yaml")) if inside else []
        return {"choice": found} if found else None
    ends = [
        value
        for value in [*numbers[:2], *map(_value, filter(None, map(named.get, ("start", "stop"))))]
        if is_number(value)
    ]
    if name == "range" and len(ends) == 1:  # as Python's, but that the sweeper takes the end too
        ends = [0, *ends]
    if name not in ("interval", "range") or len(ends) < 2 or ends[0] > ends[1]:
        return None
    step = _value(named["step"]) if "step" in named else numbers[2] if len(numbers) > 2 else None
    kind = "int" if whole or (name == "range" and all(isinstance(end, int) for end in (*ends, step or 1))) else "float"
    step = (
        step if name == "range" and kind == "float" and step else (1.0 if name == "range" and kind == "float" else step)
    )
    return span(kind, *ends, log=log, step=step)


def _split(text: str) -> list[str]:
    """Parts between the commas that stand in no parentheses, brackets or quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()] or [text]


def _value(text: str) -> Any:
    try:
        return parse(text).plain()
    except StudyFileError:
        return text


def _sampler(made: Draft, content: Mapping[str, Any], sweeper: Mapping[str, Any]) -> None:
    sampler = sweeper.get("sampler")
    said = str(sampler.get("_target_", "")) if isinstance(sampler, Mapping) else str(sampler or "")
    chosen = [
        str(entry.get("override hydra/sweeper/sampler")) for entry in _entries(content) if isinstance(entry, dict)
    ]
    known = {**SAMPLERS, "tpe": "tpe", "random": "random", "cmaes": "cmaes", "nsgaii": "nsga2", "grid": "grid"}
    named = next((known[word] for word in (said.rpartition(".")[2], *chosen) if word in known), None)
    if named is not None:
        made.study["sampler"] = named
    elif said:
        made.left.append(f"hydra.sweeper.sampler {said}: the default sampler takes its place")
    if isinstance(sampler, Mapping):
        if isinstance(sampler.get("seed"), int):
            made.study["seed"] = sampler["seed"]
        leave(
            made, sampler.keys() - {"_target_", *(["seed"] if "seed" in made.study else [])}, "hydra.sweeper.sampler."
        )
    made.study["pruner"] = "none"
    made.why["pruner"] = "the sweeper stops no run early; without this line weak trials are stopped"


def _entries(content: Mapping[str, Any]) -> list[Any]:
    listed = content.get("defaults")
    return listed if isinstance(listed, list) else []


def _application(made: Draft, given: Given, directions: Any) -> None:
    """The command that runs the application once, and the metric that it prints."""
    source = given.source
    assert source is not None
    found = [
        path
        for folder in (source.parent, source.parent.parent)
        for path in sorted(folder.glob("*.py"))
        if _is_app(path)
    ]
    program = found[0] if found else source.parent / "app.py"
    names = [*made.study["search"], *made.study["fixed"]]
    words = ["python", given.path(program), *(f"{name}={placeholder(name)}" for name in names)]
    if not found:
        made.asks.append("no file with @hydra.main lies beside it: name the application in the command")
    metrics = metrics_of(Source(program)) if found else []
    ways = [str(way) for way in (directions if isinstance(directions, list) else [directions])]
    told = goal_among(metrics)
    metric = told.rpartition(" ")[2] if told is not None else metrics[0] if metrics else "value"
    if len(ways) > 1:
        made.study["goal"] = [goal(way, f"value_{place}") for place, way in enumerate(ways)]
    else:
        made.study["goal"] = goal(ways[0], metric)
    if not metrics or len(ways) > 1:
        made.asks.append(
            "Hydra takes what the application returns, and here it is read from what it prints: print the goal's "
            "metric, such as print(f'value={value}')"
        )
    set_program(made, given, program, words)


def _is_app(path: Path) -> bool:
    try:
        tree = Source(path).tree
    except (OSError, SyntaxError, ValueError):
        return False
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return any("hydra.main" in ast.unparse(item) for node in functions for item in node.decorator_list)
