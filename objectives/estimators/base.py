"""Estimators that are made of others: which parameters take these, and how a study file names them.

The knob ``estimator`` names what is trained, so the estimator inside of it is named by ``base_estimator`` and takes its
parameters as ``estimator__max_depth``, scikit-learn's own spelling. Several stand under their own names, ``estimators:
{linear: LogisticRegression, forest: RandomForestClassifier}`` or ``steps: {scale: StandardScaler, model: SVC}``, and
take theirs as ``forest__max_depth``. Pure: scikit-learn is read, not imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hpo.objectives.estimators.source import constructor, required

PLACES = ("estimator", "base_estimator", "regressor")
"""Constructor parameters that take an estimator."""

LISTS = ("estimators", "regressors", "classifiers", "transformer_list", "steps")
"""Constructor parameters that take several, by name."""

FINAL = "final_estimator"
"""Constructor parameter that takes the estimator which combines the others."""

KEPT = ("passthrough", "drop")
"""What may stand in the place of an estimator or a step."""

PREFIX = "estimator__"
"""Of the knobs that are parameters of the base estimator."""


def place_of(parameters: Collection[str]) -> str | None:
    """The parameter, out of a constructor's, that takes a base estimator; None when there is none."""
    return next((place for place in PLACES if place in parameters), None)


def apart(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """An estimator's own parameters, and those of each estimator inside of it by its name.

    >>> apart({"voting": "soft", "forest__max_depth": 3})
    ({'voting': 'soft'}, {'forest': {'max_depth': 3}})
    """
    own: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        whose, _, parameter = name.partition("__")
        if whose and parameter:
            inner.setdefault(whose, {})[parameter] = value
        else:
            own[name] = value
    return own, inner


def members(given: Any) -> dict[str, str]:
    """Names of several estimators by the names that they have in the whole; none where that is something else.

    >>> members({"a": "SVC"}), members(["PCA", "SVC"])
    ({'a': 'SVC'}, {'pca': 'PCA', 'svc': 'SVC'})
    """
    if isinstance(given, Mapping):
        return {str(label): str(name) for label, name in given.items()}
    if isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given):
        return {name.rpartition(".")[2].lower(): name for name in given}
    return {}


def insides(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The estimators that parameters name, by the prefix of their own parameters; see the module."""
    found = {label: name for place in LISTS for label, name in members(parameters.get(place)).items()}
    if isinstance(parameters.get(FINAL), str):
        found[FINAL] = parameters[FINAL]
    if isinstance(parameters.get("base_estimator"), str):
        found[PREFIX.removesuffix("__")] = parameters["base_estimator"]
    return found


def composite(estimator: str) -> bool:
    """Whether an estimator may be made of others, or is not known well enough to say: building it tells."""
    known = constructor(estimator)
    return known is None or bool(required(estimator)) or bool({*PLACES, *LISTS} & set(known))


def lacking(estimator: str, needed: Collection[str], base: str | None) -> str:
    """What is wrong with an estimator that has these parameters without a default, or nothing."""
    lists = [name for name in needed if name in LISTS]
    if lists:
        return (
            f"{estimator} is made of several others: name them, "
            f"fixed: {{{lists[0]}: {{first: StandardScaler, second: LogisticRegression}}}}"
            if lists[0] == "steps"
            else f"{estimator} is made of several others: name them, "
            f"fixed: {{{lists[0]}: {{linear: LogisticRegression, forest: RandomForestClassifier}}}}"
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
