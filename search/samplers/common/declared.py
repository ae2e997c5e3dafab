"""Samplers that take the space as declared instead of guessing it from the trials so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.samplers.common.indexed import Indexed
from hpo.search.store.distributions import single, to_distribution
from hpo.search.terms.domain import Scalar
from hpo.search.terms.space import Space


def distributions(space: Space, *, conditional: bool) -> dict[str, BaseDistribution]:
    """Distributions of the knobs with more than one value, by name in alphabetical order as Optuna has them.

    Args:
        space: what is searched.
        conditional: whether to include knobs that are not always active.
    """
    return {
        parameter.name: to_distribution(parameter.domain)
        for parameter in sorted(space, key=lambda parameter: parameter.name)
        if not single(parameter.domain) and (conditional or not parameter.when)
    }


class Declared(BaseSampler):
    """One of Optuna's samplers, told which knobs to draw jointly.

    Optuna's own guess is the intersection of all trials' knobs: it takes a pass over them for every draw, knows
    nothing before the first trial has ended and forgets a knob for ever when its range changes.
    """

    def __init__(self, inner: BaseSampler, jointly: Mapping[str, BaseDistribution]) -> None:
        self._inner = inner
        self._jointly = dict(jointly)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the knobs to draw jointly."""
        return self._jointly

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the given knobs jointly."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one knob by itself."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Pass on."""
        self._inner.after_trial(study, trial, state, values)


class Points(BaseSampler):
    """A sampler that names whole points, or parts of one whose rest is drawn at random.

    Args:
        space: what is searched.
        choose: names the point, given the study.
        seed: seed of what ``choose`` leaves open.
        untried: whether ``choose`` itself sees to it that no point is tried again.
    """

    def __init__(
        self, space: Space, choose: Callable[[Study], Mapping[str, Scalar]], *, seed: int, untried: bool = False
    ) -> None:
        self._space = space
        self._choose = choose
        self._random = Indexed(RandomSampler(seed=seed), space)
        self._point: dict[str, Scalar] | None = None
        self.untried = untried

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all knobs."""
        return distributions(self._space, conditional=True)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the point, chosen at the first call."""
        if self._point is None:
            self._point = dict(self._choose(study))
        return self._point

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw at random a knob that the point leaves open."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)
