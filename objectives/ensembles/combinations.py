"""Ways to make one prediction of several models' predictions, each fitted on rows that no model was trained on.

What it does: all of them weigh probabilities, or values, and never the models' weights: an average of weights means
something for runs from one start only.

- ``mean``: the best ``most`` models, all alike.
- ``vote``: the share of them that say a class.
- ``weighted``: the mixture of them that fits best: by expectation maximization (Dempster et al. 1977) of the log loss,
  by least squares with weights of at least 0 for values.
- ``greedy``: models are added one at a time, with replacement, whichever helps most, and the best prefix is kept
  (Caruana et al. 2004).
- ``stacking``: a logistic regression on log odds (Wolpert 1992), a ridge regression on values; where there are enough
  rows.

Cost: fitting takes milliseconds; predicting takes every member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.search.contracts.predicted import Predicted
from hpo.search.terms.ensemble import SINGLE
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 50
"""Models that the greedy way adds at most."""
ROUNDS = 200
"""Of expectation maximization."""
LEAST = 0.01
"""Weights below this are left out: a model costs its whole latency, whatever its weight."""
ROWS_EACH = 10
"""Rows that stacking needs for each of its coefficients (Peduzzi et al. 1996); with fewer it fits the rows' noise."""
_TIE = 1e-3
"""Share of the mean in a vote: it breaks ties, and no probability is 0."""
_TINY = 1e-6
"""Probabilities nearer to 0 than this count as this, in logarithms."""


@dataclass(frozen=True)
class Combination:
    """A way to combine, fitted.

    Attributes:
        kind: its name.
        members: place of each model in the pool that it was fitted on.
        weights: of each member, they add up to 1; empty for stacking.
        coefficients: of stacking, [outputs][features].
        intercept: of stacking, [outputs].
    """

    kind: str
    members: tuple[int, ...]
    weights: tuple[float, ...] = ()
    coefficients: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    intercept: tuple[float, ...] = field(default=(), repr=False)

    def of(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Probabilities [n, classes] or values [n].

        Args:
            values: what each member predicts, in the order of ``members``.
        """
        if self.kind == "stacking":
            return self._stacked(values)
        if len(values) == 1:
            alone: NDArray[Any] = values[0]
            return alone
        mean = _mixed(values, self.weights)
        if self.kind != "vote":
            return mean
        votes = _mixed([one_hot(value.argmax(axis=1), value.shape[1]) for value in values], self.weights)
        return (1 - _TIE) * votes + _TIE * mean

    def _stacked(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        features = _features(values)
        # einsum goes row by row: the same row has the same bits whatever stands beside it
        made = np.einsum("nf,of->no", features, np.asarray(self.coefficients)) + np.asarray(self.intercept)
        if values[0].ndim == 1:
            only: NDArray[Any] = made[:, 0]
            return only
        if made.shape[1] == 1:
            made = np.concatenate([np.zeros_like(made), made], axis=1)
        made = np.exp(made - made.max(axis=1, keepdims=True))
        normal: NDArray[Any] = made / made.sum(axis=1, keepdims=True)
        return normal

    def plain(self) -> dict[str, Any]:
        """As JSON has it; the places in the pool are left out, as the members stand beside it in this order."""
        found: dict[str, Any] = {"kind": self.kind, "models": len(self.members)}
        if self.weights:
            found["weights"] = list(self.weights)
        if self.coefficients:
            found |= {"coefficients": [list(row) for row in self.coefficients], "intercept": list(self.intercept)}
        return found

    @classmethod
    def read(cls, plain: Mapping[str, Any], classes: int) -> Combination:
        """Read back what ``plain`` gave.

        Args:
            plain: perhaps edited by hand.
            classes: of the models that it combines; 0 for values.

        Raises:
            UserError: it is none, or does not fit the models.
        """
        try:
            kind, models = str(plain["kind"]), int(plain["models"])
            weights = tuple(float(weight) for weight in plain.get("weights", ()))
            coefficients = tuple(tuple(map(float, row)) for row in plain.get("coefficients", ()))
            intercept = tuple(map(float, plain.get("intercept", ())))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"this is no combination of models: {error}") from None
        every = [*weights, *intercept, *(value for row in coefficients for value in row)]
        outputs = 1 if classes <= 2 else classes
        shape = (outputs, models * outputs)
        fits = (
            [len(row) for row in coefficients] == [shape[1]] * shape[0] and len(intercept) == outputs
            if kind == "stacking"
            else len(weights) == models and min(weights, default=-1.0) >= 0 and abs(sum(weights) - 1) < 1e-6
        )
        if kind not in (SINGLE, *KINDS) or models < 1 or not fits or not np.isfinite(every).all():
            raise UserError(f"the combination {kind!r} does not fit {models} models: export the study again")
        return cls(kind, tuple(range(models)), weights, coefficients, intercept)


def fit(kind: str, pool: Sequence[Predicted], most: int, rows: NDArray[Any] | None = None) -> Combination | None:
    """Fit a way to combine.

    Args:
        kind: its name.
        pool: what each model predicts on the same rows.
        most: models that it may take.
        rows: those to fit on; None for all.

    Returns:
        None where it means nothing for these models.
    """
    if rows is not None:
        pool = [Predicted(one.values[rows], one.targets[rows], one.probable) for one in pool]
    order = sorted(range(len(pool)), key=lambda place: (loss(pool[place]), place))
    if len(pool) < 2 or most < 2 or (kind != "vote" and not all(one.probable for one in pool)):
        return None
    return KINDS[kind](pool, order[:most], most)


def loss(one: Predicted) -> float:
    """What combinations are fitted by: log loss, squared error, or share of errors where there are no probabilities."""
    return float(losses(one).mean())


def losses(one: Predicted) -> NDArray[Any]:
    """The same of each row, [n]."""
    if not one.classes:
        squares: NDArray[Any] = np.square(one.values.astype(float) - one.targets)
        return squares
    if not one.probable:
        wrong: NDArray[Any] = one.values.argmax(axis=1) != one.targets
        return wrong.astype(float)
    own = one.values[np.arange(len(one.targets)), one.targets].astype(float)
    logs: NDArray[Any] = -np.log(np.maximum(own, _TINY))
    return logs


def _mean(pool: Sequence[Predicted], best: Sequence[int], most: int) -> Combination | None:
    return Combination("mean", tuple(best), (1 / len(best),) * len(best))


def _vote(pool: Sequence[Predicted], best: Sequence[int], most: int) -> Combination | None:
    return Combination("vote", tuple(best), (1 / len(best),) * len(best)) if pool[0].classes else None


def _greedy(pool: Sequence[Predicted], best: Sequence[int], most: int) -> Combination | None:
    own = _own(pool, range(len(pool)))
    values = bool(pool[0].classes)
    total, drawn, losses = np.zeros(own.shape[1]), list[int](), list[float]()
    for count in range(1, DRAWS + 1):
        allowed = sorted(set(drawn)) if len(set(drawn)) >= most else range(len(pool))
        found = [(_loss_of((total + own[place]) / count, classes=values), place) for place in allowed]
        least, place = min(found)
        total += own[place]
        drawn.append(place)
        losses.append(least)
    prefix = drawn[: int(np.argmin(losses)) + 1]
    members = sorted(set(prefix))
    return Combination("greedy", tuple(members), tuple(prefix.count(place) / len(prefix) for place in members))


def _weighted(pool: Sequence[Predicted], best: Sequence[int], most: int) -> Combination | None:
    own = _own(pool, best)
    if pool[0].classes:
        weights = np.full(len(own), 1 / len(own))
        for _ in range(ROUNDS):
            weights = weights * (own / np.einsum("k,kn->n", weights, own)).mean(axis=1)
    else:
        from scipy.optimize import nnls

        scale = float(np.abs(own).max()) or 1.0
        heavy = 1e3 * len(own[0]) ** 0.5  # the weights add up to 1, as nearly as they can be told
        sides = np.concatenate([own.T / scale, np.full((1, len(own)), heavy)])
        weights = nnls(sides, np.append(np.zeros(len(own[0])), heavy))[0]
    kept = [place for place, weight in enumerate(weights) if weight >= LEAST * weights.sum()]
    total = sum(weights[place] for place in kept)
    return Combination(
        "weighted", tuple(best[place] for place in kept), tuple(float(weights[place] / total) for place in kept)
    )


def _stacking(pool: Sequence[Predicted], best: Sequence[int], most: int) -> Combination | None:
    from sklearn.linear_model import LogisticRegression, Ridge

    targets, features = pool[0].targets, _features([pool[place].values for place in best])
    outputs = pool[0].classes if pool[0].classes > 2 else 1
    if len(targets) < ROWS_EACH * outputs * features.shape[1]:
        return None
    if pool[0].classes:
        if len(np.unique(targets)) < pool[0].classes:
            return None  # a class without a row has no coefficients
        model = LogisticRegression(max_iter=2000)
    else:
        model = Ridge(alpha=float(np.var(targets)) or 1.0)
    model.fit(features, targets)
    coefficients, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return Combination(
        "stacking", tuple(best), (), tuple(tuple(row) for row in coefficients.tolist()), tuple(intercept.tolist())
    )


_Fit = Callable[[Sequence[Predicted], Sequence[int], int], Combination | None]
KINDS: Mapping[str, _Fit] = {
    "mean": _mean, "vote": _vote, "weighted": _weighted, "greedy": _greedy, "stacking": _stacking,
}  # fmt: skip
"""Every way but one model alone: of a pool, its best models in order, and how many may be taken."""


def _own(pool: Sequence[Predicted], places: Sequence[int]) -> NDArray[Any]:
    """[models, n]: the probability of the class that is right, or how far a value is off; losses need no more."""
    rows = np.arange(len(pool[0].targets))
    if pool[0].classes:
        return np.stack([np.maximum(pool[i].values[rows, pool[i].targets].astype(float), _TINY) for i in places])
    return np.stack([pool[i].values.astype(float) - pool[i].targets for i in places])


def _loss_of(own: NDArray[Any], *, classes: bool) -> float:
    return float(-np.log(own).mean()) if classes else float(np.square(own).mean())


def _features(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """What stacking takes, [n, features]: log odds of two classes, logarithms less their mean of more, else values."""
    if values[0].ndim == 1:
        return np.stack([value.astype(float) for value in values], axis=1)
    logs = [np.log(np.clip(value.astype(float), _TINY, 1)) for value in values]
    if values[0].shape[1] == 2:
        return np.stack([log[:, 1] - log[:, 0] for log in logs], axis=1)
    return np.concatenate([log - log.mean(axis=1, keepdims=True) for log in logs], axis=1)


def _mixed(values: Sequence[NDArray[Any]], weights: Sequence[float]) -> NDArray[Any]:
    total = np.zeros(values[0].shape)
    for value, weight in zip(values, weights, strict=True):
        total += weight * value.astype(float)
    return total


def one_hot(numbers: NDArray[Any], classes: int) -> NDArray[Any]:
    """1 at the class [n] and 0 else, [n, classes]."""
    made: NDArray[Any] = np.eye(classes)[numbers]
    return made
