"""What a model knows of its data: which columns it reads and how, what its target is called, which classes there are.

It is what another file is read by, whether the data set is loaded or a saved model stands in for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hpo.objectives.data.columns import Column, convert
from hpo.search.terms.errors import Advice, DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Task: TypeAlias = Literal["classification", "regression"]
Image: TypeAlias = tuple[int, int, int]

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Schema:
    """Inputs and target of a data set.

    Attributes:
        task: ``classification`` or ``regression``.
        target: name of the target.
        classes: label of each class number; empty for regression.
        mark: decimal mark of a target whose numbers are written with commas.
        features: names of the rows' columns once read, or of the array's features.
        columns: how each source column is read; empty where rows are arrays.
        image: shape (channels, height, width) of a row, None when it is no image.
        options: how its file is read, where the study says: ``separator``, ``missing``, or ``x`` and ``y``, names of
            arrays.
        eight_bits: whether images had pixels of 8 bits, which are divided by 255; else they are not.
    """

    task: Task
    target: str
    classes: tuple[Any, ...] = ()
    mark: str = ""
    features: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    image: Image | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    eight_bits: bool = False

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the columns that a table must have: for a data set of arrays, its features."""
        return tuple(column.name for column in self.columns) if self.columns else self.features

    def rows(self, raw: Any) -> Any:
        """Raw rows as ``Dataset.train.X`` holds them.

        Args:
            raw: a frame with the columns, or an array [rows, features] or of images, 8-bit pixels or others.

        Raises:
            DataError: columns are missing, or rows have another shape.
        """
        return rows(raw, self.columns, self.features, self.image, self.eight_bits)

    def odd(self, frame: pd.DataFrame, X: Any) -> dict[str, tuple[int, str]]:
        """Cells of a frame that hold something and count as missing in the rows read of it; see ``Piece.odd``."""
        read = {
            column.name: X[column.name if column.kind == "number" else f"{column.name}.days"]
            for column in self.columns
            if column.kind in ("number", "date")
        } or ({} if self.columns else dict(zip(self.features, X.T, strict=True)))
        found = {}
        for name, values in read.items():
            lost = frame[name][_gaps(values) & frame[name].notna().to_numpy()]
            if len(lost):
                found[name] = (len(lost), str(lost.iloc[0]))
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON has it; columns and features are those of the preparation beside it."""
        return {
            "task": self.task, "target": self.target, "classes": list(self.classes), "mark": self.mark,
            "options": dict(self.options), "image": self.image, "eight_bits": self.eight_bits,
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: Any, columns: tuple[Column, ...], features: tuple[str, ...]) -> Schema:
        """Read what ``plain`` wrote, JSON in between.

        Raises:
            DataError: it is something else.
        """
        try:
            task, target, mark = plain["task"], str(plain["target"]), str(plain["mark"])
            classes, options = tuple(plain["classes"]), dict(plain["options"])
            eight_bits, given = bool(plain["eight_bits"]), plain["image"]
            image = None if given is None else (int(given[0]), int(given[1]), int(given[2]))
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise DataError(f"this is no schema of data: {error}") from None
        if task not in ("classification", "regression") or (task == "classification") != bool(classes):
            raise DataError(f"this is no schema of data: task {task!r} with {len(classes)} classes")
        return cls(task, target, classes, mark, features, columns, image, options, eight_bits)


def rows(
    raw: Any, columns: Sequence[Column], features: Sequence[str], image: Image | None, eight_bits: bool = True
) -> Any:
    """See ``Schema.rows``."""
    if columns:
        frame = named(raw, [column.name for column in columns])
        numbers = [column.name for column in columns if getattr(frame[column.name].dtype, "kind", "") == "f"]
        _tell_infinite(frame[numbers].to_numpy(dtype="float64", na_value=math.nan), numbers)
        return convert(frame, columns)
    if hasattr(raw, "columns"):
        import pandas as pd

        frame = named(raw, features)[list(features)]
        raw = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype="float64")
    return _shaped(raw, features, image, eight_bits)


def flatten(x: NDArray[Any], *, divided: bool = True) -> tuple[Image | None, NDArray[Any]]:
    """Image shape (channels, height, width) or None, and floats [rows, features]; pixels of 8 bits in [0, 1].

    These are ``divided`` by 255 for it, or left as they are.
    """
    import numpy as np

    eight_bits = x.dtype == np.uint8 and x.ndim > 2 and divided
    image = None
    if x.ndim == 4 and x.shape[3] in _CHANNELS and x.shape[1] not in _CHANNELS:
        x = x.transpose(0, 3, 1, 2)
    if x.ndim > 2:
        image = (x.shape[1] if x.ndim == 4 else 1, x.shape[-2], x.shape[-1])
    flat: NDArray[Any] = x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float32 if eight_bits else np.float64)
    if eight_bits:
        np.divide(flat, 255, out=flat)
    flat[~np.isfinite(flat)] = np.nan
    return image, flat


def odd_note(name: str, count: int, example: str) -> str:
    """What to say of such cells of a column."""
    return f"{count} cells of {name!r} hold no number or date, such as {example!r}: they count as missing"


def _gaps(values: Any) -> NDArray[Any]:
    import numpy as np

    return np.isnan(np.asarray(values, dtype=np.float64))


def named(raw: Any, wanted: Sequence[str]) -> pd.DataFrame:
    """A frame with these columns, among others, and stripped names.

    Raises:
        DataError: it is none, or lacks some, or has one twice.
    """
    import pandas as pd

    if not isinstance(raw, pd.DataFrame):
        raise DataError(f"rows are a table with named columns, got {type(raw).__name__}")
    frame = raw.set_axis([str(name).strip() for name in raw.columns], axis=1)
    lacking(wanted, list(frame.columns), "the table")
    twice = [name for name in wanted if list(frame.columns).count(name) > 1]
    if twice:
        raise DataError(f"the table has several columns called {twice[0]!r}: rename all but one")
    return frame


def lacking(wanted: Sequence[str], there: Sequence[str], file: str) -> None:
    """Refuse a table that lacks columns.

    Raises:
        DataError: it does.
    """
    missing = [name for name in wanted if name not in there]
    if missing:
        shown = ", ".join(map(repr, missing[:8])) + (", ..." if len(missing) > 8 else "")
        hint = did_you_mean(missing[0], there) if len(missing) == 1 else ""
        raise DataError(f"{file} lacks {len(missing)} of the columns the model was trained on: {shown} {hint}".rstrip())


def _tell_infinite(values: NDArray[Any], names: Sequence[str]) -> None:
    """Say where the first of the infinite numbers of rows [n, ...] stands."""
    import numpy as np

    wrong = np.isinf(values)
    if not wrong.any():
        return
    row, *at = map(int, np.argwhere(wrong)[0])
    place = repr(names[at[0]]) if len(at) == 1 and at[0] < len(names) else f"place {at}"
    count = int(wrong.sum())
    warnings.warn(
        f"{count} infinite number{'' if count == 1 else 's'}, the first in row {row} (from 0) at {place}: they count "
        "as missing",
        Advice,
        stacklevel=4,
    )


def _shaped(raw: Any, features: Sequence[str], image: Image | None, eight_bits: bool) -> NDArray[Any]:
    import numpy as np

    array, width = np.asarray(raw), len(features)
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise DataError(f"rows are numbers [rows, {width}], got {array.dtype} {list(array.shape)}")
    if math.prod(array.shape[1:]) != width or (image is not None and array.ndim > 2 and flatten(array[:0])[0] != image):
        raise DataError(
            f"rows are of shape {list(array.shape[1:])}, but the model was trained on {list(image or (width,))}"
        )
    if array.dtype.kind == "f":
        _tell_infinite(array, features)
    if array.ndim > 2 and image is not None:
        return flatten(array, divided=eight_bits)[1]
    flat = array.reshape(len(array), -1).astype(array.dtype if array.dtype.kind == "f" else np.float64)
    flat[np.isinf(flat)] = np.nan
    return flat
