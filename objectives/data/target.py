"""The target: which task it poses, how it is encoded, and what makes it impossible to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo.objectives.data.placeholders import MARKS
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpo.objectives.data.dataset import Task

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are a quantity, not classes, unless the task says so."""

FEWEST_ROWS = 10
"""Rows with a target below which there is nothing to split."""


def cleaned(y: Any) -> Any:
    """Targets whose texts are stripped as features are; what is then empty is missing.

    Raises:
        DataError: they are lists or mappings.
    """
    import numpy as np

    if isinstance(y, np.ndarray) and y.dtype.kind not in "OUS":  # pandas takes long to import
        return y
    import pandas as pd

    from hpo.objectives.data.columns import holds_text

    values = pd.Series(y)
    if not holds_text(values):
        return values if isinstance(y, pd.Series) else y
    if values.map(lambda value: isinstance(value, (list, dict, set, np.ndarray))).any():
        raise DataError("the target holds lists or mappings: a target is one class or number for each row")
    stripped = values.map(lambda value: value.strip() or None if isinstance(value, str) else value).astype(object)
    return stripped if isinstance(y, pd.Series) else stripped.to_numpy()


def numbered(y: Any, form: str) -> Any:
    """Targets written in this form as numbers, others as they are; unchanged without a form, or if they are no text."""
    import pandas as pd

    from hpo.objectives.data.columns import holds_text
    from hpo.objectives.data.numerals import parse

    if not form or not holds_text(values := pd.Series(y)):
        return y
    numbers = parse(values, form)
    return numbers if (odd := numbers.isna() & values.notna()).sum() == 0 else numbers.astype(object).mask(odd, values)


def form_of(y: Any, decimal: str, *, quantity: bool = False) -> str:
    """How targets are written that are all numbers with commas or one unit; ``""`` for any others.

    Of a ``quantity`` half of them are enough: the others are mistakes.
    """
    import numpy as np

    if isinstance(y, np.ndarray) and y.dtype.kind not in "OUS":
        return ""
    import pandas as pd

    from hpo.objectives.data.columns import holds_text
    from hpo.objectives.data.numerals import number_form

    values = pd.Series(y)
    return number_form(values, decimal, 0.5 if quantity else 1.0) if holds_text(values) else ""


def present(y: Any) -> NDArray[np.bool_]:
    """Which rows have a target: not missing, not infinite."""
    import numpy as np

    if isinstance(y, np.ndarray) and y.dtype.kind in "biu":  # pandas takes long to import
        return np.ones(len(y), dtype=bool)
    import pandas as pd

    values = pd.Series(y)
    here = values.notna().to_numpy()
    if pd.api.types.is_float_dtype(values):
        here = here & ~np.isinf(values.to_numpy(dtype="float64", na_value=np.nan))
    return np.asarray(here)


def encode(
    y: Any, name: str, target: str, task: Task | None, classes: tuple[str, ...]
) -> tuple[Task, NDArray[Any], tuple[Any, ...]]:
    """Find the task, and encode: class numbers (int64) with their labels, or float64 values.

    Args:
        y: targets without missing values [rows].
        name: the data set, for messages.
        target: the target, for messages.
        task: what the user says, or None.
        classes: names of the classes 0, 1, ..., when known.

    Raises:
        DataError: too few rows, one value only, a class of one row, or text where numbers are needed.
    """
    import numpy as np

    if classes and task == "classification" and _numbered(y, len(classes)):
        return task, y.astype(np.int64), classes
    import pandas as pd

    values = pd.Series(y)
    if len(values) < FEWEST_ROWS:
        raise DataError(f"{name}: {len(values)} rows with a target are too few; at least {FEWEST_ROWS} are needed")
    if values.nunique() == 1:
        raise DataError(
            f"{name}: the target {target!r} is constant ({values.iloc[0]!s} in every row): nothing to learn"
        )
    task = task or infer_task(values)
    if task == "regression":
        return task, _numbers(values, name, target), ()
    labels = sorted(values.unique().tolist(), key=lambda label: (isinstance(label, str), label))
    single = [label for label in labels if (values == label).sum() == 1]
    if single:
        shown = ", ".join(repr(label) for label in single[:5]) + (", ..." if len(single) > 5 else "")
        hint = "; if the target is a quantity, say task: regression" if _mostly_numbers(values) else ""
        raise DataError(
            f"{name}: the target {target!r} has classes with a single row ({shown}): merge or remove them{hint}"
        )
    numbers = np.asarray(values.map({label: i for i, label in enumerate(labels)}), dtype=np.int64)
    if classes and labels == list(range(len(classes))):
        return task, numbers, classes
    return task, numbers, tuple(_whole(label) for label in labels)


def class_notes(target: str, classes: tuple[Any, ...]) -> tuple[str, ...]:
    """What to say of classes that look like marks of missing values."""
    like = [label for label in classes if isinstance(label, str) and label.lower() in MARKS]
    return tuple(f"the target {target!r} has a class {label!r}: leave cells empty that are missing" for label in like)


def _numbered(y: Any, classes: int) -> bool:
    """Whether these are the numbers of so many classes, each of several rows: nothing to encode."""
    import numpy as np

    whole = isinstance(y, np.ndarray) and y.dtype.kind in "iu" and len(y) >= FEWEST_ROWS and y.min() >= 0
    return whole and classes > 1 and len(counts := np.bincount(y)) == classes and counts.min() > 1


def encode_like(y: Any, task: Task, classes: tuple[Any, ...], name: str, target: str) -> NDArray[Any]:
    """Encode the targets of another file with the classes of a data set.

    Raises:
        DataError: a label that is no class, or text where numbers are needed.
    """
    import numpy as np
    import pandas as pd

    values = pd.Series(y)
    if task == "regression":
        return _numbers(values, name, target)
    known = {label: i for i, label in enumerate(classes)}
    if not set(values.unique().tolist()) <= set(known):
        known |= {str(label): i for i, label in enumerate(classes)}
        values = values.map(lambda label: str(_whole(label)))
    unknown = sorted({str(_whole(label)) for label in values.unique().tolist()} - {str(label) for label in known})
    if unknown:
        raise DataError(
            f"{name}: {target!r} holds {', '.join(map(repr, unknown[:5]))}, "
            f"but the model knows the classes {', '.join(map(repr, classes[:20]))}"
        )
    return np.asarray(values.map(known), dtype=np.int64)


def infer_task(values: Any) -> Task:
    """Classes for text, booleans and few whole numbers; a quantity otherwise."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return "classification"
    whole = (values == values.round()).all()
    return "classification" if whole and values.nunique() <= MOST_CLASSES else "regression"


def check_part(part: str, y: NDArray[Any], task: Task, classes: tuple[Any, ...], name: str, training: bool) -> None:
    """Refuse a part that cannot be trained or scored on.

    Raises:
        DataError: fewer than two rows, one class only, or a constant quantity to train on.
    """
    import numpy as np

    if len(y) < 2:
        raise DataError(f"{name}: the {part} part has {len(y)} rows: use more data or larger shares")
    distinct = np.unique(y)
    if task == "classification" and len(distinct) == 1:
        raise DataError(
            f"{name}: all {len(y)} rows of the {part} part are of class {classes[int(distinct[0])]!r}: "
            "change the shares, the groups or the time of the split"
        )
    if training and len(distinct) == 1:
        raise DataError(f"{name}: the target is {distinct[0]:g} in every row of the {part} part: nothing to learn")


def _mostly_numbers(values: Any) -> bool:
    import pandas as pd

    from hpo.objectives.data.numerals import parse

    if pd.api.types.is_numeric_dtype(values):
        return True
    return bool(parse(values, form_of(values, "", quantity=True)).notna().mean() > 0.5)


def _numbers(values: Any, name: str, target: str) -> NDArray[Any]:
    import numpy as np
    import pandas as pd

    from hpo.objectives.data.numerals import parse

    numbers = values if pd.api.types.is_numeric_dtype(values) else parse(values)
    bad = values[numbers.isna()]
    if len(bad):
        raise DataError(
            f"{name}: regression needs numbers, but {target!r} holds {bad.iloc[0]!r} "
            f"({len(bad)} such rows): clean the column, say missing: [{bad.iloc[0]}] if that is what it means in a "
            "table, or task: classification"
        )
    return np.asarray(numbers, dtype=np.float64)


def _whole(label: Any) -> Any:
    return int(label) if isinstance(label, float) and label.is_integer() else label
