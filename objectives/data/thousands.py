"""Columns of a CSV file whose points may stand between thousands: 1.945 is nearly two, or nearly two thousand.

Such a column alone does not tell, and pandas takes them for decimals; the user tells, or the commas of other columns
make it doubtful.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.columns import Asked, holds_text, reading
from hpo.objectives.data.frame import PARQUET, frames
from hpo.objectives.data.numerals import pointed

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 1000
"""Rows by which it is told whether a column has decimal commas."""


@dataclass(frozen=True, eq=False)
class Doubtful:
    """A column whose points may stand between thousands.

    Attributes:
        values: its cells as they are written.
        example: one with a point.
        comma: another column, which has decimal commas; empty where there is none.
    """

    values: pd.Series[Any]
    example: str
    comma: str

    @property
    def note(self) -> str:
        """What to look at, and the option that changes it."""
        return (
            f"column {self.values.name!r} has points as in {self.example!r}, read before decimals, but {self.comma!r} "
            "has decimal commas: if they stand between thousands, decimal: ','"
        )


def doubtful(
    path: Path, separator: str | None, frame: pd.DataFrame, left_out: Collection[str] = (), *, said: bool = False
) -> Iterator[Doubtful]:
    """Columns whose every number has points as thousands have them, or none.

    Args:
        path: the file.
        separator: of its columns.
        frame: the file as it was read.
        left_out: columns that are no numbers, or whose numbers are no features.
        said: whether the user says that commas are decimal; else another column must have such.
    """
    if path.suffix in PARQUET:  # its numbers are numbers
        return
    kept = [str(name) for name in frame.columns if name and name not in left_out]
    forms = {name: _form(frame[name]) for name in kept if holds_text(frame[name])}
    comma = next((name for name, form in forms.items() if form[:1] == ","), "")
    if not comma and not said:
        return
    numbers = [name for name in kept if _thousandths(frame[name])]
    written = {name: frame[name] for name, form in forms.items() if form[:1] not in (",", ".")}
    if numbers:
        (again,) = frames(path, separator, texts=numbers, marks=False)
        written |= {name: again[name].where(frame[name].notna().to_numpy()) for name in numbers}
    for values in written.values():
        if example := pointed(values):
            yield Doubtful(values.set_axis(frame.index), example, comma)


def _form(values: pd.Series[Any]) -> str:
    column, _ = reading(values[:LOOKED_AT], Asked())
    return column.form if column is not None and column.kind == "number" else ""


def _thousandths(values: pd.Series[Any]) -> bool:
    """Whether these are decimals with three digits behind the point at most: worth a look at how they are written."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_float_dtype(values):
        return False
    numbers = values.dropna().to_numpy(dtype="float64")
    thousandths = numbers * 1000
    whole = np.isclose(thousandths, np.round(thousandths), rtol=0, atol=1e-6).all()
    return bool(whole and (numbers != np.round(numbers)).any())
