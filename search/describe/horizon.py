"""How many points a complete learning curve has, as far as an objective says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpo.search.describe.objective import Objective, import_module
from hpo.search.terms.domain import Choice, Int
from hpo.search.terms.space import Space


def horizon_of(objective: Objective, space: Space) -> Callable[[Mapping[str, Any]], int | None]:
    """How many points a recipe's complete curve has.

    The objective's own ``horizon(recipe)`` where a built-in one has it; else the knob ``epochs`` or its default.
    """
    own = getattr(import_module(objective), "horizon", None) if objective.kind == "builtin" else None
    knob = objective.signature.knobs.get("epochs")
    default = knob.default if knob is not None and isinstance(knob.default, int) else None
    longest = default
    if "epochs" in space.names():
        domain = space["epochs"].domain
        listed = [value for value in domain.values if isinstance(value, int)] if isinstance(domain, Choice) else []
        longest = domain.high if isinstance(domain, Int) else max(listed, default=default)

    def horizon(recipe: Mapping[str, Any]) -> int | None:
        known = {"epochs": longest, **recipe} if longest else recipe
        found: int | None = own(known) if own is not None else known.get("epochs")
        return found

    return horizon
