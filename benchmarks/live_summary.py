"""Tables of live.py: what each method's winners are worth, against the search without pruning and the best script.

All comparisons are logarithms of ratios, in pairs of one study seed, of which the mean and its standard error over the
seeds are given; over studies, the mean of their means and its error over studies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from live_search import KINDS, NONE, is_script
from numpy.typing import NDArray
from rows import mean_and_error

Array: TypeAlias = "NDArray[np.float64]"

FRACTIONS = {"1/6": 1 / 6, "1/3": 1 / 3, "1/2": 1 / 2, "1": 1.0}
"""Shares of the budget after which a search is asked for its winner."""


@dataclass(frozen=True)
class Scores:
    """One study under one kind of budget.

    Attributes:
        study: its name.
        kind: of the budget.
        amount: of the budget.
        validation: for each method, what its winners are worth, [seeds, fractions]; infinite where there was none yet,
            NaN where a search or its fresh runs are missing.
        test: the same on the test part.
        seen: for each method, the best value that its winner had in the search, [seeds, fractions].
        used: for each method and kind of budget, what was used by then, [seeds, fractions].
    """

    study: str
    kind: str
    amount: float
    validation: Mapping[str, Array]
    test: Mapping[str, Array]
    seen: Mapping[str, Array]
    used: Mapping[str, Mapping[str, Array]]

    def worse(self, method: str, than: str, part: str = "validation") -> Array:
        """Log of a method's worth over another's at the end, [seeds that both have, fractions]; above 0 is worse."""
        worth: Mapping[str, Array] = getattr(self, part)
        ratio: Array = np.log(worth[method] / worth[than][:, -1:])
        return ratio[~np.isnan(ratio).any(axis=1)]

    @property
    def best_script(self) -> str | None:
        """The Optuna script whose winners are worth most at the end; None where there is none."""
        means = {m: float(self.worse(m, NONE)[:, -1].mean()) for m in self.methods if is_script(m)}
        return min(means, key=lambda method: means[method]) if means else None

    @property
    def methods(self) -> list[str]:
        """Those that share a seed with the search without pruning."""
        return [method for method in self.validation if len(self.worse(method, NONE))]

    def needed(self, method: str, goal: str) -> dict[str, float] | None:
        """What a method had used when its mean worth was first that of another at its end; None where it never was.

        Looked at after the fractions of the budget, so it may have been so before.
        """
        ratios = self.worse(method, goal)
        reached = np.flatnonzero(ratios.mean(axis=0) <= 1e-12) if len(ratios) else np.array([])
        return self.spent(method, int(reached[0])) if reached.size else None

    def spent(self, method: str, at: int) -> dict[str, float]:
        """What a method had used, on average, at a fraction of the budget."""
        return {kind: float(np.nanmean(self.used[method][kind][:, at])) for kind in KINDS}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each method, best first."""
        script = self.best_script
        found = []
        for method in self.methods:
            logs = self.worse(method, NONE)
            row: dict[str, Any] = {"method": method, "seeds": len(logs)}
            row |= {f"at {name}": _cell(logs[:, at]) for at, name in enumerate(FRACTIONS)}
            row["test, at 1"] = _cell(self.worse(method, NONE, "test")[:, -1])
            row["worth"] = float(f"{np.nanmean(self.validation[method][:, -1]):.4g}")
            flattering = self.seen[method][:, -1] / self.validation[method][:, -1]
            row["value seen / worth"] = round(float(np.nanmean(flattering)), 2)
            row["to none's end"] = _told(self.needed(method, NONE))
            if script is not None:
                row[f"to the end of {script}"] = _told(self.needed(method, script))
            row["in all"] = _told(self.spent(method, -1))
            found.append(row)
        return _ranked(found)


def over_studies(scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """A row for each method that all of them have, with its means over studies of one kind of budget, best first."""
    methods = [m for m in scores[0].methods if all(m in score.methods for score in scores)]

    found = []
    for method in methods:
        row: dict[str, Any] = {"method": method}
        for at, name in enumerate(FRACTIONS):
            row[f"at {name}"] = _cell(np.array([score.worse(method, NONE)[:, at].mean() for score in scores]))
        row["test, at 1"] = _cell(np.array([score.worse(method, NONE, "test")[:, -1].mean() for score in scores]))
        for kind in ("epochs", "cpu"):
            shares = [score.spent(method, -1)[kind] / score.spent(NONE, -1)[kind] for score in scores]
            row[f"{kind}, share of none's"] = _cell(np.array(shares))
        found.append(row)
    return _ranked(found)


def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: np.inf if row["at 1"] is None else row["at 1"][0])


def _cell(values: Array) -> list[float] | None:
    """Mean and error; None where a search had nothing to hand over yet, or a winner cannot be trained."""
    return mean_and_error(values) if np.isfinite(values).all() else None


def _told(used: Mapping[str, float] | None) -> str | None:
    return None if used is None else f"{used['epochs']:.0f} / {used['cpu']:.1f} s / {used['trials']:.0f}"
