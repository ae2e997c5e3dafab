"""Executors as the tests of every executor open them."""

from __future__ import annotations

from typing import Any

import pytest

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
    if name == "ray":  # nodes that share the disk of the tests; what is shipped has tests of its own
        asked = [{"workers": 2, "lanes": 2, "ship": False}]
    return [Plugin(name, options) for options in asked or [{}]]


def marks(name: str) -> list[Any]:
    """What the tests of an executor are marked with: those over Ray have a cluster, where Ray is installed."""
    slow = pytest.mark.filterwarnings("ignore:.*wait for room:hpo.search.terms.errors.Advice")  # on a busy machine
    return [pytest.mark.ray, slow] if name == "ray" else []
