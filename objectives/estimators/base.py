"""Estimators that wrap another one: which parameter takes it, and what a study file can and cannot give them.

The knob ``estimator`` names what is trained, so the estimator inside of it is named by ``base_estimator`` and takes its
parameters as ``estimator__max_depth``, scikit-learn's own spelling. Pure: scikit-learn is read, not imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hpo.objectives.estimators.source import constructor, required

PLACES = ("estimator", "base_estimator", "regressor")
"""Constructor parameters that take an estimator."""

LISTS = ("estimators", "regressors", "classifiers", "transformer_list", "steps")
"""Constructor parameters that take several, by name."""

PREFIX = "estimator__"
"""Of the knobs that are parameters of the base estimator."""


def place_of(parameters: Collection[str]) -> str | None:
    """The parameter, out of a constructor's, that takes a base estimator; None when there is none."""
    return next((place for place in PLACES if place in parameters), None)


def nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the base estimator, without their prefix."""
    return {name.removeprefix(PREFIX): value for name, value in parameters.items() if name.startswith(PREFIX)}


def composite(estimator: str) -> bool:
    """Whether an estimator may be made of others, or is not known well enough to say: building it tells."""
    known = constructor(estimator)
    return known is None or bool(required(estimator)) or bool({*PLACES, *LISTS} & set(known))


def lacking(estimator: str, needed: Collection[str], base: str | None) -> str:
    """What is wrong with an estimator that has these parameters without a default, or nothing."""
    lists = [name for name in needed if name in LISTS]
    if lists:
        return (
            f"{estimator} needs the parameter {lists[0]!r}, several estimators, which a study file cannot give: "
            "write an objective of your own that yields its scores"
        )
    place = place_of(needed)
    if place is not None and base is None:
        return f"{estimator} needs a base estimator: name it, fixed: {{base_estimator: DecisionTreeClassifier}}"
    return ""


def misplaced(estimator: str, known: Collection[str], base: str | None) -> str:
    """What is wrong with naming a base estimator for an estimator with these parameters, or nothing."""
    if base is None or place_of(known) is not None:
        return ""
    return f"{estimator} is made of no other estimator: leave base_estimator out"
