"""Let one sampler propose the first trials and another all later ones.

What it does: trials numbered below ``trials`` come from ``first``, the others from ``then``, which sees the trials of
both.
When to use it: to start a model-based sampler from an even spread of recipes instead of a random one:
``sampler: {warmup: {first: qmc, then: tpe, trials: 16}}``. Give ``then`` no more random trials of its own than that.
Options: ``first``; ``then``; ``trials`` = 10, how many trials ``first`` proposes.
Cost: that of the two.
Reference: Jones, Schonlau and Welch, Efficient global optimization of expensive black-box functions, J. Global Optim.
1998, section 4.1, on initial designs.
"""

from __future__ import annotations

from typing import Annotated

from optuna.samplers import BaseSampler

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.terms.knobs import AT_LEAST_0


def make(
    context: SamplerContext, *, first: BaseSampler, then: BaseSampler, trials: Annotated[int, AT_LEAST_0] = 10
) -> BaseSampler:
    """Choose between the two by the trial's number."""
    return first if context.number < trials else then
