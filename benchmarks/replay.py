"""Training on a table of recorded curves, as the methods that recorded_curves.py compares see it.

A method sees only the recipes that it proposes, and the values of the nearest configuration that this run has not
trained yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from tables import Table

from hpo.search.terms.domain import Choice, Float, Int, Scalar

Method: TypeAlias = "Callable[[Table, int, int], list[float]]"  # (table, seed, epochs) to the values seen, in order


class Replay:
    """Training on a table: remembers what was trained, and every value in the order it was seen."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.seen: list[float] = []
        self._taken: set[int] = set()
        self._paused: dict[tuple[Scalar, ...], tuple[Iterator[dict[str, float]], list[float]]] = {}

    def train(self, point: Mapping[str, Any]) -> Iterator[dict[str, float]]:
        """Yield the recorded losses of the nearest untrained configuration."""
        config = self.table.nearest(point, self._taken)
        self._taken.add(config)
        for value in self.table.curves[config].tolist():
            self.seen.append(value)
            yield {"loss": value}

    def loss_at(self, point: Mapping[str, Any], epoch: int) -> float:
        """Loss of a recipe after so many epochs; a recipe trained before goes on from where it was left."""
        key = tuple(point[parameter.name] for parameter in self.table.space)
        curve, losses = self._paused.setdefault(key, (self.train(point), []))
        losses.extend(step["loss"] for step in islice(curve, max(0, epoch - len(losses))))
        return losses[epoch - 1]

    def study(self) -> dict[str, Any]:
        """The table as a study: what ``hpo.run`` takes besides budget, seed, sampler and pruner."""

        def train(*, epochs: int = self.table.horizon, seed: int = 0, **point: Any) -> Iterator[dict[str, float]]:
            yield from self.train(point)

        return {
            "study": train,
            "goal": "minimize loss",
            "search": {parameter.name: _written(parameter.domain) for parameter in self.table.space},
            "fixed": {"epochs": self.table.horizon},
            "confirm": "none",
            "storage": ":memory:",
        }


def _written(domain: Float | Int | Choice) -> dict[str, Any]:
    """A range as a study file spells it."""
    if isinstance(domain, Choice):
        return {"choice": list(domain.values)}
    return {"int" if isinstance(domain, Int) else "float": [domain.low, domain.high], "log": domain.log}
