"""Which values of a row step at which multiple of the learning rate, as few stretches as there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hpo.objectives.networks.network import Parameter
from hpo.objectives.trainer import muon
from hpo.objectives.trainer.training_recipe import TrainingRecipe

Stretches = list[tuple[slice, float]]
"""Places in a row, in order, each with what multiplies the learning rate there."""


def steps(parameters: Sequence[Parameter], recipe: TrainingRecipe) -> Stretches:
    """What is stepped value by value: all that is not frozen, or what Muon leaves to AdamW of it."""
    share, own = _under(recipe, parameters)
    return _joined(
        (place, share * parameter.rate * parameter.entry_rate)
        for parameter, place in _places(parameters)
        if parameter.rate and place.start not in own
    )


def decays(parameters: Sequence[Parameter], recipe: TrainingRecipe | None = None) -> Stretches:
    """What weight decay and L1 apply to: the matrices that are not frozen, under any rule but Muon unless told."""
    share, own = _under(recipe, parameters)
    found = []
    for parameter, place in _places(parameters):
        if parameter.matrix and parameter.rate:
            by_muon = place.start in own
            rate = parameter.rate * (1.0 if by_muon else parameter.entry_rate)
            found.append((place, (1.0 if by_muon else share) * (1.0 if parameter.steady_decay else rate)))
    return _joined(found)


def together(lanes: Sequence[Stretches]) -> list[tuple[slice, NDArray[np.float64]]]:
    """Stretches of several rows that cover the same places, cut where any of them is: the shares [lanes] of each."""
    if all(own == lanes[0] for own in lanes):
        return [(place, np.full(len(lanes), share)) for place, share in lanes[0]]
    marks = sorted({mark for own in lanes for place, _ in own for mark in (place.start, place.stop)})
    found = []
    for low, high in pairwise(marks):
        shares = [share for own in lanes for place, share in own if place.start <= low and high <= place.stop]
        if shares:
            found.append((slice(low, high), np.array(shares)))
    return found


def _under(recipe: TrainingRecipe | None, parameters: Sequence[Parameter]) -> tuple[float, set[int]]:
    """What multiplies the rate of what Muon does not train, and where that begins which it does."""
    if recipe is None or recipe.optimizer != "muon":
        return 1.0, set()
    return recipe.adam_share, {place.start for _, place in muon.hidden(parameters)}


def _places(parameters: Sequence[Parameter]) -> Iterator[tuple[Parameter, slice]]:
    start = 0
    for parameter in parameters:
        yield parameter, slice(start, start + parameter.size)
        start += parameter.size


def _joined(parts: Iterable[tuple[slice, float]]) -> Stretches:
    found: Stretches = []
    for place, rate in parts:
        if found and found[-1][0].stop == place.start and found[-1][1] == rate:
            found[-1] = (slice(found[-1][0].start, place.stop), rate)
        else:
            found.append((place, rate))
    return found
