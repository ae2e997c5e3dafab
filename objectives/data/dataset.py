"""What a data set is once loaded: three fixed parts, encoded targets, and what happened to its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.columns import Asked, Column
from hpo.objectives.data.schema import Schema, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Dataset", "Part", "Piece", "Source", "Task"]


@dataclass(frozen=True)
class Source:
    """What a kind of data reads: rows in their own order, before any split or encoding.

    Attributes:
        name: short name for messages.
        X: pandas DataFrame, or float array [rows, features].
        y: raw target [rows], possibly with missing values.
        target: name of the target.
        features: column names of ``X``.
        task: what the user or the data set says, None to infer it from the target.
        classes: names of the classes 0, 1, ... when the data set has them.
        image: shape (channels, height, width) of a row of ``X``, None when it is no image.
        groups: group of each row; rows of a group stay in one part.
        time: sortable time of each row; parts then follow each other in time.
        parts: 0 train, 1 validation, 2 test per row, when the data set comes split; missing parts are cut from train.
        asked: what the user says of how columns are read.
        notes: sentences about rows and columns, for the user.
        eight_bits: whether images had pixels of 8 bits, which were divided by 255.
    """

    name: str
    X: Any
    y: Any
    target: str
    features: tuple[str, ...]
    task: Task | None = None
    classes: tuple[str, ...] = ()
    image: tuple[int, int, int] | None = None
    groups: Any = None
    time: Any = None
    parts: Any = None
    asked: Asked = field(default_factory=Asked)
    notes: tuple[str, ...] = ()
    eight_bits: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a data set.

    Attributes:
        X: pandas DataFrame of numbers (float64, NaN where missing), categories and texts (str), or array [rows,
            features].
        y: int64 class numbers or float64 values [rows].
        rows: places of these rows in the source, counted from 0 (header excluded).
        groups: group of each row, or None.
    """

    X: Any
    y: NDArray[Any]
    rows: NDArray[np.int64]
    groups: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows of another file, in their order.

    Attributes:
        X: rows as ``Dataset.train.X`` holds them.
        labels: their targets as the file has them, a pandas Series or an array; None where it has none.
        rest: the columns that the model does not read, as a frame; None of arrays.
        odd: by column of numbers or dates, how many cells hold something else and so count as missing, and one of them.
    """

    X: Any
    labels: Any = None
    rest: Any = None
    odd: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set split into train, validation and test; the same for the same data and split seed.

    Attributes:
        name: short name.
        task: ``classification`` or ``regression``.
        target: name of the target.
        classes: label of each class number; empty for regression.
        features: names of the columns of ``X``, or of the array's features.
        train, validation, test: the parts; in order of time when the data set has a time.
        image: shape (channels, height, width) of a row, None when it is no image.
        digest: twelve hex digits that name the content.
        notes: sentences about rows and columns that were dropped or read in a special way.
        columns: how each source column is read; empty when the source is an array.
        spec: the specification it was loaded from.
        ordered: whether the parts follow each other in time.
        target_mark: how a target is written whose numbers are not plain; see ``numerals``.
        eight_bits: whether images had pixels of 8 bits, which were divided by 255.
    """

    name: str
    task: Task
    target: str
    classes: tuple[Any, ...]
    features: tuple[str, ...]
    train: Part
    validation: Part
    test: Part
    image: tuple[int, int, int] | None
    digest: str
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    spec: Any = field(default=None, repr=False)
    ordered: bool = False
    target_mark: str = ""
    eight_bits: bool = False

    @property
    def schema(self) -> Schema:
        """What another file is read by."""
        given = next(iter(self.spec.values())) if isinstance(self.spec, Mapping) else {}
        options = {
            name: given[name]
            for name in ("separator", "missing", "not_missing", "x", "y")
            if given.get(name) is not None
        }
        return Schema(
            self.task, self.target, self.classes, self.target_mark, self.features, self.columns, self.image, options,
            self.eight_bits,
        )  # fmt: skip
