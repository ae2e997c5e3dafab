"""What is worth searching of a knob: what the shipped studies search, else a range around its default."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from hpo.search.studyfile.script import LENGTH
from hpo.search.studyfile.usual import around, usual
from hpo.search.studyfile.yaml12 import flow, parse
from hpo.search.terms import registry
from hpo.search.terms.knobs import Knob

_FEW = 12
"""Choices that are listed as a range."""
_MEASURE = ("folds", "curve")
"""Knobs of the way in which trials are measured, which is the same for all."""
_BRACKET = re.compile(r"\[([^\[\]]*)\]\s*$")


def sensible(knob: Knob, objective: str, fixed: Mapping[str, Any]) -> str:
    """A range as a study file spells it; empty where none can be told.

    Args:
        knob: of the objective.
        objective: its name.
        fixed: what must be fixed alike in a shipped study for its range to count, such as the estimator.
    """
    if knob.name in (*LENGTH, *_MEASURE):
        return ""
    found = Counter[str]()
    for study in _shipped():
        same = study.get("objective") == objective
        if same and all(_kind(study["fixed"].get(name)) == _kind(value) for name, value in fixed.items()):
            said = study["search"].get(knob.name)
            if isinstance(said, dict) and "when" not in said:
                found[flow(said)] += 1
    if found:
        return found.most_common(1)[0][0]
    if knob.options and len(knob.options) <= _FEW and not knob.kinds - {"none", "str"}:
        return flow({"choice": list(knob.options)}) if len(knob.options) > 1 else ""
    switch = knob.kinds == {"bool"} or isinstance(knob.default, bool)
    domain = {"choice": [False, True]} if switch else usual(knob) or around(knob)
    return "" if domain is None else flow(domain)


def neutral(knob: Knob) -> str:
    """The value under which a knob does nothing, as its description says in brackets; empty where it says none.

    >>> neutral(Knob("floor", 0.1, frozenset({"float"}), doc="Never below it. [fraction; 0: none; Smith 2018]"))
    '0'
    """
    found = _BRACKET.search(knob.doc)
    for part in found[1].split(";") if found else ():
        word = part.partition(":")[0].strip()
        if word in map(str, knob.options) or re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", word):
            return word
    return ""


def _kind(estimator: Any) -> Any:
    """A classifier and a regressor of one method are searched alike."""
    return re.sub(r"(Classifier|Regressor)$", "", estimator) if isinstance(estimator, str) else estimator


@cache
def _shipped() -> tuple[dict[str, Any], ...]:
    found = (
        parse(registry.path("study", name).read_text(encoding="utf-8")).plain() for name in registry.names("study")
    )
    return tuple({"fixed": {}, "search": {}, **study} for study in found)
