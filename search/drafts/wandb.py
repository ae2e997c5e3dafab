"""A sweep of Weights & Biases: program, parameters with all their distributions, method, metric, early stop, cap."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.drafts.common.programs import placeholder, set_program
from hpo.search.drafts.common.ranges import is_number, number, span
from hpo.search.drafts.common.taken import goal, leave, search

_METHODS = {"grid": "grid", "random": "random", "bayes": "gp"}
_DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
_TAKEN = (
    "name", "description", "program", "command", "method", "metric", "parameters", "early_terminate", "run_cap",
)  # fmt: skip
_ELSEWHERE = {"project": "studies lie in hpo.db", "entity": "there are no accounts"}


MARK = "a W&B sweep (parameters)"


def takes(given: Given) -> bool:
    """Whether the file is a sweep."""
    content = given.content
    return isinstance(content, dict) and isinstance(content.get("parameters"), dict) and "apiVersion" not in content


def draft(given: Given) -> Draft:
    """The sweep as a study."""
    content, source = given.content, given.source
    assert source is not None
    title = content.get("description") or content.get("name") or f"What {source.name} asks"
    made = Draft(source.stem, str(title))
    made.study = {"objective": None, "goal": None, "search": {}, "fixed": {}}
    for name, parameter in _flat(content["parameters"]):
        _parameter(made, name, parameter)
    _goal(made, content.get("metric"))
    _method(made, content)
    _early(made, content.get("early_terminate"))
    for key in content.keys() - set(_TAKEN):
        made.left.append(f"{key}: {_ELSEWHERE.get(key, 'has no counterpart')}")
    _program(made, given)
    made.study = {key: value for key, value in made.study.items() if value not in ({}, None) or key == "search"}
    return made


def _flat(parameters: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters with the names that they have in the run's configuration, ``optim.lr`` inside of ``optim``."""
    for name, parameter in parameters.items():
        inner = parameter.get("parameters") if isinstance(parameter, dict) else None
        if isinstance(inner, dict):
            yield from _flat(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", parameter


def _parameter(made: Draft, name: str, parameter: Any) -> None:
    if not isinstance(parameter, dict):
        made.left.append(f"{name}: {parameter!r} is no parameter of a sweep")
        return
    said = {key: number(value) if key != "value" else value for key, value in parameter.items()}
    kind = said.get("distribution")
    if "value" in said:
        made.study["fixed"][name] = said["value"]
        return
    values = parameter.get("values")
    if isinstance(values, list):
        search(made, name, {"choice": values}, values)
        if "probabilities" in said:
            made.left.append(f"{name}: its values are drawn alike, not with the probabilities {said['probabilities']}")
        return
    domain = _domain(made, name, said, str(kind or ""))
    search(made, name, domain, parameter)


def _domain(made: Draft, name: str, said: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    low, high, step = said.get("min"), said.get("max"), said.get("q")
    mu, sigma = said.get("mu", 0.0), said.get("sigma", 1.0)
    step = (step if is_number(step) else 1) if kind.startswith("q_") else None
    if "normal" in kind and is_number(mu) and is_number(sigma):
        made.why[f"search.{name}"] = (
            f"{kind} with mu {mu} and sigma {sigma} there: three sigma to each side, drawn evenly"
        )
        low, high = mu - 3 * sigma, mu + 3 * sigma
        if "log" in kind:
            return span("float", _short(math.exp(low)), _short(math.exp(high)), log=True)
        return span("float", _short(low), _short(high), step=step)
    if kind == "beta":
        made.why[f"search.{name}"] = f"beta({said.get('a')}, {said.get('b')}) there: drawn evenly"
        return span("float", 0.0, 1.0)
    if not is_number(low) or not is_number(high) or low > high:
        return None
    if kind.startswith("inv_"):
        made.left.append(f"{name}: {kind} leans to the upper end; here it is log scale")
    if "log_uniform" in kind:
        ends = (low, high) if kind.endswith("_values") else (_short(math.exp(low)), _short(math.exp(high)))
        if step is not None:
            made.left.append(f"{name}: steps of {step} on a log scale; here it has none")
        return span("float", *map(float, ends), log=True)
    whole = isinstance(low, int) and isinstance(high, int) and kind in ("", "int_uniform", "q_uniform")
    if whole and (step is None or float(step).is_integer()):
        return span("int", low, high, step=step)
    return span("float", float(low), float(high), step=step)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _goal(made: Draft, metric: Any) -> None:
    name = metric.get("name") if isinstance(metric, dict) else None
    if not name:
        made.asks.append("the sweep names no metric: say what is better, goal: minimize val_loss")
        made.study["goal"] = "minimize val_loss"
        return
    made.study["goal"] = goal(metric.get("goal", "minimize"), name)
    made.why["goal"] = "a sweep takes the last value of a run; without the word last it is the best point's"
    if is_number(metric.get("target")):
        made.study["budget"] = {"target": metric["target"]}
    leave(made, metric.keys() - {"name", "goal", "target"}, "metric.")


def _method(made: Draft, content: Mapping[str, Any]) -> None:
    method, cap = content.get("method"), content.get("run_cap")
    budget = made.study.pop("budget", {})
    if isinstance(cap, int):
        budget = {"trials": cap, **budget}
    elif method != "grid":
        budget = {"trials": 50, **budget}
        made.why["budget"] = "the sweep has no run_cap, and would go on for ever"
    if budget:
        made.study["budget"] = budget
    if method in _METHODS:
        made.study["sampler"] = _METHODS[method]
    elif method is not None:
        made.left.append(f"method {method}: the default sampler takes its place")
    continuous = [name for name, domain in made.study["search"].items() if "float" in domain and "step" not in domain]
    if method == "grid" and continuous:
        made.study["sampler"] = "random"
        made.left.append(f"method grid: {', '.join(continuous)} has no steps, so recipes are drawn at random")


def _early(made: Draft, early: Any) -> None:
    if not isinstance(early, dict):
        leave(made, [] if early is None else ["early_terminate"], why=f"{early!r} is no rule")
        made.study["pruner"] = "none"
        made.why["pruner"] = "the sweep stops no run early; without this line weak trials are stopped"
        return
    options = {"min_resource": early.get("min_iter"), "reduction_factor": early.get("eta")}
    if early.get("type") == "hyperband" and "max_iter" in early and "min_iter" not in early:
        eta, brackets = early.get("eta", 3), early.get("s", 1)
        options["min_resource"] = max(1, int(early["max_iter"] / eta**brackets)) if is_number(eta) else None
    kept = {name: int(value) for name, value in options.items() if is_number(value)}
    made.study["pruner"] = {"successive-halving": kept} if kept else "successive-halving"
    leave(made, early.keys() - {"type", "min_iter", "eta", "max_iter", "s"}, "early_terminate.")


def _program(made: Draft, given: Given) -> None:
    content, source = given.content, given.source
    assert source is not None
    said = content.get("command", list(_DEFAULT))
    macros = shlex.split(said) if isinstance(said, str) else [str(word) for word in said]
    program = source.parent / str(content.get("program", "train.py"))
    plain = [word for word in macros if word not in ("${env}", "/usr/bin/env", "${interpreter}", "python", "python3")]
    if "program" not in content and not any(word.endswith(".py") for word in plain):
        made.asks.append("the sweep names no program: name yours under objective")
    if plain in (["${program}", "${args}"], ["${program}", "${args_no_boolean_flags}"]):
        set_program(made, given, program, None)
        return
    names = [*made.study["search"], *made.study["fixed"]]
    words = [part for word in macros for part in _filled(made, word, names, given.path(program))]
    set_program(made, given, program, words)


def _filled(made: Draft, word: str, names: list[str], program: str) -> Iterator[str]:
    """The words that a macro stands for."""
    if word in ("${env}", "/usr/bin/env"):
        return
    if word == "${args}":
        yield from (f"--{name}={placeholder(name)}" for name in names)
    elif word == "${args_no_hyphens}":
        yield from (f"{name}={placeholder(name)}" for name in names)
    elif word == "${args_no_boolean_flags}":
        switches = [name for name in names if _switch(made, name)]
        yield from (f"--{name}={placeholder(name)}" for name in names if name not in switches)
        if switches:
            made.left.append(f"{', '.join(switches)}: flags that stand alone need objective: {{script: {program}}}")
    elif word == "${args_json}":
        yield "{recipe}"
    else:
        text = word.replace("${program}", program).replace("${interpreter}", "python")
        if unknown := re.findall(r"\$\{[^}]*\}", text):
            made.left.append(f"{', '.join(unknown)} in the command: has no counterpart")
        yield text


def _switch(made: Draft, name: str) -> bool:
    choice = made.study["search"].get(name, {}).get("choice", [made.study["fixed"].get(name)])
    return all(isinstance(value, bool) for value in choice)
