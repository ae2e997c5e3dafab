"""A space as plain data, as stores keep it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.terms.domain import Choice, Domain, Float, Int
from hpo.search.terms.space import Parameter, Space


def space_plain(space: Space) -> dict[str, Any]:
    """As JSON has it; ``space_from`` reads it."""
    return {p.name: {"domain": _plain(p.domain), "when": [[n, list(v)] for n, v in p.when]} for p in space}


def space_from(plain: Mapping[str, Any]) -> Space:
    """Read what ``space_plain`` gave."""
    return Space(
        tuple(
            Parameter(name, domain_from(known["domain"]), tuple((by, tuple(values)) for by, values in known["when"]))
            for name, known in plain.items()
        )
    )


def domain_from(plain: Mapping[str, Any]) -> Domain:
    """Read one knob's domain."""
    settings = {key: value for key, value in plain.items() if key != "kind"}
    if plain["kind"] == "choice":
        return Choice(tuple(settings["values"]))
    return Float(**settings) if plain["kind"] == "float" else Int(**settings)


def _plain(domain: Domain) -> dict[str, Any]:
    if isinstance(domain, Choice):
        return {"kind": "choice", "values": list(domain.values)}
    kind = "float" if isinstance(domain, Float) else "int"
    return {"kind": kind, "low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step}
