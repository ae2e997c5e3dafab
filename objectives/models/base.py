"""What every loaded model offers, whatever trained it."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.decision import decided
from hpo.objectives.data.frame import without
from hpo.objectives.data.judge import judge_of
from hpo.objectives.data.options import marks
from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.schema import Schema, named, odd_note
from hpo.search.terms.errors import Advice, DataError, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 16 * 512
"""Rows that are read and predicted at a time: a multiple of ``trainer.metrics.ROWS``, so that the bits are the same."""


class Model(abc.ABC):
    """A trained model.

    Attributes:
        schema: the columns it reads, its target and classes.
        preparation: of raw rows; None where the objective's own ``data`` makes the arrays that it takes.
        judge: how its predictions are judged.
        cut: probability from which on the second of two classes is predicted; None for the likeliest class.
    """

    def __init__(self, schema: Schema, preparation: Preparation | None, about: Mapping[str, Any]) -> None:
        """Take what is known of its data, and of ``model.json`` how it decides.

        Raises:
            ValueError: the threshold is no probability, or not for two classes.
        """
        self.schema, self.preparation = schema, preparation
        self.judge = judge_of(about.get("judge") or {})
        self.cut = None if about.get("threshold") is None else float(about["threshold"])
        if self.cut is not None and not (0 <= self.cut <= 1 and len(schema.classes) == 2):
            raise ValueError(f"a threshold of {self.cut:g} for {len(schema.classes)} classes")

    def __repr__(self) -> str:
        inputs = ", ".join(self.schema.needed[:6]) + (", ..." if len(self.schema.needed) > 6 else "")
        return f"<hpo model: {self.schema.target} from {inputs or 'arrays'}>"

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return self.schema.task

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels, in the order of ``predict_proba``'s columns; empty for regression."""
        return self.schema.classes

    def predict(self, rows: Any) -> NDArray[Any]:
        """Predict labels [n] as the training data had them, or values [n] in the target's own units.

        Args:
            rows: a frame with the columns trained on, others are passed over; or an array [n, ...] where the model was
                trained on arrays.

        Raises:
            DataError: columns are missing, or rows have another shape.
        """
        X = self.rows(rows)
        return self.labels(self.numbers(X) if len(X) else self._none())

    def predict_proba(self, rows: Any) -> NDArray[Any]:
        """Probabilities [n, classes].

        Raises:
            DataError: columns are missing, or rows have another shape.
            UserError: the model has none.
        """
        X = self.rows(rows)
        if self.classes and not len(X):
            return self._none().reshape(0, 1).repeat(len(self.classes), axis=1).astype(float)
        found = None if self.task == "regression" else self.probabilities(X)
        if found is None:
            raise UserError(f"this model predicts {self.schema.target!r} and has no probabilities: use predict")
        return found

    def evaluate(self, rows: Any, targets: Any = None) -> dict[str, Any]:
        """Metrics on other rows, those of the test that ``hpo train`` prints.

        Args:
            rows: as ``predict`` takes them; a frame may hold the target.
            targets: labels or values [n]; None where they are a column of ``rows``.

        Raises:
            DataError: no targets, or classes that the model does not know.
        """
        from hpo.objectives.data.another import targets_of
        from hpo.objectives.data.dataset import Piece

        if targets is None and hasattr(rows, "columns") and self.schema.target in rows.columns:
            targets = without(rows[[self.schema.target]], self._marks)[self.schema.target]
        if hasattr(targets, "index") and hasattr(rows, "index") and hasattr(targets, "iloc"):
            if not targets.index.isin(rows.index).all() or len(targets) != len(rows):
                raise DataError("the targets have another index than the rows")
            targets = targets.loc[rows.index]  # each row has its own, whatever their order
        X = self.rows(rows)
        encoded, here = targets_of(self.schema, Piece(X, targets), "what is given")
        return self.scores(X.iloc[here] if hasattr(X, "iloc") else X[here], encoded)

    def decided(self, probabilities: NDArray[Any] | None) -> NDArray[Any]:
        """Class numbers [n] of probabilities [n, 2] at the model's threshold.

        Raises:
            UserError: there are none.
        """
        if probabilities is None or self.cut is None:
            raise UserError("the model has a threshold and no probabilities: train it again with hpo train")
        return decided(probabilities[:, 1], self.cut)

    def _none(self) -> NDArray[Any]:
        """Predictions of no rows."""
        import numpy as np

        return np.zeros(0, np.int64 if self.classes else np.float64)

    def rows(self, raw: Any) -> Any:
        """Raw rows as the model reads them, before they are prepared; see ``predict``.

        A warning names the columns of a frame with cells that cannot be read, as ``hpo predict`` does.
        """
        if not hasattr(raw, "columns"):
            return self.schema.rows(raw)
        frame = without(named(raw, self.schema.needed)[list(self.schema.needed)], self._marks)
        X = self.schema.rows(frame)
        for name, (count, example) in self.schema.odd(frame, X).items():
            if getattr(frame[name].dtype, "kind", "") != "f":  # of floats the infinite ones, which are told
                warnings.warn(odd_note(name, count, example), Advice, stacklevel=3)
        return X

    @property
    def _marks(self) -> tuple[str, ...]:
        """Further marks of missing values, as the study has them."""
        return marks(self.schema.options.get("missing"))

    def labels(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """Labels of class numbers; values stay as they are."""
        import numpy as np

        return np.asarray(self.classes)[predicted] if self.classes else predicted

    @abc.abstractmethod
    def numbers(self, X: Any) -> NDArray[Any]:
        """Class numbers or values [n] of rows as ``Schema.rows`` gives them."""

    @abc.abstractmethod
    def probabilities(self, X: Any) -> NDArray[Any] | None:
        """Probabilities [n, classes] of such rows; None where there are none."""

    def attributions(self, X: Any) -> NDArray[Any] | None:
        """What each prepared input [n, ...] adds to what the model says of a row; None where it has no gradients."""
        return None

    @abc.abstractmethod
    def scores(self, X: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """Metrics on such rows and class numbers or values [n]."""


MASK = "[MASK]"
"""What stands for a hidden token in a text to be filled."""
TEMPERATURE = 0.8
"""Of what is written unless told: below 1 a small model makes fewer slips (see Holtzman et al. 2020)."""


class TextModel(abc.ABC):
    """A trained language model.

    Attributes:
        masked: whether it finds out hidden tokens (``fill``); else it predicts the next one (``generate``).
        read: how documents are found in files, as in training: ``documents`` and ``field``.
    """

    masked: bool
    read: Mapping[str, str]

    def score(self, texts: str | Sequence[str]) -> dict[str, float]:
        """What texts cost it, as ``hpo train`` measures its test text.

        Args:
            texts: a document, or several in their order; under ``pack: stream`` one may see those before it.

        Returns:
            ``bpb``, bits per byte; ``loss``, nats per token, ends of documents included; ``accuracy``, share of the
            tokens that were the likeliest. Of a masked model all are of the 15 % of tokens that are hidden, which
            follow from their places; NaN where the text is so short that none is.

        Raises:
            UserError: no text, or something else.
        """
        return self.measured(texts)[0]

    @abc.abstractmethod
    def measured(self, texts: str | Sequence[str]) -> tuple[dict[str, float], int]:
        """The same, and the bytes that ``bpb`` is of: of a masked model those that were hidden."""

    @abc.abstractmethod
    def generate(
        self, prompt: str = "", n: int = 256, temperature: float = TEMPERATURE, top_k: int = 0, seed: int = 0
    ) -> str:
        """What it writes behind a prompt, which is the beginning of a document.

        Args:
            prompt: may be empty.
            n: most tokens; it ends before where the model ends the document.
            temperature: 0 takes the likeliest token each time, 1 draws as the model has learned.
            top_k: draw from so many likeliest tokens; 0 from all.
            seed: of what is drawn.

        Raises:
            UserError: the model is a masked one, or a number is out of its range.
        """

    @abc.abstractmethod
    def fill(self, text: str) -> str:
        """A text with what the model takes each ``[MASK]`` for: one token each, all found out at the same time.

        Raises:
            UserError: the model predicts the next token only, or the text has no mask.
        """
