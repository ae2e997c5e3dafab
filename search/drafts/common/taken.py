"""What a draft takes over of another tool's entries: each is a knob, plain data that is fixed, or named as left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hpo.search.contracts.draft import Draft
from hpo.search.drafts.common.ranges import unlike

_CODE = re.compile(r"\s*(?:[A-Za-z_][\w.]*\s*\(.*\)|lambda\b.*)\s*\Z", re.DOTALL)


def goal(direction: Any, metric: Any) -> str:
    """The goal that another tool's metric is, by its last value; a metric's name has no blanks here.

    >>> goal("minimize", "val loss")
    'minimize last val_loss'
    """
    return f"{direction} last {'_'.join(str(metric).split())}"


def search(made: Draft, name: str, domain: Mapping[str, Any] | None, said: Any) -> None:
    """Search a knob, or name it where its text tells no range that a study has."""
    if domain is None:
        made.left.append(f"{name}: {said!r} says no range that its text tells")
    elif unlike(domain.get("choice", [])):
        made.left.append(f"{name}: its values are lists or mappings, which a choice does not take")
    else:
        made.study["search"][name] = dict(domain)


def fix(made: Draft, name: str, value: Any) -> None:
    """Fix a knob at plain data; text that the other tool would work out is named."""
    if isinstance(value, str) and (_CODE.match(value) or "${" in value):
        made.left.append(
            f"{name}: {value!r} is worked out by code: say its range under search, or its value under fixed"
        )
    else:
        made.study["fixed"][name] = value


def leave(made: Draft, keys: Iterable[Any], above: str = "", why: str = "has no counterpart") -> None:
    """Name entries that nothing here corresponds to."""
    made.left += [f"{above}{key}: {why}" for key in sorted(map(str, keys))]
