"""Build the named estimator, or say why it cannot be built, before anything is trained."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.dataset import Task
from hpo.objectives.estimators.base import FINAL, KEPT, LISTS, PREFIX, apart, lacking, members, misplaced, place_of
from hpo.objectives.estimators.boosting import quieten
from hpo.objectives.estimators.source import estimators, module_of
from hpo.search.terms.errors import UserError, did_you_mean

if TYPE_CHECKING:
    pass

MANAGED = {
    "random_state": "it follows from seed",
    "warm_start": "the learning curve uses it",
    "n_jobs": "a trial trains on one thread; use workers to train several trials at once",
    "verbose": "trials print nothing",
}
"""Constructor parameters that the objective sets, and why."""


def build(name: str, parameters: Mapping[str, Any], task: Task, seed: int, data: str, base: str | None = None) -> Any:
    """Unfitted estimator with these parameters.

    Args:
        name: class name in scikit-learn, or a dotted path.
        parameters: of its constructor, and of the base estimator's with ``estimator__`` before them.
        task: of the data set.
        seed: becomes ``random_state`` where there is one.
        data: name of the data set, for messages.
        base: name of the estimator that it wraps.

    Raises:
        UserError: as ``assemble``, or an estimator for another task.
    """
    from sklearn.base import is_classifier, is_regressor

    built = assemble(name, parameters, base)
    fits = {"classification": is_classifier, "regression": is_regressor}
    if not fits[task](built):
        other = next((kind for kind, test in fits.items() if test(built)), None)
        raise UserError(
            f"{name} is for {other}, but {data} is a {task} task"
            if other
            else f"{name} is neither a classifier nor a regressor"
        )
    _follow(built, seed)
    return built


def _follow(estimator: Any, seed: int) -> None:
    """Make an estimator's chance, and that of those inside of it, follow the seed, and keep them on one thread."""
    own = estimator.get_params(deep=False)
    known = {*inspect.signature(type(estimator)).parameters, *own}
    for value in own.values():
        for each in value if isinstance(value, list) else [value]:
            inside = each[1] if isinstance(each, tuple) and len(each) == 2 else each
            if hasattr(inside, "get_params") and not inspect.isclass(inside):
                _follow(inside, seed)
    if "random_state" in known:
        estimator.set_params(random_state=seed)
    quieten(estimator)
    if "n_jobs" in known and not type(estimator).__module__.startswith("sklearn."):
        # scikit-learn's None means one; others take it for every core
        estimator.set_params(n_jobs=1)


def assemble(name: str, parameters: Mapping[str, Any], base: str | None = None) -> Any:
    """Unfitted estimator with these parameters, whatever task it is for; see ``build``.

    Raises:
        UserError: unknown estimator or parameter, a missing or managed one, or a base estimator out of place.
    """
    parameters, inner = apart(parameters)
    base = parameters.pop("base_estimator", base)  # of one that is inside of another itself
    for several in LISTS:
        if named := members(parameters.get(several)):
            parameters[several] = [(label, _inside(each, inner.pop(label, {}))) for label, each in named.items()]
    if isinstance(parameters.get(FINAL), str):
        parameters[FINAL] = _inside(parameters[FINAL], inner.pop(FINAL, {}))
    of_base = inner.pop(PREFIX.removesuffix("__"), {})
    if of_base and base is None:
        raise UserError(f"{PREFIX}{next(iter(of_base))} is a base estimator's: name it with base_estimator")
    if inner:
        raise UserError(f"{name} has nothing inside called {next(iter(inner))!r} that could take its parameters")
    made = _find(name)
    known = {
        parameter.name: parameter
        for parameter in inspect.signature(made).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    anything = any(p.kind == p.VAR_KEYWORD for p in inspect.signature(made).parameters.values())
    for parameter in parameters:
        if parameter in MANAGED:
            raise UserError(f"{name}: {parameter} cannot be set: {MANAGED[parameter]}")
        if parameter not in known and not anything:
            raise UserError(
                f"{name} has no parameter {parameter!r}: {did_you_mean(parameter, set(known) - set(MANAGED))}"
            )
    if base is not None:
        problem = misplaced(name, known, base)
        place = place_of(known)
        if problem or place is None:
            raise UserError(problem)
        parameters[place] = assemble(base, of_base)
    missing = [p.name for p in known.values() if p.default is p.empty and p.name not in parameters]
    if missing:
        problem = lacking(name, missing, base)
        if problem:
            raise UserError(problem)
        raise UserError(f"{name} needs the parameter {missing[0]!r}")
    return made(**parameters)


def _inside(name: str, parameters: Mapping[str, Any]) -> Any:
    return name if name in KEPT else assemble(name, parameters)


def takes(function: Any, argument: str) -> bool:
    """Whether a function names an argument."""
    return argument in inspect.signature(function).parameters


def _find(name: str) -> Any:
    module = module_of(name)
    if module is None:
        hint = did_you_mean(name, estimators()) or "a class of another package is named package.Class"
        raise UserError(f"scikit-learn has no estimator called {name!r}: {hint}")
    try:
        found = getattr(importlib.import_module(module), name.rpartition(".")[2], None)
    except ModuleNotFoundError as error:
        raise UserError(
            f"estimator {name}: {error.name} is not installed: pip install {(error.name or '').partition('.')[0]}"
        ) from None
    if not inspect.isclass(found) or not hasattr(found, "get_params"):
        raise UserError(f"{name} is no estimator: name a class with fit, predict and get_params")
    return found
