"""One freeze-thaw decision: which paused curve, or which new recipe, to train for the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.acquisition import log_expected_improvement
from hpo.search.curves.history import History, Units
from hpo.search.curves.shapes import milestones, shape_covariance
from hpo.search.curves.surrogate import Kernel, Observations, Posterior

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """Constants of the search, chosen on the even-indexed data sets of benchmarks/recorded_curves.py.

    Attributes:
        starts: recipes that get one step before the model decides.
        points: at most so many points are modelled.
        whole: curves modelled at all milestones rather than at both ends.
        share: share of the trials that count as near the best, see ``Units``.
        paused: paused trials considered at a decision, the best ones.
        uniform: new recipes considered that are drawn from all of the space.
        near: new recipes considered that are variations of the best.
        parents: trials that are varied.
        growth: growth of the number of points at which hyperparameters are fitted anew.
        thompson: share of the decisions taken by a joint draw from the posterior in place of expected improvement.
    """

    starts: int = 8
    points: int = 200
    whole: int = 25
    share: float = 0.1
    paused: int = 40
    uniform: int = 60
    near: int = 60
    parents: int = 5
    growth: float = 1.15
    thompson: float = 0.0


@dataclass(frozen=True)
class Situation:
    """A study in arrays; trials with at least one point only.

    Attributes:
        history: their curves.
        rows: their recipes' coordinates, [trials, columns].
        groups: the parameter each column belongs to.
        horizon: the last step of the longest curve.
        earlier: how many trials at the end of the arrays belong to earlier studies, each with units of its own.
    """

    history: History
    rows: Array
    groups: Index
    horizon: int


class Model:
    """The surrogate fitted to a situation; ``theta`` are its log hyperparameters."""

    def __init__(self, situation: Situation, settings: Settings, theta: Sequence[float] | None, *, refit: bool) -> None:
        history = situation.history
        kernel = Kernel(situation.groups, shape_covariance(situation.horizon))
        units = Units.of(history.firsts, history.bests, settings.share)
        kept = history.thinned(settings.points, settings.whole, milestones(situation.horizon, 2.0))
        values = units.scaled(history.values[kept])
        self.centre = float(values.mean())
        self.present, trial = np.unique(history.trial[kept], return_inverse=True)
        self.data = Observations(situation.rows[self.present], trial, history.steps[kept], values - self.centre)
        start = kernel.centre() if theta is None or len(theta) != kernel.centre().size else np.asarray(theta)
        self.theta = kernel.fit(self.data, start) if refit or theta is None else start
        self.kernel = kernel
        self.posterior = Posterior(kernel, self.theta, self.data)
        self.best = 1.0 - self.centre

    def place(self, trials: Index) -> Index:
        """Places of trials among those modelled, -1 for those thinned away."""
        place = np.searchsorted(self.present, trials)
        place = np.minimum(place, self.present.size - 1)
        return np.where(self.present[place] == trials, place, -1)

    def pending(self, rows: Array, trial: Index, steps: Array) -> None:
        """Take steps that are being trained now as done, with the values expected of them."""
        mean, _ = self.posterior.predict(rows, trial, steps)
        new = trial < 0
        count = len(self.data.rows)
        place = np.where(new, count + np.cumsum(new) - 1, trial)
        joined = np.concatenate([self.data.trial, place])
        order = np.argsort(joined, kind="stable")
        self.data = Observations(
            np.concatenate([self.data.rows, rows[new]]),
            joined[order],
            np.concatenate([self.data.steps, steps])[order],
            np.concatenate([self.data.values, mean])[order],
        )
        self.posterior = Posterior(self.kernel, self.theta, self.data)

    def promise(
        self, rng: np.random.Generator, rows: Array, trial: Index, done: Array, limits: Array, settings: Settings, longest: int
    ) -> Array:
        """Score what a random number of further steps is expected to bring; larger is better."""
        ahead = np.round(np.exp(rng.uniform(0.0, np.log(max(longest, 1)))))
        steps = np.minimum(done + ahead, limits)
        if rng.random() < settings.thompson:
            mean, covariance = self.posterior.covariance(rows, trial, steps)
            values, vectors = np.linalg.eigh(covariance)
            drawn: Array = mean + vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(values.size))
            return drawn
        mean, variance = self.posterior.predict(rows, trial, steps)
        return log_expected_improvement(mean, variance, self.best)
