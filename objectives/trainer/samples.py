"""Which samples make up an epoch of a lane, with which targets and which weights: drawn from the lane's own seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.data.class_weights import weights_of
from hpo.objectives.trainer.order import Layout, generator, permuted
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.recipe import derive_seed

Indices: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.float64]


class Source(Protocol):
    """What samples are drawn from."""

    def __len__(self) -> int:
        """Samples of one pass."""
        ...

    def locate(self, seed: int, passes: Indices, index: Indices) -> tuple[Indices, Words | None]:
        """Where samples stand for ``read``, and the word that decides what is random in each."""
        ...

    def weights(self, index: Indices, keys: Words | None, length: int) -> Numbers | None:
        """How much each sample counts: its targets among its first ``length`` tokens (0: all); None for single ones."""
        ...


@dataclass(frozen=True)
class Samples:
    """One lane's samples up to its next point, each [ticks, micro].

    Attributes:
        index: whose inputs.
        target: whose target; another's under label noise.
        share: weight of the loss of each of the sample's targets: one part in the window's; 0 for padding.
        counts: what each sample counts in its window: its targets, and its weight; 0 for padding.
        keys: what decides the random part of each sample, or None.
        partner: with whom it is mixed, or None.
        part: how much of it stays in the mixture.
    """

    index: Indices
    target: Indices
    share: Numbers
    counts: Numbers
    keys: Words | None = None
    partner: Indices | None = None
    part: Numbers | None = None


def draw(
    recipe: TrainingRecipe,
    point: int,
    cut: Layout,
    classes: Indices | None,
    source: Source,
    start: int | None = None,
    length: int = 0,
) -> Samples:
    """Draw the samples up to a point of the curve.

    Args:
        recipe: how.
        point: points reached so far.
        cut: how the samples are cut.
        classes: class of each training sample, None for regression and for tokens.
        source: the training part.
        start: samples seen so far where windows go on across passes; None where the samples are those of one pass.
        length: tokens of a sequence that are trained on, from its first; 0 for all.
    """
    count = len(source)
    passes, index = _order(recipe, point, cut, count, start)
    if recipe.resample == "balanced" and classes is not None:
        rarity, size = 1 / np.bincount(classes)[classes], int(cut.places.max()) + 1
        drawn = generator(recipe.seed, "resample", point).choice(count, size, p=rarity / rarity.sum())
        index = drawn[cut.places]
    target = _labels(recipe, count)[index] if recipe.label_noise else index
    index, keys = source.locate(recipe.seed, passes, index)
    targets = source.weights(index, keys, length)
    counts = cut.real.astype(np.float64)
    if targets is not None:
        counts, target = counts * targets, index
    if recipe.class_weight != "none" and classes is not None:
        counts = counts * weights_of(recipe.class_weight, classes, int(classes.max()) + 1)[classes[target]]
    in_window = np.bincount(cut.window, weights=counts.sum(axis=1))[cut.window][:, None]
    share = cut.real / np.maximum(in_window, 1) if targets is not None else counts / in_window
    if not recipe.mixup:
        return Samples(index, target, share, counts, keys)
    random = generator(recipe.seed, "mixup", point)
    partner = random.integers(0, count, index.shape)
    return Samples(index, target, share, counts, keys, partner, random.beta(recipe.mixup, recipe.mixup, index.shape))


def _order(recipe: TrainingRecipe, point: int, cut: Layout, count: int, start: int | None) -> tuple[Indices, Indices]:
    """The pass over the data that each place belongs to, and the sample that stands there in its order."""
    if start is None:
        order = generator(recipe.seed, "order", point).permutation(count)
        return np.full_like(cut.places, point), order[cut.places]
    passes, at = np.divmod(start + cut.places, count)
    index = np.empty_like(at)
    for number in np.unique(passes).tolist():
        inside = passes == number
        index[inside] = permuted(derive_seed(recipe.seed, "order", number), at[inside], count)
    return passes, index


def _labels(recipe: TrainingRecipe, count: int) -> NDArray[np.int64]:
    """Whose target each sample carries, the same in every epoch."""
    random = np.random.default_rng(derive_seed(recipe.seed, "labels"))
    own = np.arange(count)
    return np.where(random.random(count) < recipe.label_noise, random.integers(0, count, count), own)
