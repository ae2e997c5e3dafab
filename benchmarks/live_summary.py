"""What the searches of live.py say: lowest losses and regrets over epochs and over seconds, as rows of tables.

Regret is where the lowest loss so far lies between the best that any run of the same seed found (0) and the best of the
median complete trial of random search (1, cut off there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rows import mean_and_error

Array: TypeAlias = "NDArray[np.float64]"

FRACTIONS = (0.125, 0.25, 0.5, 1.0)
CLOCKS = ("cpu", "wall")


@dataclass(frozen=True)
class Run:
    """One search: for each point, in order, its trial, its value, and the seconds when it was seen; each [points]."""

    trial: Array
    value: Array
    cpu: Array
    wall: Array

    @property
    def best(self) -> Array:
        """Lowest value so far."""
        return np.minimum.accumulate(np.where(np.isfinite(self.value), self.value, np.inf))

    @property
    def trials(self) -> int:
        """Number of trials."""
        return int(np.unique(self.trial).size)

    def at_epochs(self, epochs: int) -> Array:
        """Lowest value after each epoch."""
        return np.concatenate([self.best, np.full(max(0, epochs - self.best.size), self.best[-1])])[:epochs]

    def at_seconds(self, clock: str, grid: Array) -> Array:
        """Lowest value at each of these times; infinite before the first point, held after the last."""
        seen = np.searchsorted(getattr(self, clock), grid, side="right")
        return np.concatenate([[np.inf], self.best])[seen]

    def complete(self, steps: int) -> Array:
        """Lowest value of each trial that was trained to its end."""
        curves = [self.value[self.trial == trial] for trial in np.unique(self.trial)]
        return np.array([curve.min() for curve in curves if curve.size == steps])


@dataclass(frozen=True)
class Comparison:
    """All searches of a study.

    Attributes:
        runs: per method a search for each seed.
        anchor: the method whose last mean regret the others are timed to.
        random: the method whose median complete trial has regret 1.
        steps: points of a complete trial.
        epochs: that every search may train.
    """

    runs: Mapping[str, Sequence[Run]]
    anchor: str
    random: str
    steps: int
    epochs: int

    def regrets(self, lowest: Array) -> Array:
        """Regret of lowest values [seeds, places]."""
        best = np.array([min(run.best[-1] for run in runs) for runs in zip(*self.runs.values(), strict=True)])
        usual = np.array([np.median(run.complete(self.steps)) for run in self.runs[self.random]])
        return np.minimum((lowest - best[:, None]) / (usual - best)[:, None], 1.0)

    def over_epochs(self, method: str) -> Array:
        """Regret after each epoch [seeds, epochs]."""
        return self.regrets(np.stack([run.at_epochs(self.epochs) for run in self.runs[method]]))

    def over_seconds(self, method: str, clock: str) -> Array:
        """Regret at each time of the grid [seeds, times]."""
        grid = self.grid(clock)
        return self.regrets(np.stack([run.at_seconds(clock, grid) for run in self.runs[method]]))

    def grid(self, clock: str) -> Array:
        """Times up to the end of the longest search."""
        longest = max(getattr(run, clock)[-1] for runs in self.runs.values() for run in runs)
        return np.linspace(0, longest, 2001)[1:]

    def in_epochs(self) -> list[dict[str, Any]]:
        """A row per method, best first: regret averaged and at fractions of the epochs, loss at the end."""
        anchor = self._epochs_to_target(self.anchor)
        rows = []
        for method, runs in self.runs.items():
            regret = self.over_epochs(method)
            reached = self._epochs_to_target(method)
            counts = [max(1, round(fraction * self.epochs)) for fraction in FRACTIONS]
            rows.append(
                {
                    "method": method,
                    "averaged": mean_and_error(regret.mean(axis=1)),
                    **{f"at {count}": mean_and_error(regret[:, count - 1]) for count in counts},
                    "loss at the end": mean_and_error(np.array([run.at_epochs(self.epochs)[-1] for run in runs])),
                    f"epochs to {self.anchor}'s last": reached,
                    "times fewer": _ratio(anchor, reached),
                    "trials": round(float(np.mean([run.trials for run in runs])), 1),
                }
            )
        return sorted(rows, key=lambda row: row["averaged"][0])

    def in_seconds(self) -> list[dict[str, Any]]:
        """A row per method, best first: regret averaged over the processor seconds the anchor takes, and times."""
        anchors = {clock: self._seconds_to_target(self.anchor, clock) for clock in CLOCKS}
        until = float(np.mean([run.cpu[-1] for run in self.runs[self.anchor]]))
        rows = []
        for method, runs in self.runs.items():
            within = self.over_seconds(method, "cpu")[:, self.grid("cpu") <= until]
            row = {"method": method, f"averaged over {until:.1f} cpu s": mean_and_error(within.mean(axis=1))}
            for clock in CLOCKS:
                reached = self._seconds_to_target(method, clock)
                row[f"{clock} s to {self.anchor}'s last"] = reached
                row[f"times less {clock}"] = _ratio(anchors[clock], reached)
                row[f"{clock} s for all epochs"] = mean_and_error(np.array([getattr(run, clock)[-1] for run in runs]))
            rows.append(row)
        return sorted(rows, key=lambda row: row[f"averaged over {until:.1f} cpu s"][0])

    def curves(self) -> dict[str, list[float]]:
        """Mean regret of each method, every ten epochs."""
        return {m: [round(float(v), 4) for v in self.over_epochs(m).mean(axis=0)[9::10]] for m in self.runs}

    def _target(self) -> float:
        return float(self.over_epochs(self.anchor)[:, -1].mean()) + 1e-9

    def _epochs_to_target(self, method: str) -> int | None:
        reached = np.flatnonzero(self.over_epochs(method).mean(axis=0) <= self._target())
        return int(reached[0]) + 1 if reached.size else None

    def _seconds_to_target(self, method: str, clock: str) -> float | None:
        reached = np.flatnonzero(self.over_seconds(method, clock).mean(axis=0) <= self._target())
        return round(float(self.grid(clock)[reached[0]]), 2) if reached.size else None


def _ratio(anchor: float | None, own: float | None) -> float | None:
    return round(anchor / own, 2) if anchor and own else None
