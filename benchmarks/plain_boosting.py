"""Gradient boosting as people write it by hand: scikit-learn's classifier grown with warm_start, scored as it grows.

What live.py gives to Optuna; the suite trains the same estimator on the same rows by its own objective.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from hpo.objectives import data
from hpo.search.terms.recipe import derive_seed

Arrays: TypeAlias = "tuple[NDArray[Any], ...]"

EPOCHS = 20
TREES = 100


def write(path: Path) -> None:
    """Generate two overlapping classes in eight clusters, 2,000 rows of 20 features: fast recipes overfit."""
    x, y = make_classification(
        2000, 20, n_informative=8, n_redundant=4, n_clusters_per_class=4, flip_y=0.03, class_sep=0.8, random_state=0
    )
    np.savez(path, x=x, y=y)


def arrays(path: Path, seed: int) -> Arrays:
    """Train and validation parts, split as a study with this seed splits them."""
    prepared = data.arrays(data.load({"npz": {"path": str(path)}}, derive_seed(seed, "split")))
    return prepared.train.X, prepared.train.y, prepared.validation.X, prepared.validation.y


def train(parts: Arrays, seed: int, **parameters: Any) -> Iterator[float]:
    """Validation loss after each of ``EPOCHS`` equal steps to ``TREES`` trees."""
    inputs, targets, held_out, labels = parts
    model = HistGradientBoostingClassifier(warm_start=True, early_stopping=False, random_state=seed, **parameters)
    for step in range(1, EPOCHS + 1):
        model.set_params(max_iter=TREES * step // EPOCHS).fit(inputs, targets)
        yield float(log_loss(labels, model.predict_proba(held_out)))
