"""Freeze and thaw: pause every trial after each step and train the one that promises most.

What it does: starts a handful of recipes for one step each; from then on, whenever a lane is free, a Gaussian process
over (recipe, step) predicts how every paused curve and every candidate recipe would go on, and the one with the
highest expected improvement of the best value, a random number of steps ahead, trains the next step; seven of ten
decisions follow successive halving instead, by what each curve alone still promises, which no other recipe can mislead.
It replaces sampler and pruner: weak trials are left paused, the best 40 of them and those in line for their rung, and
come back if the others disappoint. Where only ``trials`` limits the search, it ends when no paused one has a 5 % chance
to become the best by its end.
When to use it: whenever trials yield curves; it gains most when a complete trial is long compared with its first
informative point. Not for objectives that cannot be paused, nor for several goals.
Options: ``of`` = none, a sampler for new recipes in place of the surrogate; ``per`` = ``step`` or ``second``, what
improvement is weighed against; by seconds it favours recipes whose steps are cheap, and decisions then depend on
measured times, so a seed no longer fixes the study.
Cost: about 1 ms a decision at any number of trials, for the surrogate sees at most 200 points; 0.05 s where it is
fitted anew, each time the points have grown by a quarter; after a restart 0.2 ms a trial to read the study.
Reference: Swersky et al., Freeze-thaw Bayesian optimization, 2014; random horizons after Rakotoarison et al., In-
context freeze-thaw Bayesian optimization, ICML 2024; docs/search.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo.search.curves.thaw import Settings
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

REQUIRES = ("one goal",)


def make(study: Any, *, of: BaseSampler | None = None, per: str = "step") -> FreezeThaw:
    """Make the policy.

    Raises:
        UserError: an option is out of range.
    """
    if per not in ("step", "second"):
        raise UserError(f"per is step or second, got {per!r}")
    named = study.sampler is not None and "of" in study.sampler.options
    return FreezeThaw(Settings(), own_recipes=not named and of is None, per_second=per == "second")
