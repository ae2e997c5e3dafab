"""What a model predicts on a file, piece by piece: the file may be larger than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import scores
from hpo.objectives.data.another import read_pieces, targets_of
from hpo.objectives.data.dataset import Piece
from hpo.objectives.data.frame import frames
from hpo.objectives.data.schema import odd_note
from hpo.objectives.data.scorers import Said
from hpo.objectives.models.base import PIECE, Model
from hpo.search.terms.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

PREDICTION = "prediction"

SCORED = 1_000_000
"""Rows up to which predictions are kept to be scored."""


class Predictions:
    """Predictions on a file.

    Attributes:
        count: rows predicted so far.
        notes: what the user should know, complete when all rows are predicted.
    """

    def __init__(self, model: Any, path: Path, keep: Sequence[str] | None = None) -> None:
        """Look at nothing yet.

        Args:
            model: a ``Model``, or any object with ``predict`` that takes a frame.
            path: the rows.
            keep: columns of the file to copy; None for those that the model does not read.
        """
        self.count = 0
        self._model, self._path, self._keep = model, path, keep
        self._odd, self._unseen = Counter[str](), Counter[str]()
        self._examples: dict[str, str] = {}
        self._scored: list[tuple[Any, Any, Any]] | None = []
        self._unscored = ""
        self._copied: list[str] = []

    def csv(self) -> Iterator[str]:
        """The predictions as pieces of a CSV file, its header first.

        Raises:
            DataError: no rows, missing columns, another row shape, or a file that cannot be read.
        """
        for table in self.tables():
            yield table.to_csv(index=False, header=not self.count, lineterminator="\n")
            self.count += len(table)
        if not self.count:
            raise DataError(f"{self._path.name} has no rows")

    def tables(self) -> Iterator[pd.DataFrame]:
        """The predictions as frames, with the columns that are copied before them.

        Raises:
            DataError: as ``csv``.
        """
        if not isinstance(self._model, Model):
            yield from self._own()
            return
        schema = self._model.schema
        if not schema.needed and self._path.suffix != ".npz":
            raise DataError(f"{self._path.name}: the model reads arrays, from an .npz file, and no columns")
        for piece in read_pieces(schema, self._path, PIECE):
            if len(piece):
                rows = piece.X if schema.needed else self._model.rows(piece.X)
                yield self._predicted(self._model, replace(piece, X=rows))

    @property
    def notes(self) -> list[str]:
        """See the class."""
        found = [odd_note(name, count, self._examples[name]) for name, count in self._odd.items()]
        found += [
            f"{count} rows of {name!r} hold categories that were not in the training rows, such as "
            f"{self._examples[name]!r}: they count as none of those known"
            for name, count in self._unseen.items()
        ]
        if self._copied:
            found.append(f"copied, as the model does not read them: {', '.join(self._copied)}")
        return found + self._scores()

    def _predicted(self, model: Model, piece: Piece) -> pd.DataFrame:
        import pandas as pd

        self._look(model, piece)
        probabilities = model.probabilities(piece.X) if model.classes else None
        numbers = model.numbers(piece.X)
        table = self._kept(piece.rest)
        made: dict[str, Any] = {PREDICTION: list(model.labels(numbers))}
        if probabilities is not None and probabilities.ndim == 2:
            names = [f"probability of {label}" for label in model.classes]
            made |= {name: probabilities[:, i] for i, name in enumerate(names)}
        clash = sorted(set(made) & set(table.columns))
        if clash:
            raise DataError(f"{self._path.name} has a column {clash[0]!r} itself: name those to copy with --keep")
        self._score(model, piece, numbers, probabilities)
        return pd.concat([table, pd.DataFrame(made, index=table.index if len(table.columns) else None)], axis=1)

    def _kept(self, rest: pd.DataFrame | None) -> pd.DataFrame:
        import pandas as pd

        if rest is None:
            if self._keep:
                raise DataError(f"{self._path.name} holds arrays, which have no column {self._keep[0]!r}")
            return pd.DataFrame()
        if self._keep is None:
            self._copied = [str(name) for name in rest.columns]
            return rest.reset_index(drop=True)
        missing = [name for name in self._keep if name not in rest.columns]
        if missing:
            raise DataError(f"--keep {missing[0]}: {did_you_mean(missing[0], list(rest.columns))}")
        return rest[list(self._keep)].reset_index(drop=True)

    def _look(self, model: Model, piece: Piece) -> None:
        """Count what is unlike the training rows."""
        for name, (count, example) in piece.odd.items():
            self._odd[name] += count
            self._examples.setdefault(name, example)
        for encoding in model.preparation.encodings if model.preparation is not None else ():
            known = {*encoding.kept, *encoding.rare}
            others = [value for value in piece.X[encoding.name] if value not in known]
            if others:
                self._unseen[encoding.name] += len(others)
                self._examples.setdefault(encoding.name, str(others[0]))

    def _score(self, model: Model, piece: Piece, numbers: Any, probabilities: Any) -> None:
        """Keep what is to be scored, as long as there are targets and room."""
        if self._scored is None:
            return
        try:
            targets, here = targets_of(model.schema, piece, self._path.name)
        except DataError as error:  # none, or others than the model knows: nothing to score
            self._scored = None
            self._unscored = "" if piece.labels is None else str(error)
            return
        self._scored.append((targets, numbers[here], None if probabilities is None else probabilities[here]))
        if self.count > SCORED:
            self._scored = None

    def _scores(self) -> list[str]:
        import numpy as np

        if not self._scored or not isinstance(self._model, Model):
            return [f"no scores: {self._unscored}"] if self._unscored else []
        targets, numbers, probabilities = zip(*self._scored, strict=True)
        y, predicted = np.concatenate(targets), np.concatenate(numbers)
        if not self._model.classes:
            found = scores.regression(y, predicted) | self._model.judge.own(Said(y, predicted))
        else:
            given = None if probabilities[0] is None else np.concatenate(probabilities)
            found = scores.classification(y, predicted, len(self._model.classes), probabilities=given)
            found |= self._model.judge.own(Said(y, predicted, len(self._model.classes), given))
        shown = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        return [f"scores on the {len(y)} rows with a target: {shown}"]

    def _own(self) -> Iterator[pd.DataFrame]:
        """Predictions of a model that the user's own code loads."""
        import pandas as pd

        if self._path.suffix == ".npz":
            raise DataError(f"{self._path.name}: a model with a load of its own is given tables")
        for frame in frames(self._path, size=PIECE):
            kept = self._kept(frame) if self._keep else pd.DataFrame()
            made = self._model.predict(frame)
            columns = made if isinstance(made, pd.DataFrame) else pd.DataFrame({PREDICTION: list(made)})
            if len(columns) != len(frame):
                raise DataError(f"the model gives {len(columns)} predictions for {len(frame)} rows")
            yield pd.concat([kept, columns.reset_index(drop=True)], axis=1)
