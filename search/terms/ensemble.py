"""The verdict on combining models: what was tried, what it gives on rows that it was not fitted on, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SINGLE = "single"
"""The best model alone, which every combination must beat."""


@dataclass(frozen=True)
class Option:
    """A way to combine.

    Attributes:
        kind: ``single``, ``mean``, ``vote``, ``weighted``, ``greedy`` or ``stacking``.
        value: of ``Ensemble.metric`` on the validation part, cross-fitted: each row by a combination fitted on others.
        models: how many of them it takes.
        milliseconds: to predict 64 rows, all of them together.
        kilobytes: of their weights.
    """

    kind: str
    value: float
    models: int
    milliseconds: float
    kilobytes: float


@dataclass(frozen=True)
class Member:
    """A model of the combination.

    Attributes:
        trial: number of the search trial that its recipe comes from.
        recipe: every knob value, with the seed of its fresh run.
    """

    trial: int
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class Ensemble:
    """What came of trying to combine the fresh runs' models.

    Attributes:
        metric: by which they are compared, such as ``log_loss``.
        options: the best first.
        combination: the one that was taken, as plain data; see ``objectives.ensembles.Combination``. Empty where the
            best model alone is as good.
        members: its models, in its order.
        value: of the metric on the whole validation part, on which the combination was fitted.
        test: its scores on the test part, measured once; None before.
    """

    metric: str
    options: tuple[Option, ...]
    combination: Mapping[str, Any]
    members: tuple[Member, ...]
    value: float
    test: Mapping[str, float] | None = None

    @property
    def taken(self) -> bool:
        """Whether a combination won."""
        return bool(self.combination)

    def option(self, kind: str) -> Option:
        """What was found of a way to combine."""
        return next(option for option in self.options if option.kind == kind)

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Ensemble | None:
        """Read back what ``plain`` gave."""
        if plain is None:
            return None
        return cls(
            plain["metric"],
            tuple(Option(**option) for option in plain["options"]),
            dict(plain["combination"]),
            tuple(Member(int(member["trial"]), dict(member["recipe"])) for member in plain["members"]),
            plain["value"],
            plain.get("test"),
        )

    def plain(self) -> dict[str, Any]:
        """As stored and reported."""
        return {
            "metric": self.metric,
            "options": [dict(vars(option)) for option in self.options],
            "combination": dict(self.combination),
            "members": [{"trial": member.trial, "recipe": dict(member.recipe)} for member in self.members],
            "value": self.value,
            "test": None if self.test is None else dict(self.test),
        }
