"""What rows of each class weigh in training: by how many there are, or as the user says.

``balanced`` and ``sqrt`` follow from the counts; ``{no: 1, yes: 10}`` names classes, by their labels or numbers, and
those that it leaves out weigh 1. In a recipe that is text, so that it can be one of several choices.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.knobs import weights_problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNTED = ("balanced", "sqrt")
"""Weights that follow from how many rows a class has."""


def numbered(written: str, labels: Sequence[Any], classes: int) -> str:
    """The same weights by class number; what is not the user's own stays as it is.

    Args:
        written: of a recipe.
        labels: of the classes, in the order of their numbers; none where they have none but these.
        classes: how many.

    Raises:
        UserError: it is no mapping of classes to weights, or names a class that there is none of.
    """
    if written in (*COUNTED, "none"):
        return written
    if problem := weights_problem(written):
        raise UserError(f"class_weight: {problem}")
    numbers = {str(number): number for number in range(classes)}
    names = {str(label): number for number, label in enumerate(labels)} or numbers
    found = {}
    for label, weight in json.loads(written).items():
        number = names.get(label, numbers.get(label))
        if number is None:
            raise UserError(f"class_weight: there is no class {label!r}: {did_you_mean(label, names)}")
        found[str(number)] = weight
    return json.dumps(found)


def weights_of(kind: str, y: NDArray[Any], classes: int) -> NDArray[Any]:
    """Weight of a row of each class [classes]: inverse to its count, to the root of that, or as ``numbered`` says.

    ``balanced`` is scikit-learn's compute_class_weight; a class without rows weighs 1.
    """
    import numpy as np

    if kind not in COUNTED:
        given = json.loads(kind)
        return np.asarray([float(given.get(str(number), 1.0)) for number in range(classes)])
    counts = np.bincount(y.astype(np.int64), minlength=classes)
    weights = np.where(counts > 0, len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)
    return np.sqrt(weights) if kind == "sqrt" else weights
