"""Another file with the columns of a data set: read like it, encoded like it, not split; whole or piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import target
from hpo.objectives.data.dataset import Part, Piece
from hpo.objectives.data.schema import Schema
from hpo.search.terms import registry
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_part(schema: Schema, path: Path) -> Part:
    """Read every row of ``path`` that has a target.

    Raises:
        DataError: missing columns, another row shape, unknown classes, or no target.
    """
    (piece,) = read_pieces(schema, path, labelled=True)
    labels, here = targets_of(schema, piece, path.name)
    X = piece.X
    return Part(X.iloc[here].reset_index(drop=True) if hasattr(X, "iloc") else X[here], labels, here)


def targets_of(schema: Schema, piece: Piece, file: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Encoded targets of a piece, and the places of the rows that have one.

    Raises:
        DataError: the file has no targets, or others than the model knows.
    """
    import numpy as np

    classes, y = schema.classes, piece.labels
    if y is None:
        raise DataError(f"{file} lacks the target {schema.target!r}")
    y = y if hasattr(y, "iloc") else np.asarray(y)
    if len(y) != len(piece):
        raise DataError(f"{file}: {len(piece)} rows, but {len(y)} targets")
    if not hasattr(y, "iloc") and y.dtype.kind in "iu" and all(isinstance(label, str) for label in classes):
        classes = tuple(range(len(classes)))  # an array's class_names name the classes 0, 1, ...
    y = target.numbered(target.cleaned(y), schema.mark)
    here = np.flatnonzero(target.present(y))
    if not len(here):
        raise DataError(f"{file}: the target {schema.target!r} is missing in every row")
    chosen = y.iloc[here] if hasattr(y, "iloc") else y[here]
    return target.encode_like(chosen, schema.task, classes, file, schema.target), here


def read_pieces(schema: Schema, path: Path, size: int | None = None, *, labelled: bool = False) -> Iterator[Piece]:
    """Read a file piece by piece: arrays where its name ends with .npz, else a table.

    Args:
        schema: what is read.
        path: the file.
        size: rows of a piece; None for all of them at a time.
        labelled: whether the target must be there.

    Raises:
        DataError: missing columns, another row shape, or a file that cannot be read.
    """
    kind = "npz" if path.suffix == ".npz" else "table"
    pieces: Iterator[Piece] = registry.load("data", kind).pieces(schema, path, size, labelled)
    return pieces
