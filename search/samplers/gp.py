"""Model the goal with a Gaussian process and propose where it expects the most improvement.

What it does: fits a Matern-5/2 Gaussian process to the complete trials and maximizes log expected improvement
(hypervolume improvement for several goals), counting running trials as pending. Knobs under conditions are drawn at
random. Ranges of more than 100,000 whole numbers or steps are modelled as continuous and rounded. Pruned trials are
not seen.
When to use it: few trials (up to about 200) of expensive training, up to about 20 knobs, most of them numbers.
Options: ``n_startup_trials`` = 10, complete trials drawn at random first.
Cost: about 0.3 CPU seconds a recipe at 50 trials, growing with the cube of their number; needs torch.
Reference: Jones et al., J. Global Optim. 1998; Ament et al., Unexpected improvements to expected improvement, NeurIPS
2023; Optuna's GPSampler.
"""

from __future__ import annotations

from typing import Annotated

from optuna.samplers import BaseSampler, GPSampler

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.samplers.common.declared import Declared, distributions
from hpo.search.samplers.common.indexed import Indexed
from hpo.search.terms.knobs import AT_LEAST_0


def make(context: SamplerContext, *, n_startup_trials: Annotated[int, AT_LEAST_0] = 10) -> BaseSampler:
    """Make the sampler."""
    sampler = GPSampler(seed=context.seed, n_startup_trials=n_startup_trials, warn_independent_sampling=False)
    return Declared(Indexed(sampler, context.space), distributions(context.space, conditional=False))
