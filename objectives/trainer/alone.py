"""One trial as an iterator over its learning curve: a cohort of one lane."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.data.judge import Judge
from hpo.objectives.data.scorers import Said
from hpo.objectives.ensembles.cost import ROWS, milliseconds
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.predictor import Predictor
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.tensors import Data
from hpo.objectives.trainer.together import Cohort
from hpo.search.contracts.predicted import PartName, Predicted
from hpo.search.terms.errors import Advice, UserError
from hpo.search.terms.job import Task
from hpo.search.terms.recipe import canonical


class Diverged(UserError):
    """The loss of a trial became NaN or infinite; the message says at which step."""


def train_alone(
    objective: ModuleType, task: Task, recipe: Mapping[str, Any]
) -> Generator[dict[str, float], None, Fitted]:
    """Train one trial, yielding the metrics of each epoch; the generator's return value is the fitted model.

    The curve is the one that the trial has in any cohort.

    Args:
        objective: module with ``build`` and ``data``.
        task: data and device.
        recipe: every knob, ``seed`` included.

    Raises:
        Diverged: the loss is no longer finite.
        UserError, DataError: the recipe or the data cannot be trained.
    """
    return (yield from train_setup(Problem(objective, task).setup(recipe)))


def train_setup(
    setup: Setup, also: Callable[[Tensor], Mapping[str, float]] | None = None
) -> Generator[dict[str, float], None, Fitted]:
    """The same of what is bound to a model and data already.

    Args:
        setup: what is trained.
        also: further metrics of each point, of the weights [size] that it scores.

    Raises:
        Diverged: the loss is no longer finite.
    """
    lane = Lane(0, setup)
    for note in lane.setup.notes:
        warnings.warn(note, Advice, stacklevel=2)
    for _ in _epochs(lane):
        yield {**lane.metrics, **(also(lane.scored) if also is not None else {})}
    lane.setup.network.restore(lane.best)
    return Fitted(lane.setup, lane.final, lane.lowest[1] if lane.setup.recipe.patience else lane.epoch)


def _epochs(lane: Lane) -> Iterator[int]:
    """Train a lane to its end; gives the epochs done after each."""
    cohort = Cohort()
    while not lane.done:
        cohort.advance([lane])
        if lane.failure:
            raise Diverged(lane.failure)
        yield lane.epoch


class Fitted:
    """A trained model.

    Attributes:
        setup: what was trained.
        weights: [size].
        epoch: the point of the curve whose weights these are.
    """

    def __init__(self, setup: Setup, weights: Tensor, epoch: int) -> None:
        self.setup = setup
        self.weights = weights.detach().clone()
        self.epoch = epoch

    @property
    def task(self) -> Task | None:
        """What builds the network: of a compressed one its source's."""
        return self.setup.task

    @classmethod
    def of(cls, lane: Lane) -> Fitted:
        """The model that a lane's last point was measured on."""
        return cls(lane.setup, lane.scored, lane.epoch)

    def at(self, step: int) -> Fitted:
        """The model as it was after so many epochs; unless that is what it is, it is trained again up to there."""
        if step == self.epoch:
            return self
        lane = Lane(0, self.setup)
        next(epoch for epoch in _epochs(lane) if epoch == step)
        return Fitted.of(lane)

    def test(self) -> dict[str, Any]:
        """Metrics on the test part, which is read only now."""
        return self.predictor.scores(self.setup.data.test())

    def evaluate(self, rows: Any) -> dict[str, Any]:
        """Metrics on other rows: as the data module reads them, inputs and targets, or texts."""
        return self.predictor.scores(self.setup.data.given(rows))

    def predicted(self, part: PartName | Any) -> Predicted | None:
        """Predictions on a part, or on other rows as ``evaluate`` takes them; None where targets are tokens.

        Raises:
            DataError: there is no such part.
        """
        data = self.setup.data
        if not isinstance(data, Data) or data.per_token:
            return None
        held_out = data.test() if part == "test" else data.validation if part == "validation" else data.given(part)
        values = self.predictor.predict(held_out.inputs).numpy()
        return Predicted(values, data.in_units(held_out.targets), labels=data.splits.labels)

    def cost(self) -> tuple[float, float]:
        """Milliseconds to predict ``ensembles.cost.ROWS`` rows, and kilobytes of the weights."""
        predictor, inputs = self.predictor, self.setup.data.validation.inputs[:ROWS]
        return milliseconds(lambda: predictor.predict(inputs)), self.weights.numel() * 4 / 1024

    def look(self) -> str:
        """A few lines of what a language model writes or finds out; empty for other models."""
        return self.setup.data.look(self.predictor.forward(), self.setup.recipe.seed)

    def predict(self, inputs: Any) -> Tensor:
        """Probabilities [n, ..., classes], or values [n] in the target's own units."""
        return self.predictor.predict(self.setup.data.inputs("given", inputs))

    @property
    def predictor(self) -> Predictor:
        """The model in use."""
        data = self.setup.data
        judged = data.splits.reported or not self.judge.silent
        return Predictor(self.setup.network, self.weights, data, self.setup.rows, self._report if judged else None)

    @property
    def labels(self) -> tuple[Any, ...]:
        """Name of each class, where they are known."""
        return self.setup.data.splits.labels

    @property
    def judge(self) -> Judge:
        """How its predictions are judged."""
        return self.setup.judge

    @cached_property
    def threshold(self) -> float | None:
        """Probability from which on the second of two classes is predicted, chosen on the validation part."""
        return self.judge.chosen(lambda: self.predicted("validation"))

    def _report(self, targets: NDArray[Any], predicted: NDArray[Any]) -> Mapping[str, Any]:
        return self.judge.report(Said.of(targets, predicted), self.threshold)

    def save(self, folder: Path) -> list[Path]:
        """Write ``weights.safetensors``, named as in torch.nn, and ``model.json`` with recipe and preprocessing.

        A language model's tokenizer is written beside them.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        weights, described = folder / "weights.safetensors", folder / "model.json"
        save_file(self.setup.network.state_dict(self.weights), weights)
        data = self.setup.data
        about = {
            "trained_by": "suite",
            "recipe": canonical(dict(self.setup.knobs)),
            "task": data.task,
            "labels": list(data.splits.labels),
            "target": {"mean": data.mean, "deviation": data.deviation},
            "network": {
                "inputs": data.shape, "outputs": data.output_shape, "symbols": data.symbols,
                "documents": data.documents, "rows": self.setup.rows,
            },
            "preprocessing": data.splits.preprocessing,
            "judge": self.judge.plain(),
            "threshold": self.threshold,
            **self.setup.network.described(),
        }  # fmt: skip
        described.write_text(json.dumps(about, indent=2, default=str) + "\n", encoding="utf-8")
        return [weights, described, *data.save(folder)]
