"""Learning curves of an estimator: passes over the data, growth of an ensemble, or cross-validation folds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import split
from hpo.objectives.data.class_weights import weights_of
from hpo.objectives.data.dataset import Dataset, Part
from hpo.objectives.data.prepare import preprocessor
from hpo.objectives.data.words import Words
from hpo.objectives.estimators import boosting
from hpo.objectives.estimators.build import takes
from hpo.objectives.estimators.scheme import curve_kind
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows to train and to validate on; ``prepare`` was fitted on the training rows alone."""

    prepare: Any
    X: Any
    y: NDArray[Any]
    X_validation: Any
    y_validation: NDArray[Any]


@dataclass(frozen=True)
class Inputs:
    """What an estimator is given of the data.

    Attributes:
        words: what becomes of texts.
        nonnegative: whether it takes no numbers below 0.
        sparse: whether it takes sparse matrices.
    """

    words: Words
    nonnegative: bool = False
    sparse: bool = False

    @classmethod
    def of(cls, estimator: Any, words: Words) -> Inputs:
        """What an estimator says that it takes."""
        from sklearn.utils import get_tags

        tags = get_tags(estimator).input_tags
        return cls(words, bool(tags.positive_only), bool(tags.sparse))


@lru_cache(maxsize=4)
def holdout(dataset: Dataset, inputs: Inputs) -> Prepared:
    """Train on the training part, validate on the validation part."""
    return _prepare(dataset, dataset.train, dataset.validation, inputs)


@lru_cache(maxsize=8)
def fold(dataset: Dataset, index: int, count: int, seed: int, inputs: Inputs) -> Prepared:
    """Fold ``index`` of ``count`` over the train and validation parts; the test part is in none."""
    pool = pooled(dataset)
    rows = split.folds(
        pool.y,
        count,
        seed,
        stratify=dataset.task == "classification",
        groups=pool.groups,
        ordered=dataset.ordered,
    )[index]
    train, validation = (_rows(pool, chosen) for chosen in rows)
    return _prepare(dataset, train, validation, inputs)


@lru_cache(maxsize=4)
def pooled(dataset: Dataset) -> Part:
    """Train and validation parts together, in this order."""
    import numpy as np

    first, second = dataset.train, dataset.validation
    if dataset.columns:
        import pandas as pd

        X = pd.concat([first.X, second.X], ignore_index=True)
    else:
        X = np.concatenate([first.X, second.X])
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, second.groups])
    return Part(X, np.concatenate([first.y, second.y]), np.concatenate([first.rows, second.rows]), groups)


def kind_of(estimator: Any) -> str | None:
    """How the estimator learns step by step; see ``scheme.curve_kind``."""
    parameters = estimator.get_params(deep=False)
    return curve_kind(type(estimator).__name__, parameters, partial=hasattr(estimator, "partial_fit"))


def passes(
    estimator: Any, data: Prepared, epochs: int, seed: int, weighting: str | None, classes: int
) -> Iterator[Any]:
    """Train by ``partial_fit``, one pass over newly shuffled rows at a time; ``classes`` is 0 for a regressor.

    Yields the fitted estimator after each pass. A regressor learns a standardised target and comes wrapped so that it
    predicts in original units.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    y, scaler = (data.y, None) if classes else _standardized(estimator, data.y)
    fitted = estimator
    weights = _weighted(estimator, data.y, weighting, "partial_fit")
    for epoch in range(epochs):
        order = rng.permutation(len(data.y))
        options: dict[str, Any] = {} if weights is None else {"sample_weight": weights[order]}
        if classes and epoch == 0:
            options["classes"] = np.arange(classes)
        with quiet():
            estimator.partial_fit(data.X[order], y[order], **options)
        if scaler is not None and epoch == 0:
            fitted = _in_original_units(estimator, scaler, data)
        yield fitted


def growth(estimator: Any, data: Prepared, parameter: str, epochs: int, weighting: str | None) -> Iterator[Any]:
    """Train by ``warm_start``: grow the ensemble to its full size in ``epochs`` equal steps.

    Yields the estimator after each step.
    """
    size = int(estimator.get_params(deep=False)[parameter])
    estimator.set_params(warm_start=True)
    if estimator.get_params(deep=False).get("early_stopping") == "auto":
        # the curve shows where it should have stopped; stopping inside would end each step at its own place
        estimator.set_params(early_stopping=False)
    weights = _weighted(estimator, data.y, weighting, "fit")
    for now in sorted({-(-size * step // epochs) for step in range(1, epochs + 1)}):
        estimator.set_params(**{parameter: now})
        fit(estimator, data, weights)
        yield estimator


def rounds(estimator: Any, data: Prepared, epochs: int, weighting: str | None) -> Iterator[Any]:
    """Train gradient boosting of another package to its size in ``epochs`` equal steps, each going on from the last.

    Yields the estimator after each step, which then holds all rounds so far.
    """
    from sklearn.base import clone

    known, (parameter, size) = boosting.of(estimator), boosting.rounds(estimator)
    weights = _weighted(estimator, data.y, weighting, "fit")
    done = 0
    further: dict[str, Any] = {}
    for now in sorted({-(-size * step // epochs) for step in range(1, epochs + 1)}):
        estimator = clone(estimator).set_params(**{parameter: now - done})  # CatBoost's cannot be set once it is fitted
        fit(estimator, data, weights, **further)
        done, further = now, {known.argument: known.so_far(estimator)}
        yield estimator


def fit_whole(estimator: Any, data: Prepared, weighting: str | None) -> None:
    """Fit in one go."""
    fit(estimator, data, _weighted(estimator, data.y, weighting, "fit"))


def fit(estimator: Any, data: Prepared, weights: NDArray[Any] | None, **further: Any) -> None:
    """Call ``fit``, with the rows' weights if there are any, and further arguments of its own."""
    with quiet():
        estimator.fit(data.X, data.y, **({} if weights is None else {"sample_weight": weights}), **further)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what only repeats, for thousands of trials, that a recipe is a bad one: its scores say so."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def refit(dataset: Dataset, inputs: Inputs) -> Prepared:
    """Train and validation parts together, to train the final model of a cross-validation on."""
    pool = pooled(dataset)
    return _prepare(dataset, pool, _rows(pool, slice(0, 0)), inputs)


def _prepare(dataset: Dataset, train: Part, validation: Part, inputs: Inputs) -> Prepared:
    prepare = preprocessor(dataset, inputs.words, nonnegative=inputs.nonnegative, sparse=inputs.sparse)
    X = prepare.fit_transform(train.X)
    return Prepared(
        prepare, X, train.y, prepare.transform(validation.X) if len(validation) else validation.X, validation.y
    )


def _rows(part: Part, rows: Any) -> Part:
    X = part.X.iloc[rows] if hasattr(part.X, "iloc") else part.X[rows]
    return Part(X, part.y[rows], part.rows[rows], None if part.groups is None else part.groups[rows])


def _standardized(estimator: Any, y: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Target with deviation 1 and mean 0, and its scaler; a Poisson loss keeps its target positive."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=getattr(estimator, "loss", None) != "poisson")
    return scaler.fit_transform(y.reshape(-1, 1)).ravel(), scaler


def _in_original_units(estimator: Any, scaler: Any, data: Prepared) -> Any:
    """Wrap a fitted regressor; the wrapper sees what the regressor learns later."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.frozen import FrozenEstimator

    wrapped = TransformedTargetRegressor(FrozenEstimator(estimator), transformer=scaler, check_inverse=False)
    return wrapped.fit(data.X, data.y)


def _weighted(estimator: Any, y: NDArray[Any], weighting: str | None, method: str) -> NDArray[Any] | None:
    """Give the estimator its class weights, or return them row by row for its ``fit``.

    Raises:
        UserError: it takes neither.
    """
    import numpy as np

    if weighting is None:
        return None
    by_class = weights_of(weighting, y, int(y.max()) + 1)
    weights = {int(label): float(by_class[label]) for label in np.unique(y)}
    if "class_weight" in estimator.get_params(deep=False):
        estimator.set_params(class_weight=weights)
        return None
    if not takes(getattr(estimator, method), "sample_weight"):
        raise UserError(f"{type(estimator).__name__} takes no class weights: remove class_weight")
    return np.asarray([weights[int(label)] for label in y])
