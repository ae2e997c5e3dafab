"""Metrics by their scikit-learn names, computed on numpy: a point of a curve must not cost more than an epoch.

Losses and errors are positive, smaller is better (``log_loss``, ``rmse``, ``mae``, ...). With more than two classes
``roc_auc`` and ``average_precision`` are one-vs-rest means over the classes present, as scikit-learn's ``roc_auc_ovr``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSIFICATION = (
    "val_accuracy",
    "val_balanced_accuracy",
    "val_precision_macro",
    "val_recall_macro",
    "val_f1_macro",
    "val_matthews_corrcoef",
    "val_roc_auc",
    "val_average_precision",
    "val_log_loss",
)
"""What ``classification`` measures, as a curve names it; the last three need scores or probabilities."""

REGRESSION = ("val_rmse", "val_mae", "val_median_absolute_error", "val_r2")
"""What ``regression`` measures, as a curve names it; in original units."""


def report(targets: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    """Metrics of class numbers [n] and probabilities [n, classes], with the confusion matrix; or of values [n]."""
    if predicted.ndim == 1:
        return dict(regression(targets, predicted))
    chosen, classes = predicted.argmax(axis=1), predicted.shape[1]
    found: dict[str, Any] = dict(classification(targets, chosen, classes, probabilities=predicted))
    return found | {"confusion_matrix": confusion_matrix(targets, chosen, classes).tolist()}


BINS = 10
"""Of probabilities, or of predicted values, in ``picture``."""


def picture(targets: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    """Small tables that show where predictions err, as plain data; predictions as ``report`` takes them.

    ``calibration`` has a row (mean prediction, what was true, rows) for each bin. Of two classes the prediction is the
    probability of the second and what was true its share; of more it is the largest probability and the share that was
    right, as in the reliability diagrams of Guo et al. (2017), in bins of equal width. Of values both are means, in
    bins of equal size. Classes have their ``confusion_matrix`` beside it.
    """
    import numpy as np

    if predicted.ndim == 1:
        order = np.argsort(predicted, kind="stable")
        parts = [part for part in np.array_split(order, BINS) if len(part)]
        return {"calibration": [[float(predicted[p].mean()), float(targets[p].mean()), len(p)] for p in parts]}
    classes, chosen = predicted.shape[1], predicted.argmax(axis=1)
    told = predicted[:, 1] if classes == 2 else predicted.max(axis=1)
    true = targets == 1 if classes == 2 else targets == chosen
    bins = np.minimum((told * BINS).astype(np.int64), BINS - 1)
    parts = [part for part in (np.flatnonzero(bins == i) for i in range(BINS)) if len(part)]
    return {
        "confusion_matrix": confusion_matrix(targets, chosen, classes).tolist(),
        "calibration": [[float(told[p].mean()), float(true[p].mean()), len(p)] for p in parts],
    }


def confusion_matrix(y: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[Any]:
    """Counts [true class, predicted class]."""
    import numpy as np

    counts: NDArray[Any] = np.bincount(y.astype(np.int64) * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def classification(
    y: NDArray[Any],
    predicted: NDArray[Any],
    classes: int,
    *,
    ranking: NDArray[Any] | None = None,
    probabilities: NDArray[Any] | None = None,
) -> dict[str, float]:
    """Metrics of predicted classes.

    Args:
        y: true class numbers [rows].
        predicted: predicted class numbers [rows].
        classes: how many classes there are.
        ranking: decision values [rows] of class 1, or [rows, classes]; defaults to the probabilities.
        probabilities: [rows, classes]; without them there is no ``log_loss``.
    """
    import numpy as np

    counts = confusion_matrix(y, predicted, classes).astype(float)
    right, true, claimed, rows = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    known = true + claimed > 0
    recall = _ratio(right, true)
    covariance = right.sum() * rows - true @ claimed
    spread = (rows**2 - claimed @ claimed) * (rows**2 - true @ true)
    found = {
        "accuracy": right.sum() / rows,
        "balanced_accuracy": recall[true > 0].mean(),
        "precision_macro": _ratio(right, claimed)[known].mean(),
        "recall_macro": recall[known].mean(),
        "f1_macro": _ratio(2 * right, true + claimed)[known].mean(),
        "matthews_corrcoef": covariance / np.sqrt(spread) if spread > 0 else 0.0,
    }
    values = probabilities if ranking is None else ranking
    if values is not None:
        found |= _ranked(y, values, classes)
    if probabilities is not None:
        tiny = np.finfo(np.float64).eps
        chosen = np.clip(probabilities.astype(float), tiny, 1)[np.arange(len(y)), y]
        found["log_loss"] = -np.log(chosen).mean()
    return {name: float(value) for name, value in found.items()}


def regression(y: NDArray[Any], predicted: NDArray[Any]) -> dict[str, float]:
    """Metrics of predicted values, both in original units."""
    import numpy as np

    error = np.abs(predicted.astype(float) - y)
    squared, spread = float((error**2).sum()), float(((y - y.mean()) ** 2).sum())
    return {
        "rmse": float(np.sqrt(squared / len(y))),
        "mae": float(error.mean()),
        "median_absolute_error": float(np.median(error)),
        "r2": 1 - squared / spread if spread > 0 else float(squared == 0),
    }


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    ratio: NDArray[Any] = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return ratio


def _ranked(y: NDArray[Any], values: NDArray[Any], classes: int) -> dict[str, Any]:
    """Area under the ROC curve and average precision; empty when no class can be told from the rest."""
    import numpy as np

    columns = values if values.ndim == 2 else values[:, None]
    if classes == 2:
        pairs = [(y == 1, columns[:, -1])]
    else:
        pairs = [(y == label, columns[:, label]) for label in range(columns.shape[1])]
    pairs = [(positive, column) for positive, column in pairs if 0 < positive.sum() < len(y)]
    if not pairs or not np.isfinite(columns).all():
        return {}
    areas = [_curve_areas(positive, column) for positive, column in pairs]
    return {"roc_auc": np.mean([area for area, _ in areas]), "average_precision": np.mean([area for _, area in areas])}


def _curve_areas(positive: NDArray[Any], column: NDArray[Any]) -> tuple[float, float]:
    """Area under the ROC curve (ties count half) and average precision of one class against the rest."""
    import numpy as np

    order = np.argsort(-column, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(column[order])), len(order) - 1)
    hits = np.cumsum(positive[order])[ends].astype(float)
    taken = ends + 1.0
    recall, false = hits / hits[-1], (taken - hits) / (taken - hits)[-1]
    recall_before = np.append(0, recall[:-1])
    area = ((recall + recall_before) / 2 * np.diff(np.append(0, false))).sum()
    return float(area), float(((recall - recall_before) * hits / taken).sum())
