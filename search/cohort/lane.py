"""One trial's state between epochs: its rows of weights and optimizer memory, and its place in the run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hpo.search.cohort import optimizers
from hpo.search.cohort.order import Layout, layout, micro_size
from hpo.search.cohort.problem import Trial
from hpo.search.cohort.schedules import rate
from hpo.search.recipe import derive_seed


@dataclass(eq=False)
class Lane:
    """A trial in training.

    Attributes:
        number: the trial's number.
        trial: what is trained, and how.
        rows: ``weights`` and the optimizer's memory, each [size], and ``count``, the steps done as a scalar; views
            into the cohort's matrices while it runs.
        epoch: epochs done.
        step: optimizer steps done.
        metrics: the point reached by the last epoch.
        failure: why the trial cannot go on; empty while it can.
    """

    number: int
    trial: Trial
    rows: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""

    def __post_init__(self) -> None:
        network, recipe, device = self.trial.network, self.trial.recipe, self.trial.data.device
        self.micro = recipe.batch_size if network.ragged else micro_size(recipe.batch_size)
        self.total = self.layout().steps * recipe.epochs
        weights = [value.reshape(-1).to(device) for value in network.initial(derive_seed(recipe.seed, "weights"))]
        self.rows["weights"] = torch.cat(weights)
        for name in optimizers.memory(recipe):
            self.rows[name] = torch.zeros_like(self.rows["weights"])
        self.rows["count"] = torch.zeros((), device=device)

    @property
    def key(self) -> Hashable:
        """Lanes with equal keys can be trained as one."""
        alone = self.number if self.trial.network.alone else None
        return (self.trial.network.key, self.trial.key, self.micro, tuple(self.rows), alone)

    @property
    def done(self) -> bool:
        """Whether the curve is complete."""
        return self.epoch >= self.trial.recipe.epochs

    def layout(self) -> Layout:
        """How the coming epoch is cut."""
        recipe = self.trial.recipe
        return layout(len(self.trial.data.train), recipe.batch_size, recipe.accumulation_steps, self.micro)

    def rates(self, steps: int) -> list[float]:
        """Learning rates of the coming steps."""
        return [rate(self.trial.recipe, at, self.total) for at in range(self.step, self.step + steps)]

    def detach(self) -> None:
        """Take the rows out of the cohort's matrices, so that these can be freed."""
        self.rows = {name: row.clone() for name, row in self.rows.items()}
