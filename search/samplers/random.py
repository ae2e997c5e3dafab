"""Draw every recipe at random, independently of all others.

What it does: each active knob is drawn uniformly from its range, on the log scale where it says so, and each choice
with the same chance.
When to use it: as the baseline that every other sampler must beat, with a strong pruner on a small budget, and
wherever unbiased coverage matters more than the best recipe.
Options: none.
Cost: below a millisecond a recipe.
Reference: Bergstra and Bengio, Random search for hyper-parameter optimization, JMLR 2012.
"""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.samplers.common.indexed import Indexed

DISCLAIMS = ("better than random",)


def make(context: SamplerContext) -> BaseSampler:
    """Make the sampler."""
    return Indexed(RandomSampler(seed=context.seed), context.space)
