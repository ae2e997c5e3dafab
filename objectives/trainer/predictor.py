"""A trained network in use, fresh from training or out of a folder: what it gives for inputs, what it scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.networks.network import Network
from hpo.objectives.trainer.metrics import predict
from hpo.objectives.trainer.tensors import TaskData
from hpo.objectives.trainer.text_task import TextTask

Report: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], Mapping[str, Any]]


class Predictor:
    """A network and its weights.

    Attributes:
        network: what the weights are of.
        weights: [size].
        data: which task they do.
        rows: most samples that the network is run on at a time; None for as many as is fast.
        report: further metrics, of targets [n] and what is predicted [n, classes] or [n]; see ``Splits.report``.
    """

    def __init__(
        self, network: Network, weights: Tensor, data: TaskData | TextTask, rows: int | None, report: Report | None
    ) -> None:
        """Take them."""
        self.network, self.weights, self.data, self.rows, self.report = network, weights, data, rows, report

    def forward(self, *, differentiable: bool = False) -> Callable[[Tensor], Tensor]:
        """The model as it is used, inputs [1, B, ...] to outputs; ``differentiable`` where gradients are wanted."""
        network = self.network
        values = network.views(self.weights.unsqueeze(0))

        def forward(inputs: Tensor) -> Tensor:
            network.mode(training=False)
            with torch.set_grad_enabled(differentiable):
                return network.forward(values, inputs, None)

        return forward

    def outputs(self, inputs: Tensor) -> Tensor:
        """What the network gives, [n, ..., outputs], for inputs [n, ...] on the device."""
        return predict(self.forward(), inputs, 1, self.rows)[0]

    def predict(self, inputs: Tensor) -> Tensor:
        """Probabilities [n, ..., classes], or values [n] in the target's own units.

        Args:
            inputs: [n, ...] on the device; the same rows in the same pieces of ``metrics.ROWS`` give the same bits.
        """
        assert isinstance(self.data, TaskData)
        return self.data.predicted(self.outputs(inputs))

    def scores(self, part: Any) -> dict[str, Any]:
        """Metrics on a part, for reports."""
        found: dict[str, Any] = dict(self.data.score(self.forward(), part, 1, self.rows)[0])
        if self.report is not None and isinstance(self.data, TaskData):
            predicted = self.predict(part.inputs).numpy()
            found |= self.report(self.data.in_units(part.targets), predicted)
        return found
