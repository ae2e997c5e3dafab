"""Gradient boosting as people write it by hand: scikit-learn's regressor grown with warm_start, scored as it grows.

What live.py gives to Optuna; the suite trains the same estimator on the same rows by its own objective.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import root_mean_squared_error

from hpo.objectives import data
from hpo.search.terms.recipe import derive_seed


def arrays(source: Any, seed: int) -> tuple[Any, ...]:
    """Inputs and targets of the train and validation parts, split as a study with this seed splits them."""
    dataset = data.load(source, derive_seed(seed, "split"))
    prepared = data.arrays(dataset)
    return prepared.train.X, dataset.train.y, prepared.validation.X, dataset.validation.y


def train(parts: tuple[Any, ...], *, seed: int, max_iter: int, epochs: int, **parameters: Any) -> Iterator[float]:
    """Root mean square of the errors on validation rows after each of ``epochs`` equal steps to ``max_iter`` trees."""
    inputs, targets, held_out, wanted = parts
    model = HistGradientBoostingRegressor(warm_start=True, early_stopping=False, random_state=seed, **parameters)
    for step in range(1, epochs + 1):
        model.set_params(max_iter=max_iter * step // epochs).fit(inputs, targets)
        yield float(root_mean_squared_error(wanted, model.predict(held_out)))
