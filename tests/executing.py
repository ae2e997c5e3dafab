"""Executors as the tests of every executor open them."""

from __future__ import annotations

from typing import Any

from hpo.search.studyfile.plugins import options_of
from hpo.search.terms.study import Plugin


def ways(name: str) -> list[Plugin]:
    """An executor with a few lanes and with a few workers, as far as it takes a number of them."""
    knobs, asked = options_of("executor", name).knobs, list[dict[str, Any]]()
    if "lanes" in knobs:
        asked.append({"lanes": 3})
    if "workers" in knobs:
        asked.append({"workers": 2, **({"lanes": 2} if "lanes" in knobs else {})})
    if "rounds" in knobs:
        asked.append({**asked[-1], "rounds": "free"})
    return [Plugin(name, options) for options in asked or [{}]]
