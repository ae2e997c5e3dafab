"""Which samples make up an epoch of a lane, with which targets and which weights: drawn from the lane's own seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.trainer.order import Layout, generator
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.recipe import derive_seed


@dataclass(frozen=True)
class Samples:
    """One lane's samples of one epoch, each [ticks, micro].

    Attributes:
        index: whose inputs.
        target: whose target; another's under label noise.
        share: weight of the sample's loss: its share in the window's mean; 0 for padding.
        partner: with whom it is mixed, or None.
        part: how much of it stays in the mixture.
    """

    index: NDArray[np.int64]
    target: NDArray[np.int64]
    share: NDArray[np.float64]
    partner: NDArray[np.int64] | None = None
    part: NDArray[np.float64] | None = None


def draw(recipe: TrainingRecipe, epoch: int, cut: Layout, classes: NDArray[np.int64] | None, count: int) -> Samples:
    """Draw the samples of an epoch.

    Args:
        recipe: how.
        epoch: epochs done.
        cut: how the epoch is cut.
        classes: class of each training sample, None for regression.
        count: training samples.
    """
    order = generator(recipe.seed, "order", epoch).permutation(count)
    if recipe.resample == "balanced" and classes is not None:
        rarity = 1 / np.bincount(classes)[classes]
        order = generator(recipe.seed, "resample", epoch).choice(count, count, p=rarity / rarity.sum())
    index = order[cut.places]
    target = _labels(recipe, count)[index] if recipe.label_noise else index
    weight = cut.real.astype(np.float64)
    if recipe.class_weight != "none" and classes is not None:
        weight = weight * _class_weights(recipe, classes)[classes[target]]
    in_window = np.bincount(cut.window, weights=weight.sum(axis=1))[cut.window]
    share = weight / in_window[:, None]
    if not recipe.mixup:
        return Samples(index, target, share)
    random = generator(recipe.seed, "mixup", epoch)
    partner = random.integers(0, count, index.shape)
    return Samples(index, target, share, partner, random.beta(recipe.mixup, recipe.mixup, index.shape))


def _labels(recipe: TrainingRecipe, count: int) -> NDArray[np.int64]:
    """Whose target each sample carries, the same in every epoch."""
    random = np.random.default_rng(derive_seed(recipe.seed, "labels"))
    own = np.arange(count)
    return np.where(random.random(count) < recipe.label_noise, random.integers(0, count, count), own)


def _class_weights(recipe: TrainingRecipe, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of each class; ``balanced`` as scikit-learn's compute_class_weight."""
    sizes = np.bincount(classes)
    weights = len(classes) / (np.count_nonzero(sizes) * np.maximum(sizes, 1))
    return np.asarray(np.sqrt(weights) if recipe.class_weight == "sqrt" else weights)
