"""How the columns of a table are read: as numbers, dates or categories, decided on the training rows alone.

==========================  ================================================================================
found in the training rows  becomes
==========================  ================================================================================
numbers, true/false         a number, NaN where missing
text that parses (95 %)     a number; what does not parse is missing
dates of one form           numbers: days since 1970, month, day, weekday, and hour if there are times of day
other text                  a category; missing is a category of its own
nothing, or one value       dropped, with a note
text, mostly distinct       dropped, with a note: identifiers and free text say nothing about new rows
==========================  ================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
"""Category of a missing value."""

PARSED = 0.95
"""Share of a text column's values that must be numbers for it to be read as numbers."""

DISTINCT = 10
"""Text with more distinct values than this, and more than half as many as rows, identifies rows."""

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")
_FORMATS = ("ISO8601", *(day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S")))


@dataclass(frozen=True)
class Column:
    """How one source column is read; ``form`` is the date format, ``hours`` whether dates have times of day."""

    name: str
    kind: Literal["number", "category", "date"]
    form: str = ""
    hours: bool = False


def infer(training: pd.DataFrame, categorical: Iterable[str] = ()) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Columns to use, and notes about those that are dropped or read in a special way.

    Args:
        training: the training rows, as read.
        categorical: names to read as categories whatever they hold.
    """
    forced = set(categorical)
    columns, notes = [], []
    for name in training.columns:
        column, note = _infer_one(training[name], str(name) in forced)
        if column is not None:
            columns.append(column)
        if note:
            notes.append(note)
    return tuple(columns), tuple(notes)


def _infer_one(values: pd.Series[Any], forced: bool) -> tuple[Column | None, str]:
    import pandas as pd

    name, present = str(values.name), values.dropna()
    if present.empty:
        return None, f"column {name!r} is dropped: it has no value in the training rows"
    distinct = (_stripped(present) if values.dtype == object else present).nunique()
    if distinct == 1 and len(present) == len(values):
        return None, f"column {name!r} is dropped: it is {present.iloc[0]!s} in every training row"
    if forced:
        return Column(name, "category"), ""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        counts = pd.api.types.is_integer_dtype(values) and distinct == len(values) and values.is_monotonic_increasing
        return Column(name, "number"), (
            f"column {name!r} counts the rows: drop it if it is no feature" if counts else ""
        )
    if not isinstance(values.dtype, pd.CategoricalDtype):
        parsed = pd.to_numeric(_stripped(present), errors="coerce").notna()
        if parsed.mean() >= PARSED:
            odd = present[~parsed]
            note = (
                f"column {name!r} is read as numbers; {len(odd)} values such as {odd.iloc[0]!r} count as missing"
                if len(odd)
                else ""
            )
            return Column(name, "number"), note
        form = date_format(present)
        if form is not None:
            parsed_dates = dates(present, form)
            return Column(name, "date", form, bool((parsed_dates != parsed_dates.dt.normalize()).any())), ""
    if distinct > max(DISTINCT, len(values) / 2):
        return (
            None,
            f"column {name!r} is dropped: {distinct} different texts in {len(values)} training rows identify rows",
        )
    return Column(name, "category"), ""


def convert(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """Read a frame with these columns: float64 with NaN for numbers and parts of dates, str for categories."""
    import pandas as pd

    read: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name]
        if column.kind == "number":
            read[column.name] = _numbers(values)
        elif column.kind == "category":
            read[column.name] = _categories(values)
        else:
            read.update(_date_parts(dates(values, column.form), column))
    return pd.DataFrame(read)


def date_format(values: pd.Series[Any]) -> str | None:
    """Form in which every present value is a date, ``""`` for a column of dates, None when there is none."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return ""
    texts = _stripped(values.dropna()).drop_duplicates()
    if texts.empty or not texts.map(lambda text: _DATE.fullmatch(text) is not None).all():
        return None
    for form in _FORMATS:
        if pd.to_datetime(texts, format=form, errors="coerce", utc=True).notna().all():
            return form
    return None


def dates(values: pd.Series[Any], form: str) -> pd.Series[pd.Timestamp]:
    """Parse dates of a form; what is none is NaT. Times of day with an offset are taken to UTC."""
    import pandas as pd

    if form:
        values = values.where(values.isna(), _stripped(values))
    parsed: pd.Series[pd.Timestamp] = pd.to_datetime(values, format=form or None, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None)


def _stripped(values: pd.Series[Any]) -> pd.Series[str]:
    return values.astype(str).str.strip()


def _numbers(values: pd.Series[Any]) -> Any:
    import numpy as np
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(values):
        values = values.dt.total_seconds()
    elif not pd.api.types.is_numeric_dtype(values):
        values = pd.to_numeric(_stripped(values), errors="coerce")
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _categories(values: pd.Series[Any]) -> Any:
    import pandas as pd

    def text(value: Any) -> str:
        # a column of whole numbers is read as floats as soon as one is missing
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

    return pd.Series([text(value) for value in values], dtype=object, index=values.index).where(values.notna(), MISSING)


def _date_parts(moments: pd.Series[pd.Timestamp], column: Column) -> dict[str, Any]:
    import pandas as pd

    parts: dict[str, Any] = {
        "days": (moments.dt.normalize() - pd.Timestamp(0)).dt.days,
        "month": moments.dt.month,
        "day": moments.dt.day,
        "weekday": moments.dt.day_of_week,
    }
    if column.hours:
        parts["hour"] = moments.dt.hour + moments.dt.minute / 60
    return {f"{column.name}.{part}": values.astype("float64") for part, values in parts.items()}
