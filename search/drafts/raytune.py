"""A space of Ray Tune as far as it is plain data: ``grid_search``, texts such as ``tune.loguniform(1e-4, 1e-1)``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.drafts.common.programs import set_program
from hpo.search.drafts.common.ranges import is_number, span
from hpo.search.drafts.common.taken import fix, goal, leave, search

_CALL = re.compile(r"(?:ray\.)?(?:tune\.)?(q?(?:log)?(?:uniform|randint)|choice|grid_search)\((.*)\)\s*\Z", re.DOTALL)
_SPACES = ("param_space", "config", "search_space")


MARK = "a space of Ray Tune (tune.uniform(0, 1), grid_search)"


def takes(given: Given) -> bool:
    """Whether the file holds a search space of Ray Tune."""
    found = _experiment(given.content)
    if found is None or (found[1] is given.content and "hydra" in given.content):  # whose texts look alike
        return False
    return any(_domain(value) is not None for _, value in _flat(found[1]))


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
            search(made, name, domain, value)
            if isinstance(value, str) and "qlog" in value:
                made.left.append(f"{name}: the steps of {value}; on a log scale there are none")
        elif isinstance(value, (list, dict)):
            made.left.append(f"{name}: {value!r} is neither a range nor one value")
        else:
            fix(made, name, value)
    tune = {**whole, **(whole["tune_config"] if isinstance(whole.get("tune_config"), dict) else {})}
    metric, mode = tune.get("metric"), tune.get("mode", "min")
    made.study["goal"] = goal("maximize" if mode == "max" else "minimize", metric or "val_loss")
    if not metric:
        made.asks.append("it names no metric: say what is better under goal")
    samples = tune.get("num_samples", 50)
    endless = not isinstance(samples, int) or samples < 1
    made.study["budget"] = {"trials": 50 if endless else samples}
    if endless:
        made.why["budget"] = f"num_samples {samples} there, which goes on for ever"
    if all("choice" in domain for domain in made.study["search"].values()) and "num_samples" not in tune:
        made.study |= {"sampler": "grid", "budget": {}}
    made.study["pruner"] = "none"
    made.why["pruner"] = "as without a scheduler; without this line weak trials are stopped"
    taken = {"metric", "mode", "num_samples"}
    leave(made, (key for key in whole if key not in {*taken, "name", "tune_config"} and whole[key] is not space))
    if isinstance(whole.get("tune_config"), dict):
        leave(made, whole["tune_config"].keys() - taken, "tune_config.")
    if space is not given.content and whole is not given.content:
        leave(made, (key for key in given.content if given.content[key] is not whole))
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
        if isinstance(value, dict) and value and "grid_search" not in value:
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
    if len(given) < 2 or not all(map(is_number, given)) or given[0] >= given[1]:
        return None
    step = given[2] if name.startswith("q") and len(given) > 2 and "log" not in name else None
    if "randint" in name:  # the upper end is not among them, unless there is a step
        return span("int", given[0], given[1] if name.startswith("q") else given[1] - 1, log="log" in name, step=step)
    return span("float", float(given[0]), float(given[1]), log="log" in name, step=step)
