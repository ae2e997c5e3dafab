"""Training rows drawn so that every class has as many; validation and test rows stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpo.objectives.estimators.curves import Prepared
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBOURS = 5
"""Of a row between which and itself SMOTE makes new ones; fewer where a class has fewer rows."""


def check_resample(kind: str, classes: int) -> None:
    """Refuse resampling that cannot be done.

    Raises:
        UserError: there are no classes, or imbalanced-learn is missing.
    """
    if kind == "none":
        return
    if not classes:
        raise UserError(f"resample: {kind} is for classes, and the target is a quantity: leave it out")
    if kind == "smote":
        _smote()


def resampled(data: Prepared, kind: str, seed: int) -> Prepared:
    """The same with other training rows.

    Args:
        data: prepared.
        kind: ``none``; ``over`` repeats rows of the rarer classes, ``under`` leaves out rows of the larger ones,
            ``smote`` makes new ones of the rarer classes.
        seed: of what is drawn.

    Raises:
        UserError: a class has a single row, which has no neighbours to make others of.
    """
    import numpy as np

    if kind == "none":
        return data
    if kind == "smote":
        fewest = int(np.unique(data.y, return_counts=True)[1].min())
        if fewest < 2:
            raise UserError("resample: smote needs two training rows of each class or more: use resample: over")
        made = _smote()(random_state=seed, k_neighbors=min(NEIGHBOURS, fewest - 1))
        X, y = made.fit_resample(data.X, data.y)
        return replace(data, X=X, y=y)
    rows = _drawn(data.y, kind == "over", np.random.default_rng(seed))
    return replace(data, X=data.X[rows], y=data.y[rows])


def _drawn(y: NDArray[Any], over: bool, rng: np.random.Generator) -> NDArray[Any]:
    """Rows of which every class has as many, in the order of the data."""
    import numpy as np

    labels, counts = np.unique(y, return_counts=True)
    taken = []
    for label, count in zip(labels, counts, strict=True):
        own = np.flatnonzero(y == label)
        if over:
            taken += [own, rng.choice(own, counts.max() - count)]
        else:
            taken.append(rng.choice(own, counts.min(), replace=False))
    return np.sort(np.concatenate(taken))


def _smote() -> Any:
    try:
        from imblearn.over_sampling import SMOTE
    except ImportError:
        raise UserError("resample: smote needs imbalanced-learn: pip install 'hpo-suite[imbalanced]'") from None
    return SMOTE
