"""One trial's state between epochs: its rows of weights and optimizer memory, and its place in the run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hpo.objectives.trainer import optimizers
from hpo.objectives.trainer.gradient_noise import NoiseRecord
from hpo.objectives.trainer.growth import Growth
from hpo.objectives.trainer.order import Layout
from hpo.objectives.trainer.plan import Place
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.setup import Setup
from hpo.search.terms.job import Judged
from hpo.search.terms.recipe import derive_seed

_SHORTEST = 1 / 8
"""Share of the context with which a growing length begins."""

_POWER = 8
"""Of the outlook's average: the weights of step t have the share t ** 8, half of it in the last fourteenth of a run."""

_SAMPLES = 16
"""So often between two points the outlook's average takes in the weights."""


@dataclass(eq=False)
class Lane:
    """A trial in training.

    Attributes:
        number: the trial's number.
        setup: what is trained, and how.
        judged: at which points somebody decides on it, if anybody does.
        rows: ``weights``, a view into the cohort's matrix while it runs; beside it the optimizer's memory, as the
            recipe asks the ``average`` and the ``best`` weights, and the ``outlook``'s; each [size].
        epoch: epochs done.
        step: optimizer steps done.
        tokens: positions of sequences trained on so far, each time anew.
        metrics: the point reached by the last epoch.
        failure: why the trial cannot go on; empty while it can.
        lowest: lowest validation loss so far, and the epoch that reached it.
        best: what the network itself held then, such as running statistics, where the recipe is patient.
        averaged: how often weights were added to the average.
        foreseen: the step whose weights the outlook has taken in last.
        noise: gradient noise of the run so far.
        growth: how far the effective batch has followed it, where the recipe asks for that.
        plan: how long the run is.
        place: how far it had come at the last point.
        batch: most samples in a micro-batch of the coming epoch.
        micro: rows of a kernel call in it.
    """

    number: int
    setup: Setup
    judged: Judged | None = None
    rows: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    tokens: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    lowest: tuple[float, int] = (math.inf, 0)
    best: Mapping[str, Tensor] = field(default_factory=dict)
    averaged: int = 0
    foreseen: int = 0
    noise: NoiseRecord = field(default_factory=NoiseRecord)
    growth: Growth = field(default_factory=Growth)

    def __post_init__(self) -> None:
        network, recipe, device = self.setup.network, self.setup.recipe, self.setup.data.device
        self.plan = self.setup.plan()
        self.place = Place()
        weights = [value.reshape(-1).to(device) for value in network.begin(derive_seed(recipe.seed, "weights"))]
        self.rows["weights"] = torch.cat(weights)
        kept = [*optimizers.memory(recipe)]
        kept += ["average"] if recipe.average != "none" else []
        kept += ["best"] if recipe.patience else []
        kept += ["outlook"] if self.judged is not None and not self.setup.network.ragged else []
        for name in kept:
            self.rows[name] = torch.zeros_like(self.rows["weights"])
        self._cut()

    @property
    def key(self) -> Hashable:
        """Lanes with equal keys can be trained as one in the coming epoch."""
        alone = self.number if self.setup.network.alone else None
        return (self.setup.network.key, self.setup.key, self.micro, self.length, alone)

    @property
    def done(self) -> bool:
        """Whether the curve is complete."""
        recipe = self.setup.recipe
        patient = not recipe.patience or self.epoch - self.lowest[1] < recipe.patience
        return self.plan.share(self.place) >= 1 or not patient

    @property
    def scored(self) -> Tensor:
        """The weights that stand for the trial now: averaged ones where the recipe asks for them."""
        return self.rows["average"] if self.averaged else self.rows["weights"]

    @property
    def final(self) -> Tensor:
        """The weights to keep at the end: the best ones where the recipe is patient."""
        return self.rows["best"] if self.setup.recipe.patience else self.scored

    @property
    def window(self) -> int:
        """Samples of one optimizer step in the coming epoch: the effective batch."""
        return self.plan.window(self.epoch, self.growth.factor)

    @property
    def length(self) -> int:
        """Tokens of a sequence up to the next point: the whole context unless the recipe lets it grow to that."""
        context, warmup = self.setup.data.context, self.setup.recipe.length_warmup
        share = self.plan.share(self.place)
        if not warmup or share >= warmup:
            return context
        return max(1, round(context * (_SHORTEST + (1 - _SHORTEST) * share / warmup)))

    def layout(self) -> Layout:
        """How the samples up to the next point are cut."""
        return self.plan.layout(self.place, self.window, self.batch, self.micro)

    def rates(self, steps: int) -> list[float]:
        """Learning rates of the steps up to the next point."""
        return rates(self.setup.recipe, self.plan.places(self.place, steps, self.window), self.plan.total)

    def measured(self) -> dict[str, float]:
        """What the epoch just trained tells of its batch, beside its scores."""
        recipe, found = self.setup.recipe, self.noise.metrics()
        if recipe.batch_size == "auto":
            found["micro_batch"] = float(self.micro)
        if recipe.batch_schedule == "noise":
            found["effective_batch"] = float(self.window)
        if self.setup.data.by_steps:
            found["tokens"] = float(self.tokens)
        return found

    @property
    def foresees(self) -> bool:
        """Whether somebody decides at the coming point by where the run is heading.

        At the run's end there is nothing left to foresee.
        """
        due = "outlook" in self.rows and self.judged is not None and self.epoch + 1 in self.judged.steps
        return due and self.plan.share(self._next()) < 1

    def stepped(self) -> None:
        """Count an optimizer step, which the averages follow."""
        self.step += 1
        if self._every and (self.step - self.place.step) % self._every == 0:
            share = 1 - (self.foreseen / self.step) ** (_POWER + 1)
            self.rows["outlook"].lerp_(self.rows["weights"], share)
            self.foreseen = self.step
        if self.setup.recipe.average == "ema":
            self._average(1 - self.setup.recipe.average_decay if self.averaged else 1.0)

    def ended_epoch(self) -> None:
        """Let the even average follow an epoch's end, before the scores are taken, and count what was trained on."""
        recipe = self.setup.recipe
        self.tokens += (self._next().samples - self.place.samples) * self.length
        if recipe.average == "swa" and self.plan.share(self._next()) > recipe.average_start:
            self._average(1 / (self.averaged + 1))

    def scored_at(self, loss: float) -> None:
        """Count an epoch, and remember its weights if they are the best so far."""
        self.place = self._next()
        self.epoch += 1
        if self.setup.recipe.batch_schedule == "noise":
            self.growth.follow(self.setup.recipe, self.noise)
        self._cut()
        if loss < self.lowest[0]:
            self.lowest = (loss, self.epoch)
            if self.setup.recipe.patience:
                self.rows["best"].copy_(self.scored)
                held = self.setup.network.state() or {}
                self.best = {name: value.clone() for name, value in held.items()}

    def detach(self) -> None:
        """Take the weights out of the cohort's matrix, so that this can be freed."""
        self.rows["weights"] = self.rows["weights"].clone()

    def _cut(self) -> None:
        """Work out the batches of the coming epoch, and how often the outlook takes in weights."""
        self.batch, self.micro = self.setup.cut(self.window)
        self._every = 0
        if "outlook" in self.rows and self.plan.share(self.place) < 1:
            assert self.judged is not None
            first, last = min(self.judged.steps), max(self.judged.steps)
            if first // 2 <= self.epoch < last:  # what went before counts for nothing
                self._every = max(1, self.layout().steps // _SAMPLES)

    def _next(self) -> Place:
        """Where the run stands at the next point, once its steps are done."""
        cut = self.layout()
        return Place(self.epoch + 1, self.step, self.place.samples + int(cut.items[cut.ends].sum()))

    def _average(self, share: float) -> None:
        self.averaged += 1
        self.rows["average"].lerp_(self.rows["weights"], share)
