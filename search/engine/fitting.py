"""Which values of searched knobs fit the network: how many blocks can be frozen, what a head's rate acts on.

Only a network that is built for the data tells, so they are tried, and a study that would draw values which can only
fail is refused with those that fit. Whatever fits with some values of the other knobs fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from hpo.search.terms.domain import Choice, Domain, Int, Scalar
from hpo.search.terms.errors import spelt
from hpo.search.terms.study import Study

BOUND = ("freeze", "head_rate", "lora_rank")
"""Knobs of which the network tells how far they may go."""

_TRIED = 64
"""Values of a range that are tried, from its lower end on, and recipes with each before it counts as one that fails."""

Tried: TypeAlias = "list[tuple[Scalar, list[dict[str, Any]]]]"
"""Values, and recipes with each."""


def bound(study: Study) -> bool:
    """Whether a study says something of such knobs."""
    return any(name in study.fixed or name in study.space.names() for name in BOUND)


def searched(study: Study) -> bool:
    """Whether it searches one."""
    return any(name in study.space.names() for name in BOUND)


def ranges(study: Study) -> dict[str, Tried]:
    """What is to be tried of each such knob that is searched."""
    return {name: list(_tried(study, name)) for name in BOUND if name in study.space.names()}


def unfit(found: Mapping[str, Tried], problem: Callable[[Sequence[Mapping[str, Any]]], str]) -> dict[str, list[Any]]:
    """What does not fit.

    Args:
        found: as ``ranges`` gives it.
        problem: why none of some recipes can be built; empty where one can.

    Returns:
        For each knob of which some values fit and some do not: those that do, those that do not, and why.
    """
    told = {}
    for name, tried in found.items():
        wrong = {index: why for index, (_, recipes) in enumerate(tried) if (why := problem(recipes))}
        if wrong and len(wrong) < len(tried):
            fits = [value for index, (value, _) in enumerate(tried) if index not in wrong]
            told[name] = [fits, [tried[index][0] for index in wrong], next(iter(wrong.values()))]
    return told


def message(study: Study, told: Mapping[str, Sequence[Any]]) -> str:
    """All of it, in one message with what to write; empty where everything fits."""
    lines = []
    for name, (fits, wrong, why) in told.items():
        domain = study.space[name].domain
        lines.append(
            f"{name}: {_listed(wrong)} {'does' if len(wrong) == 1 else 'do'} not fit ({why}); write {name}: "
            f"{_written(domain, fits)}"
        )
    return "\n".join(lines)


def _tried(study: Study, name: str) -> Iterator[tuple[Scalar, list[dict[str, Any]]]]:
    points = list(study.space.spread(_TRIED, study.fixed))
    for value in _values(study.space[name].domain):
        recipes = [study.recipe({**point, name: value}, at) for at, point in enumerate(points) if name in point]
        if recipes:
            yield value, recipes


def _values(domain: Domain) -> Sequence[Scalar]:
    if isinstance(domain, Choice):
        return domain.values
    count = domain.count()
    if count is None:
        return [domain.low, domain.high]
    return [domain.at(index) for index in sorted({*range(min(count, _TRIED)), count - 1})]


def _listed(values: Sequence[Scalar]) -> str:
    """Values in words, whole numbers that follow one another as a range.

    >>> _listed([3, 4, 5]), _listed([3]), _listed([1, 4, 16])
    ('3 to 5', '3', '1, 4, 16')
    """
    whole = [value for value in values if isinstance(value, int)]
    if len(values) > 2 and len(whole) == len(values) and whole == list(range(whole[0], whole[0] + len(whole))):
        return f"{whole[0]} to {whole[-1]}"
    return ", ".join(map(spelt, values))


def _written(domain: Domain, fits: Sequence[Scalar]) -> str:
    """As a study file has what fits."""
    if isinstance(domain, Int) and len(fits) > 1:
        return f"{{int: [{fits[0]}, {fits[-1]}]}}"
    return f"{{choice: [{', '.join(map(spelt, fits))}]}}" if len(fits) > 1 else f"{spelt(fits[0])} under fixed"
