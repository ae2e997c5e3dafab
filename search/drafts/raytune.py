"""A space of Ray Tune as far as it is plain data: ``grid_search``, texts such as ``tune.loguniform(1e-4, 1e-1)``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.drafts.common.programs import set_program
from hpo.search.drafts.common.ranges import is_number, span

_CALL = re.compile(r"(?:ray\.)?(?:tune\.)?(q?(?:log)?(?:uniform|randint)|choice|grid_search)\((.*)\)\s*\Z", re.DOTALL)
_SPACES = ("param_space", "config", "search_space")


def takes(given: Given) -> bool:
    """Whether the file holds a search space of Ray Tune."""
    found = _experiment(given.content)
    return found is not None and any(_domain(value) is not None for _, value in _flat(found[1]))


def draft(given: Given) -> Draft:
    """The space as a study."""
    source, found = given.source, _experiment(given.content)
    assert source is not None
    assert found is not None
    whole, space = found
    made = Draft(source.stem, f"What {source.name} searches")
    made.study = {"objective": None, "goal": None, "search": {}, "fixed": {}}
    for name, value in _flat(space):
        domain = _domain(value)
        if domain is not None:
            made.study["search"][name] = domain
        elif isinstance(value, (list, dict)):
            made.left.append(f"{name}: {value!r} is neither a range nor one value")
        else:
            made.study["fixed"][name] = value
    tune = {**whole, **(whole["tune_config"] if isinstance(whole.get("tune_config"), dict) else {})}
    metric, mode = tune.get("metric"), tune.get("mode", "min")
    made.study["goal"] = f"{'maximize' if mode == 'max' else 'minimize'} last {metric or 'val_loss'}"
    if not metric:
        made.asks.append("it names no metric: say what is better under goal")
    made.study["budget"] = {"trials": tune.get("num_samples", 50)}
    if all("choice" in domain for domain in made.study["search"].values()) and "num_samples" not in tune:
        made.study |= {"sampler": "grid", "budget": {}}
    made.study["pruner"] = "none"
    made.why["pruner"] = "as without a scheduler; without this line weak trials are stopped"
    for key in sorted(whole.keys() - {*_SPACES, "tune_config", "metric", "mode", "num_samples", "name"}):
        made.left.append(f"{key}: has no counterpart")
    made.asks.append("the trainable is code: name the program that trains once under objective")
    set_program(made, given, source.parent / "train.py", None)
    made.study = {key: value for key, value in made.study.items() if value not in ({}, None)}
    return made


def _experiment(content: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """The experiment and its space: at the top, or under the experiment's name as in RLlib's files."""
    if not isinstance(content, dict):
        return None
    for whole in (content, *(value for value in content.values() if isinstance(value, dict))):
        for key in _SPACES:
            if isinstance(whole.get(key), dict):
                return whole, whole[key]
    return {}, content


def _flat(space: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in space.items():
        if isinstance(value, dict) and "grid_search" not in value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _domain(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict) and isinstance(value.get("grid_search"), list):
        return {"choice": value["grid_search"]}
    call = _CALL.match(value) if isinstance(value, str) else None
    if call is None:
        return None
    try:
        given = ast.literal_eval(f"({call[2]},)")
    except (ValueError, SyntaxError):
        return None
    name = call[1]
    if name in ("choice", "grid_search"):
        return {"choice": list(given[0])} if given and isinstance(given[0], (list, tuple)) else None
    if len(given) < 2 or not all(map(is_number, given)):
        return None
    step = given[2] if name.startswith("q") and len(given) > 2 and "log" not in name else None
    if "randint" in name:  # the upper end is not among them, unless there is a step
        return span("int", given[0], given[1] if name.startswith("q") else given[1] - 1, log="log" in name, step=step)
    return span("float", float(given[0]), float(given[1]), log="log" in name, step=step)
