"""How long a run is, and where in it an epoch and a step stand: by epochs or by optimizer steps, whichever end first.

The number of steps follows from the recipe, except where the effective batch follows the run's own noise. There the
schedules go by the share of samples seen: a step counts for as many steps of a batch that never grew as it has samples.

Pure: no torch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from hpo.objectives.trainer.training_recipe import TrainingRecipe


class Plan:
    """The course of one run.

    Attributes:
        epochs: epochs over which the batch grows; where steps end the run, so many that it has grown by then.
        total: optimizer steps over which the rate's schedule spreads.
    """

    def __init__(self, recipe: TrainingRecipe, count: int) -> None:
        """Count the steps of a run over ``count`` training samples."""
        self._recipe, self._count = recipe, count
        self._adaptive = recipe.batch_schedule == "noise"
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

    def window(self, epoch: int, measured: float) -> int:
        """Samples of one optimizer step in an epoch; ``measured`` is the factor that the noise has asked for."""
        recipe = self._recipe
        grown = measured if self._adaptive else recipe.growth(min(epoch, self.epochs - 1), self.epochs)
        return recipe.step_samples(grown)

    def left(self, step: int) -> int:
        """Optimizer steps that the run may still take, after ``step`` of them; as many as there are where it is 0."""
        return self._recipe.max_steps - step if self._recipe.max_steps else 0

    def share(self, epoch: int, step: int) -> float:
        """Share of the run that is done after so many epochs and steps; 1 at its end."""
        recipe = self._recipe
        return max(epoch / recipe.epochs, step / recipe.max_steps if recipe.max_steps else 0.0)

    def places(self, epoch: int, step: int, steps: int, window: int) -> Sequence[float]:
        """Where the ``steps`` of an epoch after ``step`` stand between 0 and ``total``."""
        if not self._adaptive:
            return range(step, step + steps)
        recipe, whole = self._recipe, self._steps(window)
        by_samples = [(epoch * whole + at) * self.total / (recipe.epochs * whole) for at in range(steps)]
        if not recipe.max_steps:
            return by_samples
        return [max(own, (step + at) * self.total / recipe.max_steps) for at, own in enumerate(by_samples)]

    def _steps_in(self, epochs: int) -> int:
        """Optimizer steps of so many epochs over which the batch grows."""
        recipe = self._recipe
        if recipe.batch_schedule in ("fixed", "noise"):
            return epochs * self._steps(recipe.first_batch)
        return sum(self._steps(recipe.step_samples(recipe.growth(epoch, epochs))) for epoch in range(epochs))

    def _steps(self, window: int) -> int:
        """Optimizer steps of a whole epoch."""
        return -(-self._count // window)
