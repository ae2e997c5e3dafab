"""Where to decide for the second of two classes: the probability from which on it is predicted.

The best cut for a metric or for costs is read off held-out predictions, and what it is worth is estimated by cross-
fitting: each fifth of the rows is decided by a cut that was chosen on the other four, as a cut flatters the rows that
it was chosen on. Metrics are those of the four counts of decisions, so that all cuts are weighed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hpo.objectives.data import split
from hpo.search.terms.errors import DataError, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cut = Literal["tuned", "accuracy", "balanced_accuracy", "f1", "f1_macro", "jaccard", "matthews_corrcoef", "cost"]

TUNABLE = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "jaccard", "matthews_corrcoef", "cost")
"""What a threshold may be tuned for. Precision or recall alone are best where one class is never predicted."""

FOLDS = 5
"""Parts of the held-out rows in cross-fitting; fewer where a class has fewer rows."""

EVEN = 0.5
"""Where is decided unless a study says otherwise."""


@dataclass(frozen=True)
class Costs:
    """What mistakes cost, in any unit; right decisions cost nothing.

    Attributes:
        false_positive: of predicting the second class for a row of the first.
        false_negative: of predicting the first for a row of the second.
    """

    false_positive: float = 1.0
    false_negative: float = 1.0

    def mean(self, y: NDArray[Any], chosen: NDArray[Any]) -> float:
        """Cost of a row, on average."""
        wrong = self.false_positive * ((y == 0) & (chosen == 1)) + self.false_negative * ((y == 1) & (chosen == 0))
        return float(wrong.mean())


def best_cut(y: NDArray[Any], probability: NDArray[Any], metric: str, costs: Costs) -> float:
    """The cut that is best for a metric on these rows; of equally good ones that nearest to where it would be expected.

    Expected is the share of the costs, or a half, where probabilities can be trusted (Elkan 2001): few rows leave wide
    gaps, whose middle may be far from that. It stays off the ends of its gap by a quarter.

    Args:
        y: 0 or 1 [rows].
        probability: of 1 [rows].
        metric: one of ``TUNABLE``.
        costs: for ``cost``.
    """
    import numpy as np

    order = np.argsort(-probability, kind="stable")
    sorted_, hits = probability[order], np.cumsum(y[order] == 1)
    ends = np.flatnonzero(np.append(np.diff(sorted_) != 0, True))  # a cut separates unlike probabilities only
    claimed = np.append(0, ends + 1)
    right = np.append(0, hits[ends])
    values = _values(right.astype(float), claimed.astype(float), int(hits[-1]), len(y), metric, costs)
    edges = np.concatenate([[1.0], sorted_[ends], [0.0]])  # cut i lies between edges i and i + 1
    best = np.flatnonzero(values >= values.max() - 1e-12)
    paid = costs.false_positive + costs.false_negative
    expected = costs.false_positive / paid if metric == "cost" and paid else 0.5
    margin = (edges[best] - edges[best + 1]) / 4
    cuts = np.clip(expected, edges[best + 1] + margin, edges[best] - margin)
    return float(cuts[np.argmin(np.abs(cuts - expected))])


def cross_fitted(y: NDArray[Any], probability: NDArray[Any], metric: str, costs: Costs) -> NDArray[Any]:
    """Decisions 0 or 1 [rows], each by a cut that was chosen on other rows.

    Raises:
        DataError: a class has fewer than two rows.
    """
    import numpy as np

    fewest = int(np.bincount(y, minlength=2).min())
    if fewest < 2:
        raise DataError(f"a threshold is tuned on two rows of each class or more, but one has {fewest}")
    chosen = np.zeros(len(y), dtype=np.int64)
    for others, held_out in split.folds(y, min(FOLDS, fewest), 0, stratify=True):
        cut = best_cut(y[others], probability[others], metric, costs)
        chosen[held_out] = decided(probability[held_out], cut)
    return chosen


def decided(probability: NDArray[Any], cut: float) -> NDArray[Any]:
    """Class numbers 0 or 1 [rows]."""
    import numpy as np

    chosen: NDArray[Any] = (probability >= cut).astype(np.int64)
    return chosen


def check_cut(cut: float | str, task: str, classes: int) -> None:
    """Refuse a threshold that means nothing.

    Raises:
        UserError: it is neither a probability nor something to tune for, or there are not two classes.
    """
    if isinstance(cut, str) and cut != "tuned" and cut not in TUNABLE:
        raise UserError(f"threshold: {cut!r} is nothing to tune for: tuned, or one of {', '.join(TUNABLE)}")
    if cut != EVEN and classes != 2:
        told = f"there are {classes} classes" if task == "classification" else "the target is a quantity"
        raise UserError(f"threshold is for two classes, and {told}: leave it out")


def _values(
    right: NDArray[Any], claimed: NDArray[Any], positives: int, rows: int, metric: str, costs: Costs
) -> NDArray[Any]:
    """The metric, larger is better, under each cut.

    Args:
        right: rows of 1 that are predicted as such.
        claimed: rows that are predicted as 1.
        positives: rows of 1.
        rows: all rows.
        metric: see ``best_cut``.
        costs: see ``best_cut``.
    """
    import numpy as np

    false = claimed - right
    missed, kept = positives - right, rows - positives - false

    def ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return found

    f1, f1_other = ratio(2 * right, 2 * right + false + missed), ratio(2 * kept, 2 * kept + false + missed)
    spread = np.sqrt(claimed * (rows - claimed) * float(positives) * (rows - positives))
    values: dict[str, NDArray[Any]] = {
        "accuracy": (right + kept) / rows,
        "balanced_accuracy": (right / max(positives, 1) + kept / max(rows - positives, 1)) / 2,
        "f1": f1,
        "f1_macro": (f1 + f1_other) / 2,
        "jaccard": ratio(right, right + false + missed),
        "matthews_corrcoef": ratio(right * kept - false * missed, spread),
        "cost": -(costs.false_positive * false + costs.false_negative * missed),
    }
    return values[metric]
