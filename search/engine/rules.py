"""What a search loop is given: what decides in it, and what watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.samplers import BaseSampler

from hpo.search.contracts.policy import Policy
from hpo.search.contracts.pruner import Pruner
from hpo.search.engine.checkpoints import Folders
from hpo.search.engine.entry import Entry
from hpo.search.engine.predictions import Predictions
from hpo.search.terms.job import Judged


@dataclass
class Rules:
    """What decides in a loop.

    Attributes:
        policy: which trial trains next.
        pruner: whether a trial is stopped.
        make_sampler: makes the sampler for a draw (number, attempt).
        horizon: steps of a complete trial under a recipe, None when unknown.
        folders: where trials keep their checkpoints.
        reserve: seconds of the budget's minutes that are kept for what comes after the search.
        log: file for what a trial prints, None where there is none.
        lanes: of the executor that are filled, from 1 on; None for all.
        judged: by what trials are judged while they train, where their trainer is to say where they are heading.
        predictions: where those of trials' models are kept, if they are.
    """

    policy: Policy
    pruner: Pruner
    make_sampler: Callable[[int, int], BaseSampler]
    horizon: Callable[[Mapping[str, Any]], int | None]
    folders: Folders = field(default_factory=lambda: Folders(None))
    reserve: Callable[[], float] = field(default=lambda: 0.0)
    log: Callable[[int], str | None] = field(default=lambda number: None)
    lanes: int | None = None
    judged: Judged | None = None
    predictions: Predictions = field(default_factory=Predictions)


class Observer(Protocol):
    """What watches a search: the terminal, a notebook, a test."""

    def started(self, entry: Entry) -> None:
        """A trial was started or taken up again."""

    def moved(self, entry: Entry) -> None:
        """A trial has a new point."""

    def ended(self, entry: Entry) -> None:
        """A trial is complete, pruned or failed."""


class Silent:
    """An observer that does nothing."""

    def started(self, entry: Entry) -> None:
        """Ignore."""

    def moved(self, entry: Entry) -> None:
        """Ignore."""

    def ended(self, entry: Entry) -> None:
        """Ignore."""
