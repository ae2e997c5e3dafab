"""One freeze-thaw decision: which paused curve, or which new recipe, to train for the next step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hpo.search.curves.acquisition import log_expected_improvement
from hpo.search.curves.history import History, Units
from hpo.search.curves.shapes import milestones, shape_covariance
from hpo.search.curves.surrogate import Kernel, Observations, Posterior

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_FOREIGN = 0.3  # how far apart studies are at first: recipes' levels correlate at about 0.8


@dataclass(frozen=True)
class Settings:
    """Constants of the search, chosen on the even-indexed data sets of benchmarks/recorded_curves.py.

    Attributes:
        starts: recipes that get one step before the model decides.
        points: at most so many points are modelled.
        earlier: at most so many points of earlier studies besides.
        whole: curves modelled at all milestones rather than at both ends.
        share: share of the trials that count as near the best, see ``Units``.
        paused: paused trials considered at a decision, the best ones.
        uniform: new recipes considered that are drawn from all of the space.
        near: new recipes considered that are variations of the best.
        parents: trials that are varied.
        growth: growth of the number of points at which hyperparameters are fitted anew.
        halving: share of the decisions that successive halving takes where it has a trial to train on; more than
            half, for plateaus on which few recipes learn.
        luck: standard deviation of the lots drawn there, in that of the noise within curves.
    """

    starts: int = 10
    points: int = 200
    earlier: int = 60
    whole: int = 25
    share: float = 0.1
    paused: int = 40
    uniform: int = 60
    near: int = 60
    parents: int = 5
    growth: float = 1.25
    halving: float = 0.7
    luck: float = 2.0


@dataclass(frozen=True)
class Curves:
    """Curves of one study with at least one point each.

    Attributes:
        history: their points.
        rows: their recipes' coordinates, [trials, columns].
        numbers: of the trials, ascending.
        units: the scale of the study's values; None is that of these curves.
    """

    history: History
    rows: Array
    numbers: Index
    units: Units | None = None


@dataclass(frozen=True)
class Options:
    """What can be trained next.

    Attributes:
        rows: recipes' coordinates, [n, columns].
        trial: number of the trial that each continues, -1 for a new recipe.
        done: steps done.
        limits: the last step.
    """

    rows: Array
    trial: Index
    done: Array
    limits: Array


class Model:
    """The surrogate conditioned on a study.

    Args:
        curves: the study's.
        earlier: those of an earlier study, on a scale of its own. That they come from another study is one more
            coordinate of their recipes, so the model learns how much they have to say.
        groups: the parameter that each column of the recipes belongs to.
        horizon: the last step of the longest curve.
        settings: the constants.
        theta: log hyperparameters; None fits them.
        start: where a fit begins; None or those of another space begin at the prior's centre.
    """

    def __init__(
        self,
        curves: Curves,
        earlier: Curves | None,
        groups: Index,
        horizon: int,
        settings: Settings,
        *,
        theta: Sequence[float] | None,
        start: Sequence[float] | None,
    ) -> None:
        self._settings, self._foreign = settings, earlier is not None
        grid = milestones(horizon, 2.0)
        present, trial, steps, values = _observed(curves, settings.points, settings.whole, settings.share, grid)
        self._present = curves.numbers[present]
        rows = self._marked(curves.rows[present], 0.0)
        centre = float(values.mean())
        if earlier is not None:
            present, trial_, steps_, values_ = _observed(earlier, settings.earlier, 0, settings.share, grid)
            rows = np.concatenate([rows, self._marked(earlier.rows[present], _FOREIGN)])
            trial = np.concatenate([trial, trial_ + self._present.size])
            steps, values = np.concatenate([steps, steps_]), np.concatenate([values, values_])
            groups = np.append(groups, groups.max(initial=-1) + 1)
        data = Observations(rows, trial, steps, values - centre)
        self._kernel = Kernel(groups, shape_covariance(horizon))
        if theta is None:
            begin = self._kernel.centre()
            if start is not None and len(start) == begin.size:
                begin = np.asarray(start)
            self.theta = self._kernel.fit(data, begin)
        else:
            self.theta = np.asarray(theta)
        self._posterior = Posterior(self._kernel, self.theta, data)
        self._incumbent = float(self._posterior.fitted.max())  # the lowest point seen is partly luck

    def supposing(self, pending: Options) -> Model:
        """The model with the next step of what is being trained now taken as done, with the value expected of it."""
        rows, trial = self._marked(pending.rows, 0.0), self._place(pending.trial)
        joined = copy.copy(self)
        joined._posterior = self._posterior.supposing(rows, trial, pending.done + 1.0)
        return joined

    def promise(self, options: Options, rng: np.random.Generator, longest: int) -> Array:
        """Score a random number of further steps, at most ``longest``; larger is better.

        The number is log-uniform: a fixed short one would be greedy, a fixed long one would start too much.
        """
        ahead = np.round(np.exp(rng.uniform(0.0, np.log(max(longest, 1)))))
        steps = np.minimum(options.done + ahead, options.limits)
        rows, trial = self._marked(options.rows, 0.0), self._place(options.trial)
        mean, variance = self._posterior.predict(rows, trial, steps)
        return log_expected_improvement(mean, variance, self._incumbent)

    def chance(self, options: Options) -> Array:
        """Probability that each curve ends above the best value so far."""
        rows, trial = self._marked(options.rows, 0.0), self._place(options.trial)
        mean, variance = self._posterior.predict(rows, trial, options.limits)
        chance: Array = ndtr((mean - self._incumbent) / np.sqrt(variance))
        return chance

    def smoothed(self, rows: Array, known: Array, values: Array) -> Array:
        """Average of the known recipes' values, weighted by the recipes' likeness."""
        distance = self._kernel.distance(self.theta, self._marked(rows, 0.0), self._marked(known, 0.0))
        weights = np.exp(-np.minimum(distance - distance.min(axis=1, keepdims=True), 50.0))
        averages: Array = weights @ values / weights.sum(axis=1)
        return averages

    def _marked(self, rows: Array, study: float) -> Array:
        return np.column_stack([rows, np.full(len(rows), study)]) if self._foreign else rows

    def _place(self, trial: Index) -> Index:
        """Places of trials, by number, among the rows of the model; -1 for those that were thinned away."""
        place = np.minimum(np.searchsorted(self._present, trial), self._present.size - 1)
        return np.where(self._present[place] == trial, place, -1)


def _observed(curves: Curves, limit: int, whole: int, share: float, grid: Index) -> tuple[Index, Index, Array, Array]:
    """The trials that stay after thinning; for their points the trial among these, the step and the scaled value."""
    history = curves.history
    kept = history.thinned(limit, whole, grid)
    present, trial = np.unique(history.trial[kept], return_inverse=True)
    units = curves.units or Units.of(history.firsts, history.bests, share)
    return present, trial, history.steps[kept], units.scaled(history.values[kept])
