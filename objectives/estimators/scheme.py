"""How trials of estimators are measured: points of one hold-out, or folds; one of the two for a whole study.

A mean over folds and the best point on a hold-out are unlike values: the smaller hold-out flatters, and the best of
many points flatters more. Where some trials of a study need folds, all get them. Pure: scikit-learn is read, not
imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from hpo.objectives.estimators.base import LISTS, composite, lacking, misplaced
from hpo.objectives.estimators.source import BOOSTERS, constructor, defines, required
from hpo.search.terms.domain import Choice, Scalar
from hpo.search.terms.knobs import Settled
from hpo.search.terms.space import Parameter, Space

DECIDING = ("early_stopping", "n_iter_no_change", "solver")
"""Constructor parameters on whose values it depends whether an estimator learns step by step."""

ROUNDS = "rounds"
"""Of gradient boosting that goes on from its last round."""

UNKNOWN = "unknown"
"""Of an estimator whose source does not tell."""


def curve_kind(name: str, parameters: Mapping[str, Any], *, partial: bool) -> str | None:
    """How an estimator learns step by step: ``passes``, ``rounds``, the name of the parameter that grows, or None.

    An estimator that stops early by itself is left to do so in one go.

    Args:
        name: of its class.
        parameters: of its constructor, all of them.
        partial: whether it has ``partial_fit``.
    """
    if name.rpartition(".")[2] in BOOSTERS:
        return ROUNDS
    if parameters.get("early_stopping") is True:
        return None
    if partial and "max_iter" in parameters and parameters.get("solver") != "lbfgs":
        return "passes"
    if "warm_start" in parameters and "n_estimators" in parameters and parameters.get("n_iter_no_change") is None:
        return "n_estimators"
    if "warm_start" in parameters and name.startswith("HistGradientBoosting"):
        return "max_iter"
    return None


def settle(fixed: Mapping[str, Any], space: Space) -> Settled:
    """The knob ``curve`` where trials would be measured in two ways without it, or what cannot be trained at all.

    Args:
        fixed: knobs with one value.
        space: what is searched.
    """
    for name, base in _pairs(fixed, space):
        at = "base_estimator" if base is not None else "estimator"
        problem = misplaced(name, constructor(name) or (), base) if constructor(name) is not None else ""
        needed = [each for each in required(name) if each not in LISTS or each not in {*fixed, *space.names()}]
        problem = problem or lacking(name, needed, base)
        if problem:
            told, _, hint = problem.partition(": ")
            return Settled(at=at, problem=told, hint=hint)
    for knob, ways in (("curve", "curve: folds"), ("folds", "folds: 5")):
        if knob in space.names() and space[knob].domain.count() != 1:
            problem = f"{knob} says how trials are measured, and only like can be compared with like"
            return Settled(at=knob, problem=problem, hint=f"fix it, fixed: {{{ways}}}, or make it a study per value")
    curve = next(iter(_values(space["curve"]))) if "curve" in space.names() else fixed.get("curve", "auto")
    if curve == "folds":
        return Settled()
    kinds = dict(_kinds(fixed, space))
    whole = [label for label, kind in kinds.items() if kind is None]
    if curve == "epochs":
        if not whole:
            return Settled()
        problem = f"{whole[0]} learns in one go, which curve: epochs cannot measure"
        return Settled(at="curve", problem=problem, hint="write curve: folds, or leave it out of the search")
    unsure = [label for label, kind in kinds.items() if kind == UNKNOWN]
    if len(kinds) == 1 or len(whole) == len(kinds) or not (whole or unsure):
        return Settled()
    why = f"{whole[0]} learns in one go" if whole else f"how {unsure[0]} learns is not known before it is imported"
    others = "; leave it out, or say curve: epochs, for points after each step" if whole else ""
    return Settled({"curve": "folds"}, f"all trials are measured by cross-validation, as {why}{others}")


def doubtful(fixed: Mapping[str, Any], space: Space) -> bool:
    """Whether only building an estimator of the study tells if it can be trained."""
    return any(composite(name) for name, _ in _pairs(fixed, space))


def _kinds(fixed: Mapping[str, Any], space: Space) -> Iterator[tuple[str, str | None]]:
    """Label and kind of every estimator in each form that it may take; a few forms too many where conditions nest."""
    named = _values(space["estimator"]) if "estimator" in space.names() else (fixed.get("estimator"),)
    for name in named:
        defaults = constructor(str(name))
        partial = defines(str(name), "partial_fit")
        searched = [knob for knob in DECIDING if knob in space.names() and (defaults is None or knob in defaults)]
        usual = {**(defaults or {}), **{knob: value for knob, value in fixed.items() if knob in (defaults or {})}}
        forms = [_reached(space[knob], usual.get(knob), name) for knob in searched]
        for form in product(*forms):
            told = dict(zip(searched, form, strict=True))
            label = str(name) + "".join(f" with {knob}: {_shown(told[knob])}" for knob in searched)
            unknown = (defaults is None or partial is None) and str(name).rpartition(".")[2] not in BOOSTERS
            yield label, UNKNOWN if unknown else curve_kind(str(name), {**usual, **told}, partial=bool(partial))


def _pairs(fixed: Mapping[str, Any], space: Space) -> Iterator[tuple[str, str | None]]:
    """Every estimator with every base estimator that it is given, None for none."""
    searched = space.names()
    for name in _values(space["estimator"]) if "estimator" in searched else (fixed.get("estimator"),):
        usual = fixed.get("base_estimator")
        bases = _reached(space["base_estimator"], usual, name) if "base_estimator" in searched else [usual]
        yield from ((str(name), None if base is None else str(base)) for base in bases if name is not None)


def _reached(parameter: Parameter, usual: Any, estimator: Scalar) -> list[Any]:
    """Values that a parameter takes for an estimator, the one it has where it does not vary included."""
    conditions = dict(parameter.when)
    if "estimator" in conditions and not Choice(conditions["estimator"]).contains(estimator):
        return [usual]
    return [*_values(parameter), *([usual] if set(conditions) - {"estimator"} else [])]


def _values(parameter: Parameter) -> tuple[Scalar, ...]:
    """The values of a choice; of a range one stands for all."""
    domain = parameter.domain
    return domain.values if isinstance(domain, Choice) else (domain.low,)


def _shown(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}.get(value, str(value)) if not isinstance(value, str) else value
