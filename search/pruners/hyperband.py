"""Run successive halving in several brackets, from stopping at the first step to hardly stopping at all.

What it does: spreads the trials over brackets whose first rungs are ``min_resource`` times 1, ``reduction_factor``, its
square and so on up to ``max_resource``, most trials in the first; each bracket halves on its own. A trial's bracket
follows from the study's seed and the trial's number.
When to use it: where early values may mislead, as a hedge; it costs more steps than successive-halving where they do
not.
Options: ``min_resource`` = 1; ``max_resource`` = none, the steps of a complete trial (while these are unknown none is
stopped before the first trial is complete); ``reduction_factor`` = 3.
Cost: microseconds a point, whatever the number of trials.
Reference: Li et al., Hyperband, JMLR 2018, algorithm 1; brackets filled as by Optuna's HyperbandPruner.
"""

from __future__ import annotations

import bisect
import math
from itertools import accumulate
from typing import Annotated

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.halving import Halving
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_1, AT_LEAST_2
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.trial import Trial

REQUIRES = ("one goal",)


def make(
    context: PrunerContext,
    *,
    min_resource: Annotated[int, AT_LEAST_1] = 1,
    max_resource: Annotated[int | None, AT_LEAST_1] = None,
    reduction_factor: Annotated[int, AT_LEAST_2] = 3,
) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: an option is out of range.
    """
    longest = max_resource if max_resource is not None else context.horizon
    if min_resource < 1 or (longest is not None and longest < min_resource):
        raise UserError(f"min_resource is between 1 and max_resource ({longest}), got {min_resource}")
    if longest is None:
        return _Unknown(context.seed, min_resource, reduction_factor)
    return _halving(context.horizon, context.seed, min_resource, longest, reduction_factor)


def first_rungs(min_resource: int, max_resource: int, reduction_factor: int) -> tuple[int, ...]:
    """First rung of each bracket.

    >>> first_rungs(1, 243, 3)
    (1, 3, 9, 27, 81, 243)
    """
    rungs = [min_resource]
    while rungs[-1] * reduction_factor <= max_resource:
        rungs.append(rungs[-1] * reduction_factor)
    return tuple(rungs)


def shares(brackets: int, reduction_factor: int) -> tuple[int, ...]:
    """How many trials of each bracket there are in a round of all of them.

    >>> shares(3, 3)
    (9, 5, 3)
    """
    return tuple(math.ceil(brackets * reduction_factor**s / (s + 1)) for s in reversed(range(brackets)))


def _halving(horizon: int | None, seed: int, min_resource: int, max_resource: int, factor: int) -> Halving:
    rungs = first_rungs(min_resource, max_resource, factor)
    ends = list(accumulate(shares(len(rungs), factor)))

    def first(number: int) -> int:
        return rungs[bisect.bisect_right(ends, derive_seed(seed, "bracket", number) % ends[-1])]

    return Halving(horizon, factor, first, min_resource)


class _Unknown(Stopper):
    """Hyperband for trials of unknown length: as long as the longest complete one so far."""

    def __init__(self, seed: int, min_resource: int, factor: int) -> None:
        super().__init__(None)
        self._settings = seed, min_resource, factor
        self._lengths: Watched[list[int]] = Watched(list, _add_length)
        self._halving: tuple[int, Halving] | None = None

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop as the trial's bracket says, once there is a complete trial."""
        lengths = self._lengths.look(view)
        seed, min_resource, factor = self._settings
        longest = max(lengths, default=0)
        if longest < min_resource:
            return None
        if self._halving is None or self._halving[0] != longest:
            self._halving = longest, _halving(longest, seed, min_resource, longest, factor)
        return self._halving[1].stop(view, trial, curve)


def _add_length(lengths: list[int], trial: Trial, view: View) -> None:
    if trial.state == "complete" and trial.curve:
        lengths[:] = [max([trial.curve[-1][0], *lengths])]
