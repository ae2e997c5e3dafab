"""How the columns of a table are read: as numbers, dates or categories, decided on the training rows alone.

==========================  ================================================================================
found in the training rows  becomes
==========================  ================================================================================
numbers, true/false         a number, NaN where missing
text that parses (95 %)     a number; what does not parse is missing, and ``-``, ``k.A.`` and the like do not count
text such as 0,53           a number, its comma the decimal one; 1,234,567: one, its commas between thousands
12%, $1,200, 1 200,50 EUR   a number, where every value has the same unit
dates of one form           numbers: days since 1970, month, day, weekday, and hour if there are times of day
text of several words       free text, mostly distinct; ``words`` makes numbers of it, missing is empty
other text                  a category; missing is a category of its own
nothing, or one value       dropped, with a note
text, mostly distinct       dropped, with a note: identifiers say nothing about new rows
==========================  ================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hpo.objectives.data.numerals import forms, parse, written_note
from hpo.objectives.data.placeholders import PLACEHOLDERS

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
"""Category of a missing value."""

PARSED = 0.95
"""Share of a text column's values that must be numbers for it to be read as numbers."""

DISTINCT = 10
"""Text with more distinct values than this, and more than half as many as rows, identifies rows, or is free text."""

WORDS = 3.0
"""Words a cell, on average, from which on such text is free text."""

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")
_FORMATS = ("ISO8601", *(day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S")))


@dataclass(frozen=True)
class Column:
    """How one source column is read.

    Attributes:
        name: of the column.
        kind: what it becomes.
        form: format of dates; of numbers how they are written, see ``numerals``; empty for plain ones.
        hours: whether dates have times of day.
    """

    name: str
    kind: Literal["number", "category", "date", "text"]
    form: str = ""
    hours: bool = False


@dataclass(frozen=True)
class Asked:
    """What the user says of how columns are read.

    Attributes:
        categorical: names to read as categories whatever they hold.
        text: names to read as free text.
        decimal: the decimal mark of numbers written with commas; ``""`` leaves it to be guessed.
    """

    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    decimal: str = ""


def infer(training: pd.DataFrame, asked: Asked) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Columns to use, and notes about those that are dropped or read in a special way.

    Args:
        training: the training rows, as read.
        asked: what the user says of them.
    """
    readings = [reading(training[name], asked) for name in training.columns]
    columns = tuple(column for column, _ in readings if column is not None)
    return columns, tuple(note for _, note in readings if note)


def reading(values: pd.Series[Any], asked: Asked) -> tuple[Column | None, str]:
    """How a column is read by its training rows, None where it is dropped; and what the user should know of that."""
    import pandas as pd

    name, present = str(values.name), values.dropna()
    if present.empty:
        return None, f"column {name!r} is dropped: it has no value in the training rows"
    numeric = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_timedelta64_dtype(values)
    distinct = (_stripped(present) if holds_text(values) else present).nunique()
    if distinct == 1 and len(present) == len(values):
        return None, f"column {name!r} is dropped: it is {present.iloc[0]!s} in every training row"
    if name in asked.categorical:
        return Column(name, "category"), ""
    if name in asked.text:
        return Column(name, "text"), ""
    if numeric:
        counts = pd.api.types.is_integer_dtype(values) and distinct == len(values) and values.is_monotonic_increasing
        return Column(name, "number"), (
            f"column {name!r} counts the rows: drop it if it is no feature" if counts else ""
        )
    texts = _stripped(present)
    if not isinstance(values.dtype, pd.CategoricalDtype):
        tried = {form: parse(present, form).notna() for form in forms(texts, asked.decimal)}
        best = max(tried, key=lambda form: tried[form].mean())  # the first of equals
        meant = tried[best][tried[best] | ~texts.str.lower().isin(PLACEHOLDERS)]
        if meant.mean() >= PARSED:
            return Column(name, "number", best), "; ".join(_number_notes(name, present[~tried[best]], best, texts))
        form = date_format(present)
        if form is not None:
            parsed_dates = dates(present, form)
            return Column(name, "date", form, bool((parsed_dates != parsed_dates.dt.normalize()).any())), ""
    if distinct > max(DISTINCT, len(values) / 2):
        words = texts.str.count(r"\S+").mean()
        if words >= WORDS:
            return Column(name, "text"), (
                f"column {name!r} is read as free text, {words:.0f} words on average; drop: [{name}] leaves it out"
            )
        return None, (
            f"column {name!r} is dropped: {distinct} different texts in {len(values)} training rows identify rows; "
            f"categorical: [{name}] keeps it, text: [{name}] reads its words"
        )
    return Column(name, "category"), ""


def _number_notes(name: str, odd: pd.Series[Any], form: str, texts: pd.Series[str]) -> Iterable[str]:
    told = written_note(texts, form, f"categorical: [{name}]")
    if told:
        yield f"column {name!r} {told}"
    if len(odd):
        such = f"{len(odd)} values such as {odd.iloc[0]!r} count as missing"
        yield such if told else f"column {name!r} is read as numbers; {such}"


def holds_text(values: pd.Series[Any]) -> bool:
    """Whether a column may hold text: its type is neither number, date nor category."""
    import pandas as pd

    return pd.api.types.is_object_dtype(values) or isinstance(values.dtype, pd.StringDtype)


def convert(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """Read a frame with these columns: float64 with NaN for numbers and parts of dates, else str."""
    import pandas as pd

    read: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name]
        if column.kind == "number":
            read[column.name] = _numbers(values, column.form)
        elif column.kind == "category":
            read[column.name] = categories(values)
        elif column.kind == "text":
            read[column.name] = _stripped(values.where(values.notna(), "")).astype(object)
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

    if holds_text(values):
        values = values.where(values.isna(), _stripped(values))
        form = form or "ISO8601"  # of a column of dates, so that no row decides how others are read
    parsed: pd.Series[pd.Timestamp] = pd.to_datetime(values, format=form or None, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None)


def _stripped(values: pd.Series[Any]) -> pd.Series[str]:
    return values.astype(str).str.strip()


def _numbers(values: pd.Series[Any], mark: str) -> Any:
    import numpy as np
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(values):
        values = values.dt.total_seconds()
    elif not pd.api.types.is_numeric_dtype(values):
        values = parse(values, mark)
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def categories(values: pd.Series[Any]) -> Any:
    """Each value as the text that stands for it, blanks around it left out; ``MISSING`` where there is none."""
    import pandas as pd

    def text(value: Any) -> str:
        # a column of whole numbers is read as floats as soon as one is missing
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

    texts = pd.Series([text(value) for value in values], dtype=object, index=values.index)
    return texts.where(values.notna() & (texts != ""), MISSING)


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
