"""One trial's state between epochs: its rows of weights and optimizer memory, and its place in the run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hpo.search.cohort import optimizers
from hpo.search.cohort.gradient_noise import NoiseRecord
from hpo.search.cohort.order import Layout, layout, micro_size
from hpo.search.cohort.problem import Trial
from hpo.search.cohort.schedules import rates
from hpo.search.recipe import derive_seed


@dataclass(eq=False)
class Lane:
    """A trial in training.

    Attributes:
        number: the trial's number.
        trial: what is trained, and how.
        rows: ``weights``, a view into the cohort's matrix while it runs; beside it the optimizer's memory, and as the
            recipe asks the ``average`` and the ``best`` weights; each [size].
        epoch: epochs done.
        step: optimizer steps done.
        metrics: the point reached by the last epoch.
        failure: why the trial cannot go on; empty while it can.
        lowest: lowest validation loss so far, and the epoch that reached it.
        averaged: how often weights were added to the average.
        noise: gradient noise of the run so far.
    """

    number: int
    trial: Trial
    rows: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    lowest: tuple[float, int] = (math.inf, 0)
    averaged: int = 0
    noise: NoiseRecord = field(default_factory=NoiseRecord)

    def __post_init__(self) -> None:
        network, recipe, device = self.trial.network, self.trial.recipe, self.trial.data.device
        self.micro = recipe.batch_size if network.ragged else micro_size(recipe.batch_size)
        epochs = range(recipe.epochs)
        if recipe.batch_schedule == "fixed":
            self.total = self.layout(0).steps * len(epochs)
        else:
            self.total = sum(self.layout(epoch).steps for epoch in epochs)
        weights = [value.reshape(-1).to(device) for value in network.initial(derive_seed(recipe.seed, "weights"))]
        self.rows["weights"] = torch.cat(weights)
        kept = [*optimizers.memory(recipe)]
        kept += ["average"] if recipe.average != "none" else []
        kept += ["best"] if recipe.patience else []
        for name in kept:
            self.rows[name] = torch.zeros_like(self.rows["weights"])

    @property
    def key(self) -> Hashable:
        """Lanes with equal keys can be trained as one."""
        alone = self.number if self.trial.network.alone else None
        return (self.trial.network.key, self.trial.key, self.micro, alone)

    @property
    def done(self) -> bool:
        """Whether the curve is complete."""
        recipe = self.trial.recipe
        patient = not recipe.patience or self.epoch - self.lowest[1] < recipe.patience
        return self.epoch >= recipe.epochs or not patient

    @property
    def scored(self) -> Tensor:
        """The weights that stand for the trial now: averaged ones where the recipe asks for them."""
        return self.rows["average"] if self.averaged else self.rows["weights"]

    @property
    def final(self) -> Tensor:
        """The weights to keep at the end: the best ones where the recipe is patient."""
        return self.rows["best"] if self.trial.recipe.patience else self.scored

    def layout(self, epoch: int | None = None) -> Layout:
        """How an epoch is cut; the coming one by default."""
        recipe = self.trial.recipe
        steps = recipe.accumulation(self.epoch if epoch is None else epoch)
        return layout(len(self.trial.data.train), recipe.batch_size, steps, self.micro)

    def rates(self, steps: int) -> list[float]:
        """Learning rates of the coming steps."""
        return rates(self.trial.recipe, self.step, self.step + steps, self.total)

    def stepped(self) -> None:
        """Count an optimizer step, which the exponential average follows."""
        self.step += 1
        if self.trial.recipe.average == "ema":
            self._average(1 - self.trial.recipe.average_decay if self.averaged else 1.0)

    def ended_epoch(self) -> None:
        """Let the even average follow an epoch's end, before the scores are taken."""
        recipe = self.trial.recipe
        if recipe.average == "swa" and self.epoch >= math.floor(recipe.average_start * recipe.epochs):
            self._average(1 / (self.averaged + 1))

    def scored_at(self, loss: float) -> None:
        """Count an epoch, and remember its weights if they are the best so far."""
        self.epoch += 1
        if loss < self.lowest[0]:
            self.lowest = (loss, self.epoch)
            if self.trial.recipe.patience:
                self.rows["best"].copy_(self.scored)

    def detach(self) -> None:
        """Take the weights out of the cohort's matrix, so that this can be freed."""
        self.rows["weights"] = self.rows["weights"].clone()

    def _average(self, share: float) -> None:
        self.averaged += 1
        self.rows["average"].lerp_(self.rows["weights"], share)
