"""Whether combining is worth it: every way is fitted on four fifths of the validation part and scored on the rest.

The best model alone is scored on all rows, by which it is chosen, so it is flattered a little. To choose it on four
fifths too would do the opposite: of nearly equal models the one that is best on some rows is the one that has its bad
ones among the others.

A combination costs the latency of all its models, so it is taken only where it is better by more than one standard
error of the mean difference over rows (the rule of Breiman et al. 1984 for the simpler of two models).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpo.objectives.data import scores
from hpo.objectives.ensembles.combinations import KINDS, Combination, fit, losses, one_hot
from hpo.search.contracts.predicted import Predicted
from hpo.search.terms.ensemble import SINGLE, Option

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
FEWEST = 50
"""Rows of validation below which nothing is chosen by them."""
_BETTER = {"rmse": -1, "mae": -1, "median_absolute_error": -1, "log_loss": -1}
"""Metrics of which less is better; of all others more is."""


class Choice(NamedTuple):
    """What was chosen.

    Attributes:
        combination: fitted on all rows; of kind ``single`` where no other is better for certain.
        options: every way, the best first.
        metric: by which they were compared.
        value: of that on all rows, those fitted on.
    """

    combination: Combination
    options: tuple[Option, ...]
    metric: str
    value: float


def choose(pool: Sequence[Predicted], metric: str, most: int, seed: int) -> Choice:
    """Choose a way to combine models by their predictions on the validation part.

    Args:
        pool: what each model predicts on the same rows.
        metric: of the study's goal; where it cannot be measured on predictions, ``log_loss`` or ``rmse`` decides.
        most: models that may be combined.
        seed: of the folds.

    Raises:
        ValueError: fewer than ``FEWEST`` rows, or predictions on different rows.
    """
    if not all(one.probable for one in pool):
        pool = [
            replace(one, values=one_hot(one.values.argmax(axis=1), one.classes), probable=False) if one.classes else one
            for one in pool
        ]
    targets = pool[0].targets
    if any(len(one.targets) != len(targets) or (one.targets != targets).any() for one in pool):
        raise ValueError("the models predict other rows")
    if len(targets) < FEWEST:
        raise ValueError(f"{len(targets)} rows of validation are too few to choose by, {FEWEST} are needed")
    name = _name(metric, pool)
    sign = _BETTER.get(name, 1)
    folds = _folds(targets, pool[0].classes, seed)
    alone = [sign * measured(targets, one.values, probable=one.probable)[name] for one in pool]
    place = int(np.argmax(alone))
    found = {SINGLE: (sign * alone[place], Combination(SINGLE, (place,), (1.0,)))}
    certain = [SINGLE]
    for kind in KINDS:
        whole = fit(kind, pool, most)
        crossed = _crossed(kind, pool, most, folds)
        if whole is not None and crossed is not None:
            found[kind] = measured(targets, crossed, probable=pool[0].probable)[name], whole
            gained = losses(pool[place]) - losses(replace(pool[place], values=crossed))
            if gained.mean() > gained.std(ddof=1) / len(gained) ** 0.5:
                certain.append(kind)
    order = sorted(found, key=lambda kind: (-sign * found[kind][0], len(found[kind][1].members)))
    best = next(kind for kind in order if kind in certain)
    taken = found[best][1]
    value = measured(targets, taken.of([pool[i].values for i in taken.members]), probable=pool[0].probable)[name]
    return Choice(taken, tuple(_option(kind, *found[kind], pool) for kind in order), name, value)


def measured(targets: NDArray[Any], values: NDArray[Any], *, probable: bool = True) -> Mapping[str, float]:
    """Metrics of predictions: probabilities [n, classes] or values [n]; without probabilities those of classes."""
    if values.ndim == 1:
        return scores.regression(targets, values)
    given = values if probable else None
    return scores.classification(targets, values.argmax(axis=1), values.shape[1], probabilities=given)


def _name(metric: str, pool: Sequence[Predicted]) -> str:
    """What decides: the goal's metric where it can be had of predictions."""
    wanted = metric.removeprefix("val_")
    known = measured(pool[0].targets, pool[0].values, probable=pool[0].probable)
    if wanted in known:
        return wanted
    return next(name for name in ("log_loss", "rmse", "accuracy") if name in known)


def _crossed(kind: str, pool: Sequence[Predicted], most: int, folds: NDArray[Any]) -> NDArray[Any] | None:
    """Predictions of each row by what was fitted on the other folds."""
    made: NDArray[Any] = np.zeros(pool[0].values.shape)
    for index in range(FOLDS):
        combination = fit(kind, pool, most, np.flatnonzero(folds != index))
        if combination is None:
            return None
        rest = np.flatnonzero(folds == index)
        made[rest] = combination.of([pool[place].values[rest] for place in combination.members])
    return made


def _folds(targets: NDArray[Any], classes: int, seed: int) -> NDArray[Any]:
    """Fold of each row; every class, or every stretch of values, is spread evenly."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(targets))
    order = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.zeros(len(targets), np.int64)
    folds[order] = np.arange(len(targets)) % FOLDS
    return folds


def _option(kind: str, value: float, whole: Combination, pool: Sequence[Predicted]) -> Option:
    members = [pool[place] for place in whole.members]
    return Option(
        kind, value, len(members), sum(one.milliseconds for one in members), sum(one.kilobytes for one in members)
    )
