"""How long a run is, and where in it a point of the curve and a step stand.

``Plan`` goes by epochs: each is a point, and the run ends with the epochs or with the optimizer steps, whichever end
first. ``StepPlan`` goes by optimizer steps: a point is so many of them, whatever part of a pass over the data they are;
it ends with the steps, the tokens or the passes, whichever end first.

The number of steps follows from the recipe, except where the effective batch follows the run's own noise. There the
schedules go by the share of samples seen: a step counts for as many steps of a batch that never grew as it has samples.

Pure: no torch.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.objectives.trainer.language import POINTS
from hpo.objectives.trainer.length import rows_of, steps_of
from hpo.objectives.trainer.order import Layout, layout
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError


@dataclass(frozen=True)
class Place:
    """How far a run has come.

    Attributes:
        point: points of the curve reached.
        step: optimizer steps done.
        samples: samples seen.
    """

    point: int = 0
    step: int = 0
    samples: int = 0


class Plan:
    """The course of one run by epochs.

    Attributes:
        epochs: points over which the batch grows; where steps end the run, so many that it has grown by then.
        total: optimizer steps over which the rate's schedule spreads.
    """

    across_passes = False
    """Whether windows go on from one pass over the data into the next."""

    def __init__(self, recipe: TrainingRecipe, count: int) -> None:
        """Count the steps of a run over ``count`` training samples."""
        self._recipe, self._count = recipe, count
        self._adaptive = recipe.batch_schedule == "noise"
        self._find_length()

    def _find_length(self) -> None:
        recipe = self._recipe
        self.epochs = recipe.epochs
        if recipe.max_steps and not self._adaptive:
            paid = bisect_right(range(1, recipe.epochs + 1), recipe.max_steps, key=self._steps_in)
            self.epochs = max(1, paid)
        last = self._steps(self.window(self.epochs - 1, 1))
        steps = self._steps_in(self.epochs) + (recipe.epochs - self.epochs) * last
        self.total = min(steps, recipe.max_steps or steps)

    @property
    def notes(self) -> list[str]:
        """What the user should know about the run's length."""
        recipe = self._recipe
        if not recipe.max_steps or self._adaptive or self.total == recipe.max_steps:
            return []
        return [
            f"max_steps: {recipe.max_steps} is not reached: {recipe.epochs} epochs are {self.total} steps, and the run "
            "ends with the first of the two; raise epochs"
        ]

    def window(self, point: int, measured: float) -> int:
        """Samples of one optimizer step up to the next point; ``measured`` is the factor that the noise asks for."""
        recipe = self._recipe
        grown = measured if self._adaptive else recipe.growth(min(point, self.epochs - 1), self.epochs)
        return recipe.step_samples(grown)

    def layout(self, done: Place, window: int, batch: int, micro: int) -> Layout:
        """How the samples up to the next point are cut: batches of ``batch``, kernel calls of ``micro``."""
        cut = layout(self._count, window, batch, micro)
        left = self._recipe.max_steps - done.step if self._recipe.max_steps else 0
        return cut.first(left) if 0 < left < cut.steps else cut

    def share(self, done: Place) -> float:
        """Share of the run that is done; 1 at its end."""
        recipe = self._recipe
        return max(done.point / recipe.epochs, done.step / recipe.max_steps if recipe.max_steps else 0.0)

    def places(self, done: Place, steps: int, window: int) -> Sequence[float]:
        """Where the ``steps`` up to the next point stand between 0 and ``total``."""
        if not self._adaptive:
            return range(done.step, done.step + steps)
        recipe, whole = self._recipe, self._steps(window)
        by_samples = [(done.point * whole + at) * self.total / (recipe.epochs * whole) for at in range(steps)]
        if not recipe.max_steps:
            return by_samples
        return [max(own, (done.step + at) * self.total / recipe.max_steps) for at, own in enumerate(by_samples)]

    def _steps_in(self, epochs: int) -> int:
        """Optimizer steps of so many epochs over which the batch grows."""
        recipe = self._recipe
        if recipe.batch_schedule in ("fixed", "noise"):
            return epochs * self._steps(recipe.first_batch)
        return sum(self._steps(recipe.step_samples(recipe.growth(epoch, epochs))) for epoch in range(epochs))

    def _steps(self, window: int) -> int:
        """Optimizer steps of a whole epoch."""
        return -(-self._count // window)


class StepPlan(Plan):
    """The course of one run by optimizer steps; ``epochs`` are its points."""

    across_passes = True

    def __init__(self, recipe: TrainingRecipe, count: int, context: int) -> None:
        """Count the steps of a run over ``count`` training samples of ``context`` tokens; 0 where they are no text.

        Raises:
            UserError: the batch follows the noise and nothing says how many steps there are.
        """
        self._context = context
        super().__init__(recipe, count)

    def _find_length(self) -> None:
        recipe, count = self._recipe, self._count
        self._most = recipe.epochs * count
        if recipe.max_tokens:
            if not self._context:
                raise UserError("max_tokens counts tokens, and these samples are none: give max_steps or epochs")
            self._most = min(self._most, rows_of(recipe.max_tokens, self._context))
        if self._adaptive:
            if not recipe.max_steps:
                raise UserError(
                    "batch_schedule: noise decides in the run how many steps its samples make, so points by steps need "
                    "an end in steps: give max_steps"
                )
            self.total = recipe.max_steps
        else:
            self.total = self._converged()
        self.epochs = self._points(self.total)

    def _converged(self) -> int:
        """Steps that the samples make; the batch grows over points, whose number follows from the steps."""
        recipe = self._recipe
        total = steps_of(recipe.first_batch, samples=self._most) or 1
        if recipe.batch_schedule == "fixed":  # a thousand passes over a large text have too many points to go through
            return min(total, recipe.max_steps or total)
        for _ in range(POINTS):
            points = self._points(min(total, recipe.max_steps or total))
            mean = sum(recipe.step_samples(recipe.growth(point, points)) for point in range(points)) / points
            before, total = total, max(1, math.ceil(self._most / mean))
            if total == before:
                break
        return min(total, recipe.max_steps or total)

    def _points(self, total: int) -> int:
        every = self._recipe.eval_every
        return -(-total // every) if every else min(POINTS, total)

    @property
    def notes(self) -> list[str]:
        """What the user should know about the run's length."""
        recipe = self._recipe
        if not recipe.max_steps or self.total >= recipe.max_steps:
            return []
        tokens = recipe.max_tokens and self._most < recipe.epochs * self._count
        ends = f"max_tokens: {recipe.max_tokens}" if tokens else f"{recipe.epochs} epochs"
        return [
            f"max_steps: {recipe.max_steps} is not reached: {ends} are {self.total} steps, and the run ends with the "
            f"first of the two; raise {'max_tokens' if tokens else 'epochs'}"
        ]

    def layout(self, done: Place, window: int, batch: int, micro: int) -> Layout:
        """Whole windows up to the next point; only the run's last may have fewer samples."""
        every, point = self._recipe.eval_every, done.point + 1
        end = min(self.total, point * every if every else round(point * self.total / self.epochs))
        return layout(min((end - done.step) * window, self._most - done.samples), window, batch, micro)

    def share(self, done: Place) -> float:
        """Share of the run that is done; 1 at its end."""
        return 1.0 if done.samples >= self._most else done.step / self.total

    def places(self, done: Place, steps: int, window: int) -> Sequence[float]:
        """Where the ``steps`` up to the next point stand between 0 and ``total``."""
        return range(done.step, done.step + steps)


def plan_of(recipe: TrainingRecipe, count: int, context: int, *, by_steps: bool) -> Plan:
    """The course of a run over ``count`` samples of ``context`` tokens each, 0 where they are no sequences."""
    if by_steps or recipe.eval_every or recipe.max_tokens:
        return StepPlan(recipe, count, context)
    return Plan(recipe, count)
