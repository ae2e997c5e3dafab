"""The effective batch of a lane that follows its own gradient noise scale (``batch_schedule: noise``).

McCandlish et al. 2018 (section 2.2 and appendix D): below the noise scale S / G a larger batch saves almost as many
steps as it has more samples, above it hardly any; and the scale rises as training goes on. So the batch begins small
and is doubled after an epoch while it stays at or below the scale. S and G are averages over the windows of an epoch,
and over epochs with half the weight for each one past; the scale is their ratio, never an average of ratios. Where G is
not above 0 nothing is known and the batch stays.
"""

from __future__ import annotations

import numpy as np

from hpo.objectives.trainer.gradient_noise import NoiseRecord
from hpo.objectives.trainer.training_recipe import TrainingRecipe

_KEPT = 0.5


class Growth:
    """A lane's factor on its first effective batch: a power of two that never falls.

    Attributes:
        factor: the factor of the coming epoch.
    """

    def __init__(self) -> None:
        self.factor = 1
        self._averages = np.zeros(2)
        self._seen = NoiseRecord()

    def follow(self, recipe: TrainingRecipe, record: NoiseRecord) -> None:
        """Take in what the lane's record has gained since the last call, an epoch's windows."""
        windows, gained = record.windows - self._seen.windows, record.total - self._seen.total
        if not windows:
            return
        self._averages = _KEPT * self._averages + gained / windows
        self._seen = NoiseRecord(record.windows, record.total.copy())
        variance, square = self._averages.tolist()
        if square <= 0:
            return
        while 2 * self.factor <= recipe.batch_growth and recipe.step_samples(2 * self.factor) <= variance / square:
            self.factor *= 2
