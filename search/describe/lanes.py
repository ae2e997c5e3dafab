"""How many trials of an objective one process trains at a time, as far as its source says so."""

from __future__ import annotations

from hpo.search.describe.objective import Objective
from hpo.search.describe.source import Source

LANES = 16
"""Trials that a process trains at a time where nothing else is asked for: more gain little once the overhead is shared,
and crowd the cache."""


def lanes_of(objective: Objective) -> int:
    """The same for an objective: ``LANES`` of its file, where multiplications cost so much that company gains nothing.

    Workers gain there what lanes do elsewhere. Nothing is imported.
    """
    told = Source(objective.path).constant("LANES") if objective.path is not None else None
    return told if isinstance(told, int) and told > 0 else LANES
