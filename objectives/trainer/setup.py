"""A recipe bound to a model and to data: everything that training it takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from hpo.objectives.data.judge import Judge, judge_of
from hpo.objectives.networks.network import Network
from hpo.objectives.trainer.distillation import Teacher, TokenTeacher
from hpo.objectives.trainer.metrics import ROWS
from hpo.objectives.trainer.order import batch_rows
from hpo.objectives.trainer.plan import Plan, plan_of
from hpo.objectives.trainer.ranks import Ranks
from hpo.objectives.trainer.tensors import Data
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task


@dataclass(frozen=True, eq=False)
class Setup:
    """One trial, ready to train.

    Attributes:
        recipe: how it is trained.
        network: what is trained.
        data: on what; the same object for trials with equal data.
        loss: the objective's own ``loss(outputs, targets)``, a mean over samples; None for the suite's.
        knobs: the whole recipe as given.
        ranks: the processes that train it.
        capacity: most samples of a micro-batch that fit the memory limit, where the recipe leaves it to that.
        teacher: whose outputs are learnt beside the targets; None for the targets alone.
        task: what built the network; None for what is no model's folder.
        record: whether statistics of training go with each point; see ``statistics``.
    """

    recipe: TrainingRecipe
    network: Network
    data: Data
    loss: Callable[[Tensor, Tensor], Tensor] | None
    knobs: Mapping[str, Any]
    ranks: Ranks = field(default_factory=Ranks)
    capacity: int | None = None
    teacher: Teacher | TokenTeacher | None = None
    task: Task | None = None
    record: bool = False

    @property
    def notes(self) -> list[str]:
        """What the user should know about how this trial is trained."""
        found = [self.network.started] if self.network.started else []
        if self.network.alone:
            found.append(f"lanes are trained one by one: {self.network.alone}")
        if self.network.ragged and self.recipe.first_batch > self.cut(self.recipe.first_batch)[0]:
            found.append(
                "accumulation is not equivalent to a larger batch with BatchNorm: "
                "its statistics are those of each micro-batch; GroupNorm or LayerNorm have no such effect"
            )
        if self.ranks.size > 1 and self.network.ragged:
            found.append(
                "several processes are not equivalent to one with BatchNorm: its statistics are those of each "
                "process's share of a micro-batch; GroupNorm or LayerNorm have no such effect"
            )
        if self.recipe.batch_size == "auto":
            found.append(
                "batch_size: auto: a trial's metric micro_batch is what fitted memory_limit, in equal parts of its step"
            )
        if self.network.ragged and self.recipe.average != "none":
            found.append(
                "averaged weights are scored with the running statistics of BatchNorm of the weights in training; "
                "GroupNorm or LayerNorm have none"
            )
        asked, given = self.knobs.get("tokens_per_step"), self.recipe.first_batch * self.data.context
        if asked and abs(given - asked) > asked / 10:
            found.append(
                f"tokens_per_step: a step has {given} tokens, {asked} are no whole rows of {self.data.context}"
            )
        return found + list(self.data.notes) + self.plan().notes

    def plan(self) -> Plan:
        """How long the run is, and where its points stand."""
        data = self.data
        return plan_of(self.recipe, len(data.train), data.context, by_steps=data.by_steps)

    def cut(self, window: int) -> tuple[int, int]:
        """What a step of so many samples is cut into.

        A batch that follows its own noise is cut in two at least, so that there is something to compare.

        Returns:
            Most samples in a micro-batch, and rows of a kernel call, which takes one or a piece of one.

        Raises:
            UserError: it cannot be cut, because normalization over the micro-batch makes its size matter.
        """
        asked, measured = self.recipe.batch_size, self.recipe.batch_schedule == "noise"
        if self.network.ragged:  # statistics of a micro-batch that grows would be other ones
            window = self.recipe.first_batch
        if asked == "auto":
            pieces = max(2 if measured else 1, -(-window // (self.capacity or window)))
            return (-(-window // pieces),) * 2
        batch = min(asked, window)
        if self.network.ragged:
            if measured and batch == window:
                raise UserError(
                    "batch_schedule: noise compares the micro-batches of a step, here a single one, which BatchNorm "
                    "forbids to split: give accumulation_steps: 2 or more, or use GroupNorm or LayerNorm"
                )
            return batch, batch
        rows = batch_rows(batch, self.data.tokens)
        return batch, batch_rows(-(-window // 2), self.data.tokens) if measured and batch == window <= rows else rows

    @cached_property
    def judge(self) -> Judge:
        """How its predictions are judged."""
        return judge_of(vars(self.recipe), self.task.metric if self.task is not None else None)

    @property
    def key(self) -> Hashable:
        """Trials that share kernels have equal keys."""
        recipe = self.recipe
        return (id(self.data), self.loss, id(self.teacher), recipe.loss, recipe.precision, self.rows, self.judge)

    @property
    def rows(self) -> int | None:
        """Most samples that the model is scored on at once, where memory limits that."""
        return None if self.capacity is None else min(self.capacity, ROWS)
