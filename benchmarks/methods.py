"""Searches that recorded_curves.py compares, each as a function from (table, seed, epochs) to the values it saw.

The suite's own run through ``hpo.run``; the peers through their own public interfaces. All of them see only recipes
they propose and the values of the nearest configuration that this run has not trained yet.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import optuna
from tables import Table

import hpo
from hpo.search.space import Choice, Float, Int, Scalar

Method: TypeAlias = "Callable[[Table, int, int], list[float]]"


class Replay:
    """Training on a table: remembers what was trained, and every value in the order it was seen."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.seen: list[float] = []
        self._taken: set[int] = set()

    def train(self, point: Mapping[str, Any]) -> Iterator[dict[str, float]]:
        """Yield the recorded losses of the nearest untrained configuration."""
        config = self.table.nearest(point, self._taken)
        self._taken.add(config)
        for value in self.table.curves[config].tolist():
            self.seen.append(value)
            yield {"loss": value}

    def study(self) -> dict[str, Any]:
        """The table as a study: what ``hpo.run`` takes besides budget, seed, sampler and pruner."""

        def train(*, epochs: int = self.table.horizon, seed: int = 0, **point: Any) -> Iterator[dict[str, float]]:
            yield from self.train(point)

        return {
            "study": train,
            "goal": "minimize loss",
            "search": {parameter.name: _written(parameter.domain) for parameter in self.table.space},
            "fixed": {"epochs": self.table.horizon},
            "confirm": "none",
            "storage": ":memory:",
        }


def suite(**settings: Any) -> Method:
    """A study of this suite; the settings are keys of its study file."""

    def run(table: Table, seed: int, epochs: int) -> list[float]:
        replay = Replay(table)
        hpo.run(**replay.study(), steps=epochs, seed=seed, **settings)
        return replay.seen[:epochs]

    return run


def with_optuna(sampler: str, pruner: str) -> Method:
    """Plain Optuna: ask, report, should_prune, tell."""

    def run(table: Table, seed: int, epochs: int) -> list[float]:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(
                sampler=_SAMPLERS[sampler](seed), pruner=_PRUNERS[pruner](table.horizon), study_name=f"seed {seed}"
            )
            replay = Replay(table)
            space = {p.name: _distribution(p.domain) for p in table.space}
            while len(replay.seen) < epochs:
                _train(study, study.ask(space), replay, epochs)
        return replay.seen

    return run


def _train(study: optuna.Study, trial: optuna.Trial, replay: Replay, epochs: int) -> None:
    value = math.nan
    for step, point in enumerate(replay.train(trial.params), 1):
        value = point["loss"]
        trial.report(value, step)
        if len(replay.seen) >= epochs:
            return
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    study.tell(trial, value)


_SAMPLERS: Mapping[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
}

_PRUNERS: Mapping[str, Callable[[int], optuna.pruners.BasePruner]] = {
    "none": lambda horizon: optuna.pruners.NopPruner(),
    "median": lambda horizon: optuna.pruners.MedianPruner(),
    "halving": lambda horizon: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "hyperband": lambda horizon: optuna.pruners.HyperbandPruner(1, horizon, 3),
}

METHODS: Mapping[str, Method] = {
    "hpo freeze-thaw": suite(sampler="freeze-thaw"),
    "hpo freeze-thaw of tpe": suite(sampler={"freeze-thaw": {"of": "tpe"}}),
    "hpo tpe, learning-curve": suite(sampler="tpe", pruner="learning-curve"),
    "hpo random, learning-curve": suite(sampler="random", pruner="learning-curve"),
    "hpo tpe, successive-halving": suite(sampler="tpe", pruner="successive-halving"),
    **{
        f"optuna {sampler}, {pruner}": with_optuna(sampler, pruner)
        for sampler in ("random", "tpe")
        for pruner in ("none", "median", "halving", "hyperband")
    },
    "optuna gp, none": with_optuna("gp", "none"),
}


def _written(domain: Float | Int | Choice) -> dict[str, Any]:
    """A range as a study file spells it."""
    if isinstance(domain, Choice):
        return {"choice": list(domain.values)}
    return {"int" if isinstance(domain, Int) else "float": [domain.low, domain.high], "log": domain.log}


def _distribution(domain: Float | Int | Choice) -> optuna.distributions.BaseDistribution:
    if isinstance(domain, Choice):
        values: list[Scalar] = list(domain.values)
        return optuna.distributions.CategoricalDistribution(values)
    kind = optuna.distributions.IntDistribution if isinstance(domain, Int) else optuna.distributions.FloatDistribution
    return kind(domain.low, domain.high, log=domain.log)  # type: ignore[arg-type]
