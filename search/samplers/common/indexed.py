"""Knobs in steps and long ranges in the terms that Optuna's samplers get right."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.space import Space


class Indexed(BaseSampler):
    """One of Optuna's samplers, to which a knob in steps is its index and a long range of values is continuous.

    Optuna finds steps by arithmetic on doubles, in which low + index * step may be no value of its own range, and the
    Gaussian process lists every value of a range in steps.

    Args:
        inner: draws.
        space: what is searched.
    """

    def __init__(self, inner: BaseSampler, space: Space) -> None:
        self._inner = inner
        self._terms = {p.name: terms for p in space if (terms := _terms(p.domain)) is not None}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Pass on."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the given knobs jointly."""
        terms = {name: self._terms[name] for name in search_space if name in self._terms}
        ranges = {name: terms[name].indices if name in terms else known for name, known in search_space.items()}
        drawn = self._inner.sample_relative(_Translated(study, terms) if terms else study, trial, ranges)
        return {name: terms[name].value(x) if name in terms else x for name, x in drawn.items()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one knob by itself."""
        if param_name not in self._terms:
            return self._inner.sample_independent(study, trial, param_name, param_distribution)
        terms = self._terms[param_name]
        return terms.value(self._inner.sample_independent(study, trial, param_name, terms.indices))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Pass on."""
        self._inner.after_trial(study, trial, state, values)


class _Terms:
    """A domain and the numbers that stand for its values: indices, or on a log scale the values themselves."""

    def __init__(self, domain: Float | Int, indices: FloatDistribution | IntDistribution) -> None:
        self._domain = domain
        self.indices = indices

    def number(self, value: Scalar) -> float:
        if self._domain.log:
            return float(value)  # type: ignore[arg-type] # of a range
        return self.indices.to_external_repr(float(self._domain.index(self._domain.nearest(value))))

    def value(self, number: float) -> Scalar:
        if self._domain.log:
            return self._domain.nearest(number)
        return self._domain.at(min(max(round(number), 0), (self._domain.count() or 1) - 1))


def _terms(domain: Domain) -> _Terms | None:
    """None where Optuna may have the values themselves."""
    count = domain.count()
    if isinstance(domain, Choice) or count is None:
        return None
    if domain.long:
        low, high = (domain.low, domain.high) if domain.log else (0, count - 1)
        return _Terms(domain, FloatDistribution(low - 0.5, high + 0.5, log=domain.log))
    return None if isinstance(domain, Int) and domain.step == 1 else _Terms(domain, IntDistribution(0, count - 1))


class _Translated(Study):
    """A study whose trials have some knobs as numbers of ``terms``."""

    def __init__(self, study: Study, terms: Mapping[str, _Terms]) -> None:
        super().__init__(study_name=study.study_name, storage=study._storage, sampler=study.sampler)
        self._terms = terms

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [self._translate(trial) for trial in super()._get_trials(deepcopy, states, use_cache)]

    def _translate(self, trial: FrozenTrial) -> FrozenTrial:
        known = {name: terms for name, terms in self._terms.items() if name in trial.params}
        if not known:
            return trial
        translated = copy.copy(trial)
        translated.params = {**trial.params, **{name: known[name].number(trial.params[name]) for name in known}}
        translated.distributions = {**trial.distributions, **{name: known[name].indices for name in known}}
        return translated
