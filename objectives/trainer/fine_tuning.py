"""What of a network is trained at which share of the rate: frozen blocks, rates by depth, low-rank factors.

``freeze`` keeps the first blocks as they are; ``layer_decay`` multiplies the rate once for each step from the head down
(discriminative fine-tuning, Howard and Ruder 2018; in this form Clark et al. 2020, ELECTRA), ``head_rate`` that of the
head; ``lora_rank`` trains low-rank factors in place of the matrices (see ``networks.low_rank``).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from hpo.objectives.networks.depth import blocks
from hpo.objectives.networks.low_rank import LowRank
from hpo.objectives.networks.network import Network
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError


def tuned(network: Network, recipe: TrainingRecipe) -> Network:
    """The network with the rates of a recipe, and with its factors where it asks for them.

    Args:
        network: fresh, for it is changed.
        recipe: says what is trained.

    Raises:
        UserError: more blocks are to be frozen than there are, factors have a higher rank than any matrix, or nothing
            would be trained.
    """
    body, head = blocks(network)
    if recipe.freeze > len(body):
        where = "before its head" if head else "and no head of its own"
        count = f"{len(body)} block{'' if len(body) == 1 else 's'}"
        raise UserError(f"freeze: {recipe.freeze} is more than there is: the model has {count} {where}")
    if recipe.freeze == len(body) and not head:
        raise UserError(f"freeze: {recipe.freeze} leaves nothing to train: the model has no head of its own")
    if recipe.head_rate != 1 and not head:
        raise UserError(f"head_rate: {recipe.head_rate:g} has nothing to act on: the model has no head of its own")
    shares = dict.fromkeys(head, recipe.head_rate)
    for depth, names in enumerate(body):
        share = 0.0 if depth < recipe.freeze else recipe.layer_decay ** (len(body) - depth - (0 if head else 1))
        shares |= dict.fromkeys(names, share)
    if any(share != 1 for share in shares.values()):
        network.parameters = tuple(replace(p, rate=p.rate * shares[p.name]) for p in network.parameters)
    if recipe.lora_rank:
        _ranked(network, recipe.lora_rank, head)
        return LowRank(network, recipe.lora_rank, recipe.lora_alpha, head)
    if recipe.freeze:  # lanes of a cohort share a backward pass, which stops at what is frozen
        network.key = (network.key, recipe.freeze)
    return network


def _ranked(network: Network, rank: int, head: Collection[str]) -> None:
    """Refuse factors of a rank that no matrix has.

    Raises:
        UserError: the rank is above that.
    """
    adapted = [p for p in network.parameters if p.matrix and p.rate and p.name not in head]
    most = max((min(p.shape[0], math.prod(p.shape[1:])) for p in adapted), default=rank)
    if rank > most:
        raise UserError(f"lora_rank: {rank} is more than any matrix before the head has: the largest rank is {most}")
