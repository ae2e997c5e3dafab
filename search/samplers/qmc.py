"""Spread recipes evenly over the space with a scrambled Sobol sequence.

What it does: trial n takes the n-th point of one low-discrepancy sequence over all knobs, scrambled by the study's
seed, so that any number of trials covers the space more evenly than random draws do.
When to use it: to map a space rather than to find its best recipe, and before a model-based sampler (``warmup``).
Knobs that are not active at a point leave gaps in the coverage of the others' combinations; with many conditions
random does as well.
Options: none.
Cost: about 1 millisecond a recipe.
Reference: Sobol, USSR Comput. Math. Math. Phys. 1967; scrambling after Owen, J. Complexity 1998; for hyperparameters
Bergstra and Bengio, JMLR 2012, section 5.
"""

from __future__ import annotations

import numpy as np
from optuna.samplers import BaseSampler
from optuna.study import Study
from scipy.stats import qmc

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.samplers.common.declared import Points
from hpo.search.terms.domain import Scalar
from hpo.search.terms.recipe import derive_seed

DISCLAIMS = ("better than random",)


def make(context: SamplerContext) -> BaseSampler:
    """Make the sampler."""

    def choose(study: Study) -> dict[str, Scalar]:
        sequence = qmc.Sobol(len(context.space), seed=derive_seed(context.study_seed, "qmc"))
        if context.number:  # SciPy cannot skip zero points
            sequence.fast_forward(context.number)
        u = sequence.random(1)[0]
        if context.attempt:  # the sequence's own point was tried before: take it, shifted at random
            u = (u + np.random.default_rng(context.seed).random(u.size)) % 1.0
        return context.space.from_unit(u.tolist(), context.fixed)

    return Points(context.space, choose, seed=context.seed)
