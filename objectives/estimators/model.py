"""The fitted model that a scikit-learn trial hands back, and how its predictions are scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.dataset import Dataset, Part
from hpo.objectives.data.judge import Judge
from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.scorers import Said
from hpo.objectives.data.words import Words
from hpo.objectives.ensembles.cost import ROWS, milliseconds
from hpo.objectives.estimators.curves import quiet
from hpo.search.contracts.predicted import PartName, Predicted

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Model:
    """A preparation and an estimator; fitted by ``fit`` when it is first used, if it is not fitted yet.

    Attributes:
        dataset: what it was trained on.
        fit: gives the fitted preparation and the fitted estimator.
        refit: gives them as they were after so many points of the curve, by training again; None for a model that
            belongs to no point, because the points were folds.
        folds: what the models of the folds predict on the rows that each was not trained on.
        judge: how its predictions are judged.
        words: what becomes of texts.
    """

    dataset: Dataset
    fit: Callable[[], tuple[Any, Any]]
    refit: Callable[[int], tuple[Any, Any]] | None = None
    folds: tuple[Predicted, ...] = ()
    judge: Judge = field(default_factory=Judge)
    words: Words = field(default_factory=Words)
    _fitted: tuple[Any, Any] | None = field(default=None, repr=False)

    @property
    def fitted(self) -> tuple[Any, Any]:
        """Fitted preparation and estimator."""
        if self._fitted is None:
            self._fitted = self.fit()
        return self._fitted

    def at(self, step: int) -> Model:
        """The model as it was at a point of its curve; itself where the points were folds."""
        refit = self.refit
        return self if refit is None else replace(self, fit=lambda: refit(step), _fitted=None)

    def test(self) -> dict[str, Any]:
        """Metrics on the test part, with the confusion matrix [true, predicted] of a classifier."""
        return self.evaluate(self.dataset.test)

    def evaluate(self, part: Part) -> dict[str, Any]:
        """The same metrics on other rows."""
        prepare, estimator = self.fitted
        found = said(estimator, prepare.transform(part.X), part.y, len(self.dataset.classes))
        return self.judge.report(found, self.threshold)

    @property
    def labels(self) -> tuple[Any, ...]:
        """Name of each class."""
        return self.dataset.classes

    @cached_property
    def threshold(self) -> float | None:
        """Probability from which on the second of two classes is predicted, chosen on the validation part."""
        return self.judge.chosen(lambda: self.predicted("validation"))

    def predicted(self, part: PartName | Any) -> Predicted:
        """Predictions on a part, or on other rows; the validation part of a cross-validation are its folds together."""
        import numpy as np

        if isinstance(part, str) and part == "validation" and self.folds:
            values, targets = ([getattr(fold, name) for fold in self.folds] for name in ("values", "targets"))
            probable = all(fold.probable for fold in self.folds)
            return Predicted(np.concatenate(values), np.concatenate(targets), probable)
        held_out: Part = getattr(self.dataset, part) if isinstance(part, str) else part
        prepare, estimator = self.fitted
        found = predicted(estimator, prepare.transform(held_out.X), held_out.y, len(self.dataset.classes))
        return replace(found, labels=self.dataset.classes)

    def cost(self) -> tuple[float, float]:
        """Milliseconds to predict ``ensembles.cost.ROWS`` rows, and kilobytes of the estimator."""
        import pickle

        prepare, estimator = self.fitted
        X = prepare.transform(self.dataset.validation.X[:ROWS])
        predict = getattr(estimator, "predict_proba", estimator.predict)
        return milliseconds(lambda: predict(X)), len(pickle.dumps(estimator)) / 1024

    def save(self, folder: Path) -> list[Path]:
        """Write the pipeline, ``model.skops``, and ``model.json`` describing it.

        The pipeline takes rows as ``Dataset.train.X`` holds them and predicts class numbers or values; what its last
        step takes is made out of a raw table by the ``preparation`` in ``model.json``, see ``Preparation.from_plain``.
        It consists of scikit-learn's own types; loading asks to trust ``numpy.dtype``, and ``Tree`` for trees.
        """
        import skops.io
        from sklearn.pipeline import Pipeline

        prepare, estimator = self.fitted
        model, described = folder / "model.skops", folder / "model.json"
        skops.io.dump(Pipeline([("prepare", prepare), ("model", estimator)]), model)
        described.write_text(json.dumps(self._description(), indent=2, default=str) + "\n", encoding="utf-8")
        return [model, described]

    def _description(self) -> dict[str, Any]:
        from sklearn import __version__

        data, (prepare, estimator) = self.dataset, self.fitted
        return {
            "trained_by": "scikit-learn",
            "estimator": f"{type(estimator).__module__}.{type(estimator).__qualname__}",
            "parameters": estimator.get_params(deep=False),
            "scikit-learn": __version__,
            "task": data.task,
            "target": data.target,
            "classes": list(data.classes),
            "features": list(data.features),
            "image": data.image,
            "columns": [asdict(column) for column in data.columns],
            "schema": data.schema.plain(),
            "preparation": Preparation.of(prepare, data.columns, data.features, self.words).plain(),
            "judge": self.judge.plain(),
            "threshold": self.threshold,
            "data": {"name": data.name, "digest": data.digest},
        }


def probabilities_of(estimator: Any, X: Any, classes: int) -> NDArray[Any] | None:
    """Probabilities [n, classes], None where the estimator has none; a class without training rows has 0."""
    import numpy as np

    if not hasattr(estimator, "predict_proba"):
        return None
    found = np.zeros((X.shape[0], classes))
    found[:, estimator.classes_] = estimator.predict_proba(X)
    return found


def predicted(estimator: Any, X: Any, y: NDArray[Any], classes: int) -> Predicted:
    """What a fitted estimator gives for prepared rows, whose targets are class numbers or values [n]."""
    import numpy as np

    with quiet():
        values = probabilities_of(estimator, X, classes) if classes else None
        if values is not None:
            return Predicted(values, y)
        found = estimator.predict(X).reshape(len(y))
    return Predicted(np.eye(classes)[found], y, probable=False) if classes else Predicted(found.astype(float), y)


def said(estimator: Any, X: Any, y: NDArray[Any], classes: int) -> Said:
    """What a fitted estimator says of prepared rows; ``classes`` is 0 for a regressor."""
    import numpy as np

    with quiet():
        if not classes:
            return Said(y, estimator.predict(X).reshape(len(y)))
        ranking, probabilities = None, probabilities_of(estimator, X, classes)
        if probabilities is None and hasattr(estimator, "decision_function"):
            decision = np.asarray(estimator.decision_function(X))
            if (classes == 2 and decision.ndim == 1) or decision.shape == (len(y), classes):
                ranking = decision
        return Said(y, estimator.predict(X), classes, probabilities, ranking)
