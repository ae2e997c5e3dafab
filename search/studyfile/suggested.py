"""The ranges of a function of a ``trial`` put under ``search``: a study file narrows what the script says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.describe.trial_reader import Suggestions
from hpo.search.studyfile.yaml12 import Node, dump, parse
from hpo.search.terms.domain import Choice, Domain, Float, Scalar
from hpo.search.terms.space import Parameter


def with_suggested(root: Node, objective: Objective | None) -> Node:
    """The study with every knob of the script that it neither searches nor fixes under ``search``.

    Conditions are held against what the study says: a knob that can no longer be reached is left out.
    """
    told = None if objective is None else objective.suggestions
    assert isinstance(root.value, dict)
    search = root.value.get("search")
    if told is None or (search is not None and not isinstance(search.value, dict)):
        return root
    own = dict(search.value) if search is not None and isinstance(search.value, dict) else {}
    added = _added(told, {name: node.plain() for name, node in own.items()}, _mapping(root.value.get("fixed")))
    if not added:
        return root
    made = parse(dump(added), "the script", [])
    assert isinstance(made.value, dict)
    place = search or root
    keys = {**(search.keys if search is not None else {}), **made.keys}
    section = Node({**own, **made.value}, place.source, place.text, place.line, place.column, place.width, keys)
    return Node(
        {**root.value, "search": section}, root.source, root.text, root.line, root.column, root.width,
        {"search": root, **root.keys},
    )  # fmt: skip


def drawn(root: Node, objective: Objective | None) -> list[str]:
    """What to tell of knobs whose range the script works out while it runs, and the study does not give."""
    told = None if objective is None else objective.suggestions
    assert isinstance(root.value, dict)
    given = {**_mapping(root.value.get("search")), **_mapping(root.value.get("fixed"))}
    return [
        f"{name} in line {line} is not searched but drawn at random, for {why}: give it a range under search in a "
        "study file"
        for line, name, why in (() if told is None else told.unclear)
        if name not in given
    ]


def _mapping(node: Node | None) -> dict[str, Any]:
    plain = None if node is None else node.plain()
    return plain if isinstance(plain, dict) else {}


def _added(told: Suggestions, search: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    added: dict[str, Any] = {}
    left_out: set[str] = set()
    for parameter in told.parameters.values():
        if parameter.name in search or parameter.name in fixed:
            continue
        when = _when(parameter, told, search, fixed, left_out)
        if when is None:
            left_out.add(parameter.name)
        else:
            added[parameter.name] = {**domain_plain(parameter.domain), **({"when": when} if when else {})}
    return added


def _when(
    parameter: Parameter, told: Suggestions, search: Mapping[str, Any], fixed: Mapping[str, Any], left_out: set[str]
) -> dict[str, Any] | None:
    """What of its condition the study leaves; None where it is never met."""
    found: dict[str, Any] = {}
    for name, values in parameter.when:
        if name in left_out:
            return None
        if name in fixed:
            if not Choice(values).contains(fixed[name]):
                return None
            continue
        allowed = _allowed(search.get(name))
        domain = told.parameters[name].domain
        kept = [v for v in values if domain.contains(v) and (allowed is None or Choice(allowed).contains(v))]
        if not kept:
            return None
        found[name] = kept
    return found


def _allowed(said: Any) -> tuple[Scalar, ...] | None:
    """The values that a study's own range leaves, None where it does not list them."""
    if not isinstance(said, dict):
        return None
    if isinstance(said.get("choice"), list):
        return tuple(said["choice"])
    ends = said.get("int")
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int) for end in ends):
        return tuple(range(ends[0], min(ends[1], ends[0] + 10_000) + 1))
    return None


def domain_plain(domain: Domain) -> dict[str, Any]:
    """A domain as a study file writes it.

    >>> from hpo.search.terms.domain import Int
    >>> domain_plain(Int(1, 9, step=2)), domain_plain(Float(0.1, 1.0, log=True))
    ({'int': [1, 9], 'step': 2}, {'float': [0.1, 1.0], 'log': True})
    """
    if isinstance(domain, Choice):
        return {"choice": list(domain.values)}
    found: dict[str, Any] = {"float" if isinstance(domain, Float) else "int": [domain.low, domain.high]}
    if domain.log:
        found["log"] = True
    elif domain.step not in (None, 1) or (isinstance(domain, Float) and domain.step is not None):
        found["step"] = domain.step
    return found
