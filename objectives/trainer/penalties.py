"""What happens to gradients and weights around the optimizer's step, each lane by its own recipe.

Decoupled decay and L1 of a parameter go by its own learning rate, under Muon that of AdamW where Muon leaves it that,
unless the parameter says that they go by the recipe's (``Parameter.steady_decay``).

In order, as with torch.nn.utils.clip_grad_norm_ and torch.optim: the gradient's norm is clipped; an L2 term is added
(weight decay of SGD, Adam and RMSprop); decoupled weight decay shrinks the matrices; noise is added to the gradient;
the optimizer steps; L1 thresholds the matrices. Operations over all lanes leave the rows that do not step as they are,
by a factor of exactly 1 or a term of exactly 0; an operation that no lane asks for is not carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.trainer import stretches
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.training_recipe import DECOUPLED


class Penalties:
    """Tables [ticks, lanes] of one epoch, applied tick by tick."""

    def __init__(self, lanes: Sequence[Lane], rates: NDArray[np.float64]) -> None:
        """Prepare.

        Args:
            lanes: in the order of the rows.
            rates: [ticks, lanes] learning rate of the step after the tick; 0 where there is none.
        """
        self._lanes = lanes
        recipes, data = [lane.setup.recipe for lane in lanes], lanes[0].setup.data
        steps = rates > 0
        clips = np.array([recipe.clip_norm or np.inf for recipe in recipes])
        decays = np.array([recipe.decay_of(len(data.train)) for recipe in recipes])
        decoupled = np.array([recipe.optimizer in DECOUPLED for recipe in recipes])
        self._own = np.where([recipe.optimizer == "muon" for recipe in recipes], decays, 0.0)  # at rates of its own
        self._clips = _table(np.where(steps, clips, np.inf), np.inf, data.device)
        self._l2 = _table(np.where(steps, np.where(decoupled, 0.0, decays), 0.0), 0.0, data.device)
        shrinks = [
            (place, _table(1 - rates * shares * np.where(decoupled, decays - self._own, 0.0), 1.0, data.device))
            for place, shares in stretches.together([stretches.decays(own.setup.network.parameters) for own in lanes])
        ]
        self._shrinks = [(place, table) for place, table in shrinks if table is not None]
        self._decayed = [place for place, _ in shrinks]

    def before(self, tick: int, weights: Tensor, gradient: Tensor) -> None:
        """Clip, decay; rows are [lanes, size], the first lanes of the epoch."""
        lanes = len(weights)
        if self._clips is not None:
            norms = torch.linalg.vector_norm(gradient, dim=1)
            gradient.mul_((self._clips[tick, :lanes] / (norms + 1e-6)).clamp(max=1.0).unsqueeze(1))
        if self._l2 is not None:
            for place in self._decayed:
                gradient[:, place].addcmul_(weights[:, place], self._l2[tick, :lanes, None])
        for place, table in self._shrinks:
            weights[:, place].mul_(table[tick, :lanes, None])

    def around(
        self, at: int, update: Callable[[float], None], weights: Tensor, gradient: Tensor
    ) -> Callable[[float], None]:
        """The update of one lane's rows [size] with its noise before and its thresholding after."""
        lane = self._lanes[at]
        recipe = lane.setup.recipe
        decay = float(self._own[at])
        if not recipe.gradient_noise and not recipe.l1 and not decay:
            return update
        random, parameters = generator(recipe.seed, "gradient noise", lane.epoch), lane.setup.network.parameters
        matrices = [(weights[place], share) for place, share in stretches.decays(parameters, recipe)]

        def penalized(rate: float) -> None:
            if recipe.gradient_noise:  # Neelakantan et al. 2015, eq. 1 with gamma 0.55
                deviation = recipe.gradient_noise / (1 + lane.step) ** 0.275
                drawn = torch.from_numpy(random.standard_normal(len(gradient), dtype=np.float32))
                gradient.add_(drawn.to(gradient.device), alpha=deviation)
            for matrix, share in matrices if decay else ():
                matrix.mul_(1 - rate * share * decay)
            update(rate)
            for matrix, share in matrices if recipe.l1 else ():
                matrix.copy_(F.softshrink(matrix, rate * share * recipe.l1))

        return penalized


def _table(values: NDArray[np.float64], neutral: float, device: torch.device) -> Tensor | None:
    return None if bool((values == neutral).all()) else torch.from_numpy(values.astype(np.float32)).to(device)
