"""A metric that the user wrote, measured of what any model says, beside scikit-learn's.

::

    def profit(y_true, y_pred):       # class numbers or values [rows]
    def lift(y_true, y_score):        # probabilities of the second class [rows]; of more classes [rows, classes]

Classes are numbers in the order of their names. The second parameter's name says what is wanted, as scikit-learn's do.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.scorers import Said
from hpo.search.describe.metric import file_of, import_metric, name_of
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCORES = ("score", "prob", "proba", "probability", "probabilities", "probs", "scores")
"""Last words of a parameter's name that asks for probabilities."""


def measured(reference: str, said: Said) -> dict[str, float]:
    """Its value under its name.

    Raises:
        DataError: it raises, gives no number, or asks for probabilities that there are none of. Another recipe would
            not do better, so this ends a search.
    """
    place, name = f"the metric {name_of(reference)} of {file_of(reference).name}", name_of(reference)
    try:
        function = import_metric(reference)
        value = function(said.y.copy(), _scores(said) if _wants_scores(function) else said.predicted.copy())
    except Exception as error:
        file = str(file_of(reference))
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = f" in line {lines[-1]}" if lines else ""
        raise DataError(f"{place} cannot be measured: {type(error).__name__}: {error}{line}") from error
    try:
        return {name: float(value)}
    except (TypeError, ValueError):
        raise DataError(f"{place} must return a number, got {str(value)[:60]!r}") from None


def _wants_scores(function: Callable[..., Any]) -> bool:
    second = list(inspect.signature(function).parameters)[1:2]
    return bool(second) and second[0].lower().split("_")[-1] in _SCORES


def _scores(said: Said) -> NDArray[Any]:
    """Probabilities, or decision values where there are none; of a quantity what is predicted.

    Raises:
        ValueError: there are neither.
    """
    if not said.classes:
        return said.predicted.copy()
    found = said.probabilities if said.probabilities is not None else said.ranking
    if found is None:
        raise ValueError("this model gives classes alone, no probabilities: name the second parameter y_pred")
    return found[:, 1].copy() if said.classes == 2 and found.ndim == 2 else found.copy()
