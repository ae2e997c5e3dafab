"""How many points a complete learning curve has, as far as an objective says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from hpo.search.describe.objective import Objective, import_module
from hpo.search.describe.size import own_defaults
from hpo.search.terms.domain import Choice, Domain, Int
from hpo.search.terms.space import Space

LENGTHS = ("epochs", "max_steps", "max_tokens")
"""Knobs that end a training run of the suite's; where one is searched, a study counts with its largest value."""

CUTS = ("eval_every", "batch_size", "accumulation_steps", "effective_batch", "tokens_per_step", "context")
"""Knobs that decide beside them how many points such a run has."""


def horizon_of(objective: Objective, space: Space) -> Callable[[Mapping[str, Any]], int | None]:
    """How many points a recipe's complete curve has.

    The objective's own ``horizon(recipe)`` where a built-in one has it, which gets the knobs that are stated and the
    defaults of its own parameters; else the knob ``epochs`` or its default; where
    points go by steps, ``max_steps`` over ``eval_every``.
    """
    own = getattr(import_module(objective), "horizon", None) if objective.kind == "builtin" else None
    longest = {name: found for name in LENGTHS if (found := _longest(objective, space, name)) is not None}
    searched = {name: longest[name] for name in longest if name in space.names()}
    filled = {} if own is None else own_defaults(objective)

    def horizon(recipe: Mapping[str, Any]) -> int | None:
        if own is not None:  # it knows the trainer's defaults: what a study says of one may put another aside
            told: int | None = own({**filled, **searched, **recipe})
            return told
        known = {**longest, **recipe}
        every = known.get("eval_every") if objective.trained_by_suite else None
        if not every:
            return known.get("epochs")
        return -(-int(known["max_steps"]) // int(every)) if known.get("max_steps") else None

    return horizon


def fewest_points(objective: Objective, space: Space, fixed: Mapping[str, Any]) -> int | None:
    """How many points a complete curve has at least in a study of what the suite trains; None when unknown.

    Knobs that decide it and are searched are taken at the ends of their ranges.
    """
    horizon = horizon_of(objective, space)
    own = objective.kind == "builtin" and hasattr(import_module(objective), "horizon")
    names = [name for name in (*LENGTHS, *CUTS) if name in space.names()]
    found = []
    for corner in product(*(_ends(space[name].domain) for name in names)):
        recipe = {**fixed, **dict(zip(names, corner, strict=True))}
        early = not own and recipe.get("max_steps") and not recipe.get("eval_every")  # steps may end it before epochs
        found.append(None if early else horizon(recipe))
    known = [points for points in found if points is not None]
    return min(known) if len(known) == len(found) else None


def _ends(domain: Domain) -> tuple[Any, ...]:
    return domain.values if isinstance(domain, Choice) else (domain.low, domain.high)


def _longest(objective: Objective, space: Space, name: str) -> int | None:
    """The largest value that a study's trials may have of a knob, its default where it is not searched."""
    knob = objective.signature.knobs.get(name)
    default = knob.default if knob is not None and isinstance(knob.default, int) else None
    if name not in space.names():
        return default
    domain = space[name].domain
    listed = [value for value in domain.values if isinstance(value, int)] if isinstance(domain, Choice) else []
    return domain.high if isinstance(domain, Int) else max(listed, default=default)
