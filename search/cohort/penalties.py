"""What happens to gradients and weights around the optimizer's step, each lane by its own recipe.

In order, as with torch.nn.utils.clip_grad_norm_ and torch.optim: the gradient's norm is clipped; an L2 term is added
(weight decay of SGD and Adam); decoupled weight decay shrinks the matrices; the optimizer steps; L1 thresholds the
matrices. Operations over all lanes leave the rows that do not step as they are, by a factor of exactly 1 or a term of
exactly 0; an operation that no lane asks for is not carried out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.cohort.optimizers import DECOUPLED
from hpo.search.cohort.recipe import TrainingRecipe


class Penalties:
    """Tables [ticks, lanes] of one epoch, applied tick by tick."""

    def __init__(
        self, recipes: Sequence[TrainingRecipe], rates: NDArray[np.float64], decayed: int, device: torch.device
    ) -> None:
        """Prepare.

        Args:
            recipes: each lane's recipe.
            rates: [ticks, lanes] learning rate of the step after the tick; 0 where there is none.
            decayed: values of a row, from its start, that weight decay and L1 apply to.
            device: where the rows are.
        """
        self._decayed = decayed
        steps = rates > 0
        clips = np.array([recipe.clip_norm or np.inf for recipe in recipes])
        decays = np.array([recipe.weight_decay for recipe in recipes])
        decoupled = np.array([recipe.optimizer in DECOUPLED for recipe in recipes])
        self._l1 = [recipe.l1 for recipe in recipes]
        self._clips = _table(np.where(steps, clips, np.inf), np.inf, device)
        self._l2 = _table(np.where(steps, np.where(decoupled, 0.0, decays), 0.0), 0.0, device)
        self._shrink = _table(1 - rates * np.where(decoupled, decays, 0.0), 1.0, device)

    def before(self, tick: int, weights: Tensor, gradient: Tensor) -> None:
        """Clip, decay; rows are [lanes, size], the first lanes of the epoch."""
        lanes = len(weights)
        if self._clips is not None:
            norms = torch.linalg.vector_norm(gradient, dim=1)
            gradient.mul_((self._clips[tick, :lanes] / (norms + 1e-6)).clamp(max=1.0).unsqueeze(1))
        if self._l2 is not None:
            gradient[:, : self._decayed].addcmul_(weights[:, : self._decayed], self._l2[tick, :lanes, None])
        if self._shrink is not None:
            weights[:, : self._decayed].mul_(self._shrink[tick, :lanes, None])

    def after(self, lane: int, weights: Tensor, rate: float) -> None:
        """Threshold one lane's row [size]."""
        if self._l1[lane]:
            matrices = weights[: self._decayed]
            matrices.copy_(F.softshrink(matrices, rate * self._l1[lane]))


def _table(values: NDArray[np.float64], neutral: float, device: torch.device) -> Tensor | None:
    return None if bool((values == neutral).all()) else torch.from_numpy(values.astype(np.float32)).to(device)
