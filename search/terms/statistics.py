"""What ``record: statistics`` asks of a training run: cheap numbers of each epoch, beside the metrics of its point.

Each is named ``statistic/layer``, the layer as in the names of parameters, or ``statistic`` where it is of the whole
network. They decide nothing: no goal, sampler or pruner sees them.
"""

from __future__ import annotations

from collections.abc import Mapping

STATISTICS = {
    "weight_norm": "Euclidean norm of a layer's weights",
    "gradient_norm": "norm of a layer's mean gradient before it is clipped, root mean square over some of the steps",
    "activation_rms": "root mean square of what a layer gives on a few validation rows",
    "dead_units": "share of a nonlinearity's units that give the same for all of these rows",
    "clipped_steps": "share of the steps whose gradient was clipped",
}
"""What is recorded, in words."""

RECORDS = ("statistics", "outlook")
"""What the key ``record`` may name: the numbers above, and where a run is heading (``Trial.outlook``)."""


def apart(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics without the statistics among them, and these.

    >>> apart({"val_loss": 0.5, "gradient_norm/1": 0.1, "clipped_steps": 0.0, "mine/loss": 1.0})
    ({'val_loss': 0.5, 'mine/loss': 1.0}, {'gradient_norm/1': 0.1, 'clipped_steps': 0.0})
    """
    found = {name: value for name, value in metrics.items() if name.partition("/")[0] in STATISTICS}
    return {name: value for name, value in metrics.items() if name not in found}, found
