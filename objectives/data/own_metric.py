"""A metric that the user wrote, measured of what any model says, beside scikit-learn's.

::

    def profit(y_true, y_pred):       # class numbers or values [rows]
    def lift(y_true, y_score):        # probabilities of the second class [rows]; of more classes [rows, classes]

Classes are numbers in the order of their names. The second parameter's name says what is wanted, as scikit-learn's do.
"""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.scorers import Said
from hpo.search.describe.metric import file_of, import_metric, name_of
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCORES = ("score", "prob", "proba", "probability", "probabilities", "probs", "scores")
"""Last words of a parameter's name that asks for probabilities."""


def measured(reference: str, said: Said) -> tuple[float, str]:
    """Its value, and where that is no finite number why, else nothing.

    What raises for the predictions of one recipe may do well by the next one's, so its value is NaN, which ends a
    trial where it is the goal, and no search.

    Raises:
        DataError: its file cannot be imported, which no other recipe changes.
    """
    file = file_of(reference)
    try:
        function = import_metric(reference)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}{_line(error, file)}"
        raise DataError(f"{file.name} of the metric {name_of(reference)} cannot be imported: {problem}") from error
    try:
        given = function(said.y.copy(), _scores(said) if _wants_scores(function) else said.predicted.copy())
    except Exception as error:
        return math.nan, f"{type(error).__name__}: {error}{_line(error, file)}"
    try:
        value = math.nan if isinstance(given, (str, bytes)) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    else:
        if not isinstance(given, (str, bytes)):
            return value, "" if math.isfinite(value) else f"it gives {value}"
    return value, f"it must return a number, got {' '.join(str(given).split())[:60]!r}"


def _line(error: BaseException, file: Path) -> str:
    """Where in the user's file it happened."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f" in line {lines[-1]}" if lines else ""


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
