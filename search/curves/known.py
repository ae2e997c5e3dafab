"""Of each trial of a study what decisions to freeze or thaw need, so that none works it out twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.encoding import Encoding
from hpo.search.curves.history import History, Units
from hpo.search.curves.single import prospect
from hpo.search.curves.thaw import Curves, Options
from hpo.search.terms.domain import Scalar
from hpo.search.terms.trial import Trial
from hpo.search.terms.value import headed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Of a trial, what need not be worked out at every decision.

    Attributes:
        trial: as it was when it was taken in.
        length: points recorded.
        curve: (step, value) of those by which it is continued, [points, 2]; smaller is better.
        steps: the last step.
        best: the best finite value, infinite where there is none.
        unit: place of its recipe in the unit cube, [parameters].
        row: coordinates of its recipe, [columns].
        key: what tells its recipe apart.
        limit: the last step that it can be trained to.
        prospects: that were worked out.
    """

    trial: Trial
    length: int
    curve: Array
    steps: int
    best: float
    unit: Array
    row: Array
    key: Any
    limit: int
    prospects: dict[tuple[float, ...], float]

    def prospect(self, rung: int, ceiling: float) -> float:
        """What the trial promised at a rung that it has reached, by its points up to there; what it had if it ended."""
        seen = self.curve[: int(np.searchsorted(self.curve[:, 0], rung, side="right"))]
        if self.trial.state in ("failed", "pruned"):
            return float(np.min(seen[:, 1], initial=np.inf, where=np.isfinite(seen[:, 1])))
        key = rung, ceiling, len(seen), *seen[-1:].ravel().tolist()  # what points there are may change with the outlook
        if key not in self.prospects:
            self.prospects[key] = prospect(seen, self.limit, ceiling)
        return self.prospects[key]


def know(trial: Trial, encoding: Encoding, sign: float, horizon: int, old: Known | None) -> Known:
    """What is known of a trial, of which ``old`` was known before."""
    if old is not None and old.length == len(trial.curve):
        if old.trial.state == trial.state:
            return old
        if trial.state != "failed":
            return replace(old, trial=trial)
    curve = np.array(headed(trial, maximize=sign < 0), dtype=np.float64).reshape(-1, 2)
    steps = trial.curve[-1][0] if trial.curve else 0
    if sign < 0:
        curve[:, 1] *= sign
    if trial.state == "failed":  # what diverges or crashes is as bad as can be, and will not recover
        lost = sorted({steps + 1, max(horizon, steps + 1)})
        curve = np.append(curve, [[step, np.nan] for step in lost], axis=0)
    best = float(np.min(curve[:, 1], initial=np.inf, where=np.isfinite(curve[:, 1])))
    if old is not None:
        return replace(old, trial=trial, length=len(trial.curve), curve=curve, steps=steps, best=best)
    point = encoding.space.point_of(trial.point, encoding.fixed) or trial.point
    units = encoding.units([trial.point])
    row, key, limit = encoding.rows(units)[0], key_of(point), _limit(trial.point, horizon)
    return Known(trial, len(trial.curve), curve, steps, best, units[0], row, key, limit, {})


def curves_of(known: Sequence[Known], units: Units | None = None) -> Curves:
    """The trials as the surrogate takes them; each has a point. The units are those of these trials if not given."""
    numbers = np.array([k.trial.number for k in known], dtype=np.int64)
    return Curves(History.of([k.curve for k in known]), np.stack([k.row for k in known]), numbers, units)


def options_of(chosen: Sequence[Known]) -> Options:
    """Next steps of trials."""
    return Options(
        np.stack([k.row for k in chosen]),
        np.array([k.trial.number for k in chosen], dtype=np.int64),
        np.array([float(k.steps) for k in chosen]),
        np.array([float(k.limit) for k in chosen]),
    )


def joined(a: Options, b: Options) -> Options:
    """Both, the first ones first."""
    return Options(*(np.concatenate([getattr(a, f.name), getattr(b, f.name)]) for f in fields(Options)))


def _limit(values: Mapping[str, Any], horizon: int) -> int:
    epochs = values.get("epochs")
    return epochs if isinstance(epochs, int) else horizon


def key_of(point: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    """What tells two points apart; True and 1 are different values."""
    return tuple(sorted((name, repr(value)) for name, value in point.items()))
