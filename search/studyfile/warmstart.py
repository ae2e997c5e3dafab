"""The ``prior`` and ``warm_start`` of a study file: what is believed of the recipes before any is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.domain import Choice, Domain, Int, Scalar
from hpo.search.terms.errors import Mistake, did_you_mean, spelt
from hpo.search.terms.space import Space

_PRIOR = "prior: {learning_rate: 0.003}"


def read_prior(
    node: Node | None, search: Node | None, space: Space, fixed: Mapping[str, Any], mistakes: list[Mistake]
) -> dict[str, Scalar]:
    """The user's guess of good values, each one that its knob can take.

    A knob whose own range has a mistake is not held against it.
    """
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        mistakes.append(node.mistake(f"prior must be a mapping of knobs, got {node.kind}", _PRIOR))
        return {}
    searched = search.value if search is not None and isinstance(search.value, dict) else {}
    prior: dict[str, Scalar] = {}
    for name, item in node.value.items():
        place = node.keys[name]
        if name in space.names():
            domain = space[name].domain
            found = _problem(name, item, domain)
            if found is None:
                prior[name] = domain.nearest(item.plain())
            else:
                mistakes.append(item.mistake(*found))
        elif name in fixed:
            mistakes.append(place.mistake(f"{name} is fixed, so a prior for it says nothing", "drop one of the two"))
        elif name not in searched:
            hint = did_you_mean(name, searched)
            mistakes.append(place.mistake(f"the prior names {name!r}, which is not searched", hint))
    for name in prior:
        for other, values in space[name].when:
            if other in prior and not Choice(values).contains(prior[other]):
                problem = f"{name} does not vary where {other} is {prior[other]!r}, as the prior has it"
                mistakes.append(node.keys[name].mistake(problem, "drop one of the two"))
    return prior


def read_warm_start(node: Node | None, name: str, mistakes: list[Mistake]) -> tuple[str, ...]:
    """Names of the earlier studies; whether they exist is known when the study runs. ``name`` is the study's own."""
    if node is None or node.value is None:
        return ()
    found: list[str] = []
    for item in node.value if isinstance(node.value, list) else [node]:
        if not isinstance(item.value, str) or not item.value.strip():
            got = item.kind if isinstance(item.value, (list, dict)) or item.value is None else repr(item.value)
            hint = f"write warm_start: '{item.value}'" if isinstance(item.value, (int, float)) else ""
            mistakes.append(item.mistake(f"warm_start names earlier studies, got {got}", hint))
        elif item.value == name:
            hint = "give this one another name, or drop warm_start: run again, a study goes on by itself"
            mistakes.append(item.mistake(f"study {name!r} cannot be its own warm start", hint))
        elif item.value in found:
            mistakes.append(item.mistake(f"{item.value!r} is listed twice"))
        else:
            found.append(item.value)
    return tuple(found)


def _problem(name: str, item: Node, domain: Domain) -> tuple[str, str] | None:
    """What is wrong with a value of the prior, and the likely meaning."""
    value = item.value
    if isinstance(value, (list, dict)):
        return f"the prior of {name} is one value, got {item.kind}", f"prior: {{{name}: ...}}"
    if domain.contains(value):
        return None
    if isinstance(domain, Choice):
        return f"{name} has no choice {spelt(value)}", did_you_mean(str(value), map(str, domain.values))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"the prior of {name} must be a number, got {spelt(value)}", ""
    if not domain.low <= value <= domain.high:
        problem = f"the prior {value} of {name} lies outside of {domain.low} to {domain.high}"
        return problem, "widen the range under search, or guess inside of it"
    if isinstance(domain, Int) and value != int(value):
        return f"the prior of {name} must be a whole number, got {value}", ""
    return f"the prior {value} of {name} is none of its steps", f"the nearest is {domain.nearest(value)}"
