"""A network that the suite has trained, with its weights out of a safetensors file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.scorers import Said
from hpo.objectives.models.base import Model
from hpo.objectives.models.built import Built, check_shapes, schema_of, shapes_of
from hpo.objectives.models.gradients import integrated
from hpo.objectives.trainer.tensors import TaskData, as_tensor
from hpo.search.terms.errors import Advice, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CPU = torch.device("cpu")
_FAR = 3.0
"""Mean of prepared pixels, which is 0 for those trained on, from which on the user is told that something is amiss."""


class NetworkModel(Built, Model):
    """See ``Model`` and ``Built``."""

    def __init__(self, folder: Path, about: Mapping[str, Any], module: ModuleType) -> None:
        """Build the network of the recipe and give it its weights.

        Raises:
            UserError: weights are missing or do not fit, or the description is not that of a network.
            DataError: the preparation contradicts itself.
        """
        made = about["preprocessing"]
        preparation = Preparation.from_plain(made["preparation"]) if "preparation" in made else None
        super().__init__(schema_of(about, preparation), preparation, about)
        shapes = shapes_of(about)
        check_shapes(self.schema, preparation, shapes)
        number = shapes.outputs[-1] if self.schema.task == "classification" else 0
        units = about["target"]
        data = TaskData(self.schema.task, number, shapes.symbols, _CPU, units["mean"], units["deviation"])
        judged = None if preparation is None and self.cut is None else self._report
        self.build(folder, about, module, data, judged)
        self._data = data

    def prepare(self, rows: Any) -> NDArray[Any]:
        """What the network is given for rows [n, ...] as ``predict`` takes them: float32, or int64 for symbols.

        Raises:
            DataError: columns are missing, or rows have another shape.
        """
        found: NDArray[Any] = self.inputs(self.rows(rows)).numpy()
        return found

    def rows(self, raw: Any) -> Any:
        """See ``Model``; inputs as the objective's own data makes them, where it does."""
        if self.preparation is not None:
            return super().rows(raw)
        array = as_tensor(raw.to_numpy() if hasattr(raw, "to_numpy") else raw).numpy()
        if array.shape[1:] != self.shape:
            raise DataError(
                f"rows are of shape {list(array.shape[1:])}, but the model was trained on {list(self.shape)}"
            )
        return array

    def numbers(self, X: Any) -> NDArray[Any]:
        """See ``Model``."""
        found: NDArray[Any] = self.predictor.predict(self.inputs(X)).numpy()
        if self.cut is not None:
            return self.decided(found)
        return found.argmax(axis=-1) if self.schema.task == "classification" else found

    def probabilities(self, X: Any) -> NDArray[Any] | None:
        """See ``Model``."""
        found: NDArray[Any] = self.predictor.predict(self.inputs(X)).numpy()
        return found

    def attributions(self, X: Any) -> NDArray[Any] | None:
        """See ``Model``: integrated gradients; None of whole numbers."""
        inputs = self.inputs(X)
        return integrated(self.predictor, inputs).values if inputs.is_floating_point() else None

    def scores(self, X: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """See ``Model``."""
        return self.predictor.scores(self._data.part("given", self._prepared(X), targets))

    def _report(self, targets: NDArray[Any], predicted: NDArray[Any]) -> Mapping[str, Any]:
        return self.judge.report(Said.of(targets, predicted), self.cut)

    def inputs(self, X: Any) -> Tensor:
        """Rows as ``rows`` gives them, prepared, [n, ...]."""
        return self._data.inputs("given", self._prepared(X))

    def _prepared(self, X: Any) -> Any:
        if self.preparation is None:
            return X
        made = self.preparation.transform(X)
        if self.preparation.scaling == "channel" and len(made) and abs(far := float(made.mean())) > _FAR:
            warnings.warn(
                f"the pixels are unlike those trained on, {far:.0f} deviations away on average: scale them alike "
                "(digits are divided by 16, arrays of 8 bits by 255 where those trained on were)",
                Advice,
                stacklevel=4,
            )
        return made
