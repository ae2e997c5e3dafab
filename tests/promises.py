"""What the files of a kind say of themselves: what to try them with, and what they do not promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.describe.source import Source
from hpo.search.terms import registry


def literal(kind: str, name: str, what: str) -> tuple[Any, ...]:
    """``TRIED`` or ``DISCLAIMS`` of a file; empty where it says none."""
    found = Source(registry.path(kind, name)).constant(what)
    assert isinstance(found, (tuple, type(None))), f"{kind} {name}: {what} is a literal tuple, not {found!r}"
    return found or ()


def promises(kind: str, name: str, what: str, options: Mapping[str, Any] | None = None) -> bool:
    """Whether a file promises something with these options; ``under OPTION: VALUE`` limits what it disclaims."""
    under = {what, *(f"{what} under {option}: {value}" for option, value in (options or {}).items())}
    return under.isdisjoint(literal(kind, name, "DISCLAIMS"))
