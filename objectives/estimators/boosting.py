"""Gradient boosting of LightGBM, XGBoost and CatBoost: what they call their rounds, and how they go on from some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.objectives.estimators.source import BOOSTERS


@dataclass(frozen=True)
class Booster:
    """What a package calls things.

    Attributes:
        rounds: the parameter with their number.
        usual: their number where it is left open.
        argument: of ``fit``, which takes the rounds so far.
        so_far: gives these of a fitted estimator.
        silent: parameters under which it prints and writes nothing, on one thread.
    """

    rounds: str
    usual: int
    argument: str
    so_far: Callable[[Any], Any]
    silent: Mapping[str, Any] = field(default_factory=dict)


_KNOWN = {
    "lightgbm": Booster("n_estimators", 100, "init_model", lambda fitted: fitted.booster_, {"verbose": -1}),
    "xgboost": Booster("n_estimators", 100, "xgb_model", lambda fitted: fitted.get_booster(), {"verbosity": 0}),
    "catboost": Booster(
        "iterations", 1000, "init_model", lambda fitted: fitted,
        {"logging_level": "Silent", "allow_writing_files": False, "thread_count": 1},
    ),
}  # fmt: skip


def of(estimator: Any) -> Booster:
    """What the package of an estimator calls things."""
    return _KNOWN[BOOSTERS[type(estimator).__name__]]


def rounds(estimator: Any) -> tuple[str, int]:
    """The parameter that says how many rounds an estimator is to be trained for, and their number."""
    known, parameters = of(estimator), estimator.get_params()
    named = [name for name in dict.fromkeys([known.rounds, "n_estimators"]) if parameters.get(name) is not None]
    return (named[0], int(parameters[named[0]])) if named else (known.rounds, known.usual)


def quieten(estimator: Any) -> None:
    """Let a booster print and write nothing; others are left as they are."""
    if type(estimator).__name__ in BOOSTERS:
        estimator.set_params(**of(estimator).silent)
