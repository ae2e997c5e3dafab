"""What the fields of a recipe take, read from their annotations, so that ranges stand in one place.

Pure: no torch.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import Range


@dataclass(frozen=True)
class Values:
    """What a field takes: numbers of a type within limits, single values, and other text that is checked elsewhere."""

    number: type[int] | type[float] | None
    limits: Range | None
    options: tuple[Any, ...]
    text: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise a UserError for a value that the field does not take."""
        if value in self.options or (self.text and isinstance(value, str) and value.startswith("{")):
            return
        kinds = (int, float) if self.number is float else (int,)
        if self.number is None or isinstance(value, bool) or not isinstance(value, kinds):
            words = {int: ["a whole number"], float: ["a number"], None: []}[self.number]
            options = "one of " * (len(self.options) > 1) + ", ".join(self.options)
            raise UserError(f"{name}: {value!r} is not {' or '.join([*words, options] if options else words)}")
        if self.limits is not None and value not in self.limits:
            raise UserError(f"{name} must be {self.limits}, got {value!r}")


def values_of(recipe: Any) -> dict[str, Values]:
    """What each field of a dataclass takes, by its annotation; fields that take anything are left out."""
    return _read(recipe)


@cache
def _read(recipe: Any) -> dict[str, Values]:
    found = {}
    for name, hint in typing.get_type_hints(recipe, include_extras=True).items():
        annotated = typing.get_origin(hint) is Annotated
        plain, limits = (hint.__origin__, hint.__metadata__[0]) if annotated else (hint, None)
        members = [plain] if typing.get_origin(plain) in (None, Literal) else typing.get_args(plain)
        number = next((member for member in members if member in (int, float)), None)
        options = [value for m in members if typing.get_origin(m) is Literal for value in typing.get_args(m)]
        if number or options:
            found[name] = Values(number, limits, tuple(options), str in members)
    return found
