"""Another file with the columns of a data set: read like it, encoded like it, not split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import target
from hpo.objectives.data.columns import convert
from hpo.objectives.data.dataset import Dataset, Part, Source
from hpo.objectives.data.frame import read_frame
from hpo.search.terms import registry
from hpo.search.terms.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def read_part(dataset: Dataset, path: Path) -> Part:
    """Read every row of ``path`` that has a target.

    Raises:
        DataError: missing columns, another row shape, unknown classes, or a data set that is no file.
    """
    import numpy as np

    kind, options = next(iter(dataset.spec.items())) if not isinstance(dataset.spec, str) else ("bundled", {})
    X: Any
    y: Any
    classes = dataset.classes
    if dataset.columns:
        frame = read_frame(path, options.get("separator"), dataset.target)
        _same_columns(dataset, frame, path.name)
        X, y = convert(frame, dataset.columns), frame[dataset.target]
    elif "path" in options:
        source: Source = registry.load("data", kind).read({**options, "path": str(path)})
        if source.X.shape[1] != len(dataset.features) or source.image != dataset.image:
            raise DataError(
                f"{path.name} has rows of {source.image or source.X.shape[1]}, "
                f"but the model was trained on {dataset.image or len(dataset.features)}"
            )
        X, y = source.X, source.y
        if y.dtype.kind in "iu" and all(isinstance(label, str) for label in classes):
            # the file's class_names name the classes 0, 1, ...
            classes = tuple(range(len(classes)))
    else:
        raise DataError(f"{dataset.name} is a bundled set: a model trained on it cannot be run on {path.name}")
    y = target.numbered(target.cleaned(y), dataset.target_mark)
    here = np.flatnonzero(target.present(y))
    if not len(here):
        raise DataError(f"{path.name}: the target {dataset.target!r} is missing in every row")
    labels = y.iloc[here] if hasattr(y, "iloc") else y[here]
    encoded = target.encode_like(labels, dataset.task, classes, path.name, dataset.target)
    return Part(X.iloc[here].reset_index(drop=True) if hasattr(X, "iloc") else X[here], encoded, here)


def _same_columns(dataset: Dataset, frame: pd.DataFrame, file: str) -> None:
    there = [str(name) for name in frame.columns]
    missing = [name for name in [dataset.target, *(column.name for column in dataset.columns)] if name not in there]
    if missing:
        shown = ", ".join(repr(name) for name in missing[:8]) + (", ..." if len(missing) > 8 else "")
        hint = did_you_mean(missing[0], there) if len(missing) == 1 else ""
        raise DataError(f"{file} lacks {len(missing)} of the columns the model was trained on: {shown} {hint}".rstrip())
