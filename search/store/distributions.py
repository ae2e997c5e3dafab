"""The space in Optuna's terms: domains as distributions and back, values as Optuna stores them."""

from __future__ import annotations

import json
from functools import lru_cache

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)

from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.steps import Steps


def to_distribution(domain: Domain) -> BaseDistribution:
    """Say the domain as an Optuna distribution; the same object for the same domain.

    The upper end of a range in steps becomes its last value, which Optuna would otherwise warn about. A step that leads
    past the values in Optuna's own arithmetic (a third, from 0 to 1) is left out: to Optuna that range is continuous,
    and the values in it are the same doubles.

    >>> to_distribution(Int(1, 10, step=4))
    IntDistribution(high=9, log=False, low=1, step=4)
    """
    return _distribution(domain, tuple(map(type, domain.values)) if isinstance(domain, Choice) else ())


@lru_cache(1024)
def _distribution(domain: Domain, kinds: tuple[type, ...]) -> BaseDistribution:
    """``kinds`` tells 1 from True and 1.0, which are equal."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.values)
    if isinstance(domain, Int):
        return IntDistribution(domain.low, int(last(domain)), log=domain.log, step=domain.step)
    step = domain.step if domain.steps is not None and domain.steps.decimal else None
    return FloatDistribution(domain.low, last(domain), log=domain.log, step=step)


def from_json(text: str) -> BaseDistribution:
    """Read a distribution as Optuna's storages keep it.

    A step that Optuna would correct the range for, with a warning at each reading, is left out as in
    ``to_distribution``; studies written before that rule have such steps.
    """
    known = json.loads(text)
    settings = known.get("attributes", {})
    if known.get("name") == "FloatDistribution" and settings.get("step") is not None:
        steps = Steps(settings["low"], settings["high"], settings["step"])
        if not (steps.decimal and steps.at(len(steps) - 1) == steps.high):
            text = json.dumps({**known, "attributes": {**settings, "step": None}})
    return json_to_distribution(text)


def to_internal(domain: Domain, value: Scalar) -> float:
    """Say a value as the number that Optuna's storages keep: a choice by its place in the list.

    >>> to_internal(Choice((1, True)), True)
    1.0
    """
    if isinstance(domain, Choice):
        return float(domain.index(value))
    assert isinstance(value, (int, float))
    return float(value)


def single(domain: Domain) -> bool:
    """Whether only one value can be drawn."""
    return domain.count() == 1


def last(domain: Float | Int) -> float | int:
    """Largest value that can be drawn: the end of the range, or the last step before it.

    >>> last(Float(0.0, 1.0, step=0.3))
    0.9
    """
    count = domain.count()
    return domain.high if count is None else domain.at(count - 1)


def snap(domain: Domain, value: Scalar) -> Scalar:
    """Nearest value of the domain, as plain Python data; mends what samplers leave behind in rounding.

    >>> snap(Float(0.0, 1.0, step=0.1), 0.30000000000000004)
    0.3
    """
    return domain.nearest(value)
