"""What a table is, told before anything is trained on it: rows, parts, classes, how each column is read and why.

What looks wrong is told with the option that changes it: columns that give the target away, rows that several parts
share, texts that may stand for missing values. All of it is looked for on rows that are read as training reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.columns import Asked, Column, categories, holds_text, reading
from hpo.objectives.data.frame import read_frame
from hpo.objectives.data.numerals import MARKS
from hpo.objectives.data.placeholders import PLACEHOLDERS
from hpo.objectives.data.thousands import doubtful

if TYPE_CHECKING:
    import pandas as pd

    from hpo.objectives.data.dataset import Dataset, Source

GIVES_AWAY = 0.99
"""Balanced accuracy, or share of the variance, that a column alone reaches on validation rows to be suspected."""

LOOKED_AT = 20_000
"""Training rows that are looked at for columns which give the target away."""


@dataclass(frozen=True)
class ColumnSummary:
    """A column as it is read.

    Attributes:
        name: of the column.
        kind: ``number``, ``category``, ``date``, ``text`` or ``dropped``.
        why: what in it decided so.
        missing: rows without a value.
        features: what it becomes, where that is more than itself.
        change: the option that reads it in another way.
    """

    name: str
    kind: str
    why: str
    missing: int
    features: tuple[str, ...] = ()
    change: str = ""


@dataclass(frozen=True)
class Summary:
    """A table, and what training would make of it.

    Attributes:
        rows: with or without a target.
        columns: in the table's order, without the target and those that only decide the split.
        target: the column to predict; empty where none is named, and what follows is empty then.
        task: ``classification`` or ``regression``.
        why: what in the target decided so.
        parts: rows of train, validation and test.
        classes: rows of each class, in the order of the class numbers.
        doubts: what looks wrong, each with the option that changes it.
    """

    rows: int
    columns: tuple[ColumnSummary, ...]
    target: str = ""
    task: str = ""
    why: str = ""
    parts: Mapping[str, int] | None = None
    classes: Mapping[str, int] | None = None
    doubts: tuple[str, ...] = ()


def of_file(path: Path, separator: str | None = None) -> Summary:
    """A table without a target: every column as it would be read.

    Raises:
        DataError: the file cannot be read as a table.
    """
    frame = read_frame(path, separator)
    columns = tuple(_column(frame[name], Asked()) for name in frame.columns if name)
    return Summary(len(frame), columns, doubts=tuple(found.note for found in doubtful(path, separator, frame)))


def of_data(source: Source, dataset: Dataset) -> Summary:
    """A table with a target, as it was read and as it is trained on."""
    import numpy as np
    import pandas as pd

    frame = source.X if isinstance(source.X, pd.DataFrame) else pd.DataFrame(source.X, columns=list(source.features))
    training = frame.iloc[dataset.train.rows]
    parts = {name: len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    every = np.concatenate([getattr(dataset, name).y for name in parts])
    counts = np.bincount(every, minlength=len(dataset.classes)) if dataset.classes else ()
    return Summary(
        rows=len(frame),
        columns=tuple(_column(training[name], source.asked, frame[name]) for name in frame.columns),
        target=dataset.target,
        task=dataset.task,
        why=_why_task(source, dataset),
        parts=parts,
        classes={str(label): int(count) for label, count in zip(dataset.classes, counts, strict=True)} or None,
        doubts=tuple(_doubts(source, dataset, frame)),
    )


def _why_task(source: Source, dataset: Dataset) -> str:
    if source.task is not None:
        return f"task: {source.task} says so"
    if dataset.task == "regression":
        return "it holds numbers with many values; task: classification makes each a class"
    if all(type(label) is int for label in dataset.classes):
        return f"it holds {len(dataset.classes)} whole numbers; task: regression makes them a quantity"
    return "it holds texts or true and false"


def _column(values: pd.Series[Any], asked: Asked, every: pd.Series[Any] | None = None) -> ColumnSummary:
    """How a column is read by its training rows; missing values are counted in every row."""
    column, note = reading(values, asked)
    missing = int((values if every is None else every).isna().sum())
    name = str(values.name)
    if column is None:
        why, _, change = note.partition(" is dropped: ")[2].partition("; ")
        return ColumnSummary(name, "dropped", why, missing, change=change)
    return ColumnSummary(name, column.kind, *_why(values, column, asked, missing))


def _why(values: pd.Series[Any], column: Column, asked: Asked, missing: int) -> tuple[str, int, tuple[str, ...], str]:
    """Reason, missing values, features and the option that changes it."""
    import pandas as pd

    name, present = column.name, values.dropna()
    if column.kind == "date":
        parts = ("days", "month", "day", "weekday", *(("hour",) if column.hours else ()))
        return "dates of one form", missing, tuple(f"{name}.{part}" for part in parts), f"time: {name}, drop: [{name}]"
    if column.kind == "text":
        words = present.astype(str).str.count(r"\S+").mean()
        told = f"{present.nunique()} different texts of {words:.0f} words on average"
        return told, missing, (f"n-grams of {name}",), f"drop: [{name}], or categorical"
    if column.kind == "category":
        count = categories(present).nunique()
        if name in asked.categorical:
            return f"categorical says so, {count} values", missing, (), ""
        features = (f"0/1 columns of {count} categories",)
        return f"{count} different texts", missing, features, f"text: [{name}], drop: [{name}]"
    flag = (name, f"whether {name} is missing") if missing else ()
    if column.kind == "number" and column.form:
        marked = column.form[0] in MARKS
        forms = [f"the decimal mark {column.form[0]!r}"] if marked else []
        forms += [f"the unit {column.form[marked:]!r}"] if column.form[marked:] else []
        return f"numbers with {' and '.join(forms)}", missing, flag, "decimal" if marked else f"categorical: [{name}]"
    if holds_text(values):
        return "texts that are numbers", missing, flag, f"categorical: [{name}]"
    if pd.api.types.is_bool_dtype(values):
        return "true and false", missing, flag, f"categorical: [{name}]"
    kind = "whole numbers" if (present == present.round()).all() else "numbers"
    few = f", {present.nunique()} values" if present.nunique() <= 10 and kind == "whole numbers" else ""
    return kind + few, missing, flag, f"categorical: [{name}]"


def _doubts(source: Source, dataset: Dataset, frame: pd.DataFrame) -> Iterator[str]:
    yield from dataset.notes
    numbers = {column.name for column in dataset.columns if column.kind == "number"}
    for name in frame.columns:
        yield from _placeholders(frame[name], number=name in numbers)
    if not dataset.columns:
        return
    yield from _given_away(dataset)
    yield from _shared(dataset)
    dated = [column.name for column in dataset.columns if column.kind == "date"]
    if dated and source.time is None:
        yield f"rows have dates: if new rows come later than these, time: {dated[0]} tests on the last ones"


def _placeholders(values: pd.Series[Any], *, number: bool) -> Iterator[str]:
    """Texts of a column that may stand for a missing value; in one of numbers those that are none do, which is told."""
    if not holds_text(values):
        return
    texts = values.dropna().astype(str).str.strip()
    counts = texts[texts.str.lower().isin(PLACEHOLDERS)].value_counts()
    for text, count in counts.items():
        if number and not any(map(str.isdigit, str(text))):
            continue
        yield f"{count} cells of {values.name!r} are {text!r}: if that means missing, missing: [{text!r}]"


def _given_away(dataset: Dataset) -> Iterator[str]:
    """Columns that tell the target by themselves, found by a small tree on each."""
    import pandas as pd
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    train, held_out = dataset.train, dataset.validation
    classes = dataset.task == "classification"
    for column in dataset.columns:
        if column.kind == "text":
            continue
        names = [name for name in dataset.features if name == column.name or name.startswith(f"{column.name}.")]
        both = pd.concat([train.X[names][:LOOKED_AT], held_out.X[names]], ignore_index=True)
        for name in names:
            if column.kind == "category":
                both[name] = pd.factorize(both[name])[0]
        seen, asked = both[: min(len(train), LOOKED_AT)], both[min(len(train), LOOKED_AT) :]
        tree = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(max_depth=6, random_state=0)
        said = tree.fit(seen, train.y[:LOOKED_AT]).predict(asked)
        score = (balanced_accuracy_score if classes else r2_score)(held_out.y, said)
        if score >= GIVES_AWAY:
            what = "balanced accuracy" if classes else "R2"
            yield (
                f"{column.name!r} alone tells the target, {what} {score:.3f} on validation rows: "
                f"if it is not known before the target is, drop: [{column.name}]"
            )


def _shared(dataset: Dataset) -> Iterator[str]:
    """Rows that stand in training and in another part."""
    import numpy as np
    import pandas as pd

    def keys(part: Any) -> Any:
        return pd.util.hash_pandas_object(part.X, index=False).to_numpy()

    known = keys(dataset.train)
    for name in ("validation", "test"):
        part = getattr(dataset, name)
        count = int(np.isin(keys(part), known).sum())
        if count:
            yield (
                f"{count} of {len(part)} {name} rows equal a training row in every column, which flatters scores: if "
                "they are copies, remove them, or name a column that copies share, groups: COLUMN"
            )
