"""How many points a complete learning curve has, as far as an objective says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpo.search.describe.objective import Objective, import_module
from hpo.search.terms.domain import Choice, Int
from hpo.search.terms.space import Space

LENGTHS = ("epochs", "max_steps", "max_tokens")
"""Knobs that end a training run of the suite's; where one is searched, a study counts with its largest value."""


def horizon_of(objective: Objective, space: Space) -> Callable[[Mapping[str, Any]], int | None]:
    """How many points a recipe's complete curve has.

    The objective's own ``horizon(recipe)`` where a built-in one has it; else the knob ``epochs`` or its default; where
    points go by steps, ``max_steps`` over ``eval_every``.
    """
    own = getattr(import_module(objective), "horizon", None) if objective.kind == "builtin" else None
    longest = {name: found for name in LENGTHS if (found := _longest(objective, space, name)) is not None}

    def horizon(recipe: Mapping[str, Any]) -> int | None:
        known = {**longest, **recipe}
        if own is not None:
            told: int | None = own(known)
            return told
        every = known.get("eval_every") if objective.trained_by_suite else None
        if not every:
            return known.get("epochs")
        return -(-int(known["max_steps"]) // int(every)) if known.get("max_steps") else None

    return horizon


def _longest(objective: Objective, space: Space, name: str) -> int | None:
    """The largest value that a study's trials may have of a knob, its default where it is not searched."""
    knob = objective.signature.knobs.get(name)
    default = knob.default if knob is not None and isinstance(knob.default, int) else None
    if name not in space.names():
        return default
    domain = space[name].domain
    listed = [value for value in domain.values if isinstance(value, int)] if isinstance(domain, Choice) else []
    return domain.high if isinstance(domain, Int) else max(listed, default=default)
