"""What a model's predictions follow from: how much each column matters on held-out rows, and which way it pulls.

Permutation importance (Breiman 2001; Fisher et al. 2019): how much the loss of a row grows when a column's values are
dealt out anew among the rows. All that was derived from a column, such as the parts of a date, moves with it. The
interval is over rows, so that a column which says nothing has one around 0, whatever the model makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hpo.objectives.data.another import read_part
from hpo.objectives.models.base import Model
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATS = 10
"""Permutations of each column."""
ROWS = 2000
"""Rows that importance is measured on at most, and a quarter of it for dependence."""
PLACES = 21
"""Places of a column at which dependence is measured."""
ALIKE = 0.8
"""Rank correlation from which on two columns share their importance."""
FEWEST = 30
"""Rows below which an interval says nothing."""


@dataclass(frozen=True)
class Column:
    """One source column.

    Attributes:
        name: of the column; of models of arrays the feature.
        importance: mean growth of a row's loss when the column is permuted.
        half: half the width of its 95 % interval over rows.
        dependence: (value of the column, mean prediction) pairs where all else is as it is; of classes the probability
            of ``Explanation.shown``. Empty for dates.
        attribution: of networks how far the column moves the output on average, by integrated gradients, in log odds of
            the predicted class or in the target's units; None for other models.
        alike: other columns of numbers that it goes with, a rank correlation of more than ``ALIKE``.
    """

    name: str
    importance: float
    half: float
    dependence: tuple[tuple[Any, float], ...] = ()
    attribution: float | None = None
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Of a model on some rows.

    Attributes:
        rows: how many.
        loss: what is measured of a row: ``log loss``, ``error`` or ``squared error``, in the units of the target.
        value: its mean as the rows are.
        shown: class whose probability the dependence is of; None for values, and where there are no probabilities.
        columns: the most important first.
    """

    kind: ClassVar[str] = "columns"
    rows: int
    loss: str
    value: float
    shown: Any
    columns: tuple[Column, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, **asdict(self)}


def explain(model: Model, X: Any, targets: NDArray[Any], seed: int = 0) -> Explanation:
    """Measure importance and dependence.

    Args:
        model: any that takes rows of columns or features.
        X: held-out rows as ``Model.rows`` gives them.
        targets: class numbers or values [n].
        seed: of the permutations, and of the rows where there are many.

    Raises:
        DataError: too few rows.
    """
    import numpy as np

    if len(targets) < FEWEST:
        raise DataError(f"{len(targets)} rows are too few to explain a model with: {FEWEST} are needed")
    random = np.random.default_rng(seed)
    if len(targets) > ROWS:
        chosen = np.sort(random.choice(len(targets), ROWS, replace=False))
        X, targets = _taken(X, chosen), targets[chosen]
    name, before = _losses(model, X, targets)
    added, alike = _attributions(model, X), _alike(model, X)
    columns = []
    for source, parts in _sources(model, X).items():
        grown = np.zeros(len(targets))
        for _ in range(REPEATS):
            grown += _losses(model, _dealt(X, parts, random.permutation(len(targets))), targets)[1] - before
        grown /= REPEATS
        half = 1.96 * float(grown.std(ddof=1)) / math.sqrt(len(grown))
        dependence = _dependence(model, X, source, parts)
        share = added.get(source) if added else None
        columns.append(Column(source, float(grown.mean()), half, dependence, share, alike.get(source, ())))
    columns.sort(key=lambda column: -column.importance)
    shown = model.classes[-1] if model.classes and model.probabilities(_taken(X, np.arange(2))) is not None else None
    return Explanation(len(targets), name, float(before.mean()), shown, tuple(columns))


def _losses(model: Model, X: Any, targets: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Loss of each row, and what it is."""
    import numpy as np

    if not model.classes:
        return "squared error", np.square(model.numbers(X).astype(float) - targets)
    probabilities = model.probabilities(X)
    if probabilities is None:
        return "error", (model.numbers(X) != targets).astype(float)
    chosen = probabilities[np.arange(len(targets)), targets].astype(float)
    return "log loss", -np.log(np.clip(chosen, 1e-15, 1.0))


def _attributions(model: Model, X: Any) -> Mapping[str, float]:
    """Mean absolute attribution of each source column; empty for models without gradients."""
    import numpy as np

    values = model.attributions(_taken(X, np.arange(min(len(X), ROWS // 4))))
    if values is None or model.preparation is None:
        return {}
    found = {}
    for source, parts in _sources(model, X).items():
        features = {str(part) for part in parts} if hasattr(X, "columns") else {source}
        places = [place for place, name in enumerate(model.preparation.sources) if name in features]
        found[source] = float(np.abs(values[:, places].sum(axis=1)).mean())
    return found


def _alike(model: Model, X: Any) -> Mapping[str, tuple[str, ...]]:
    import numpy as np
    import pandas as pd

    if model.schema.columns:
        return alike(X[[column.name for column in model.schema.columns if column.kind == "number"]])
    return alike(pd.DataFrame(np.asarray(X), columns=list(model.schema.features)))


def alike(numbers: Any) -> dict[str, tuple[str, ...]]:
    """For each column of a frame of numbers the others whose ranks go with its own, up or down.

    >>> import pandas
    >>> alike(pandas.DataFrame({"a": [1, 2, 3, 4], "b": [9, 7, 6, 1], "c": [1, 9, 2, 8]}))
    {'a': ('b',), 'b': ('a',), 'c': ()}
    """
    correlated = numbers.astype(float).corr("spearman").abs() > ALIKE
    return {
        str(name): tuple(str(other) for other in correlated.index[correlated[name]] if other != name)
        for name in correlated.columns
    }


def _sources(model: Model, X: Any) -> Mapping[str, Sequence[Any]]:
    """For each source column the columns of ``X`` that came of it; of arrays the places."""
    if not model.schema.columns:
        return {name: [place] for place, name in enumerate(model.schema.features)}
    return {
        column.name: [name for name in X.columns if name == column.name or name.startswith(f"{column.name}.")]
        if column.kind == "date"
        else [column.name]
        for column in model.schema.columns
    }


def _taken(X: Any, rows: Any) -> Any:
    return X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]


def _dealt(X: Any, parts: Sequence[Any], order: NDArray[Any]) -> Any:
    """The rows with these columns' values in another order."""
    made = X.copy()
    for part in parts:
        if hasattr(made, "columns"):
            made[part] = made[part].to_numpy()[order]
        else:
            made[:, part] = made[order, part]
    return made


def _dependence(model: Model, X: Any, source: str, parts: Sequence[Any]) -> tuple[tuple[Any, float], ...]:
    """Partial dependence (Friedman 2001), at quantiles of numbers or at the commonest categories."""
    import numpy as np

    kind = next((column.kind for column in model.schema.columns if column.name == source), "number")
    if len(parts) > 1 or kind == "text":  # texts have no order, and hardly one comes again
        return ()
    few = _taken(X, np.arange(min(len(X), ROWS // 4)))
    values = few[source] if hasattr(few, "columns") else few[:, parts[0]]
    if kind == "category":
        places: list[Any] = list(values.value_counts().index[:PLACES])
    else:
        finite = np.asarray(values, float)
        finite = finite[np.isfinite(finite)]
        places = sorted(set(np.quantile(finite, np.linspace(0.05, 0.95, PLACES)).tolist())) if len(finite) else []
    found = []
    for place in places:
        made = few.copy()
        if hasattr(made, "columns"):
            made[source] = place
        else:
            made[:, parts[0]] = place
        probabilities = model.probabilities(made) if model.classes else model.numbers(made)
        if probabilities is None:
            return ()
        found.append((place, float(np.mean(probabilities[:, -1] if model.classes else probabilities))))
    return tuple(found)


def held_out(spec: Any, split_seed: int) -> tuple[Any, NDArray[Any]]:
    """Test part of the data that a model was trained on, rows and targets.

    Raises:
        DataError: the data is no longer there.
    """
    from hpo.objectives import data

    loaded = data.load(spec, split_seed)
    return loaded.test.X, loaded.test.y


def rows_with_targets(model: Model, path: Path) -> tuple[Any, NDArray[Any]]:
    """Rows and targets of another file.

    Raises:
        DataError: missing columns, no target, or classes that the model does not know.
    """
    part = read_part(model.schema, path)
    return part.X, part.y
