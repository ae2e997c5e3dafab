"""An estimator fitted on a few made rows: what can only fail says so before anything is trained."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from hpo.objectives.data.dataset import Task
from hpo.objectives.estimators.base import place_of
from hpo.objectives.estimators.build import assemble, build
from hpo.search.terms.errors import UserError

SIZES = ((10, 1), (200, 20))
"""Rows and features of the made data: what fails on both in the same words fails on any."""

_GROWING = ("n_estimators", "max_iter", "max_leaf_nodes")


def attempt_fit(name: str, parameters: Mapping[str, Any], base: str | None = None) -> None:
    """Fit an estimator on made rows of the task it is for; see ``build`` for its arguments.

    Numpy's global generator is left as it was.

    Raises:
        UserError: it cannot be built, for either task.
        Exception: what its ``fit`` raised, unless that came from the size of the data.
    """
    import numpy as np

    small = {k: min(v, 3) if k in _GROWING and type(v) is int and v > 3 else v for k, v in parameters.items()}
    built = assemble(name, small, base)
    state, errors = np.random.get_state(), []
    try:
        for rows, features in SIZES:
            try:
                task = _task(built, name)
                _fit(build(name, small, task, 0, "the data", base), task == "classification", rows, features)
            except Exception as error:
                errors.append(error)
            else:
                return
    finally:
        np.random.set_state(state)
    if len({(type(error), str(error)) for error in errors}) == 1:
        parameters = inspect.signature(type(built)).parameters
        if base is None and place_of(parameters) is not None and not isinstance(errors[0], UserError):
            hint = "name the estimator inside of it, fixed: {base_estimator: DecisionTreeClassifier}"
            raise UserError(f"{name} cannot be trained with these parameters alone: {hint}") from errors[0]
        raise errors[0]


def _task(estimator: Any, name: str) -> Task:
    """Task that an estimator is for.

    Raises:
        UserError: for none.
    """
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(estimator):
        return "classification"
    if is_regressor(estimator):
        return "regression"
    raise UserError(f"{name} is neither a classifier nor a regressor")


def _fit(estimator: Any, classes: bool, rows: int, features: int) -> None:
    import numpy as np
    from sklearn.base import clone

    rng = np.random.default_rng(0)
    X = rng.random((rows, features))
    y = np.arange(rows) % 2 if classes else 1 + rng.random(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what made data are warned about says nothing of the user's
        clone(estimator).fit(X, y)
