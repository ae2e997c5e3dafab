"""Searches that recorded_curves.py compares, each as a function from (table, seed, epochs) to the values it saw.

The suite's own run through ``hpo.run``; the peers through their own public interfaces.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from optuna_methods import with_optuna
from peer_methods import PEERS
from replay import Method, Replay
from tables import Table

import hpo


def suite(**settings: Any) -> Method:
    """A study of this suite; the settings are keys of its study file."""

    def run(table: Table, seed: int, epochs: int) -> list[float]:
        replay = Replay(table)
        hpo.run(**replay.study(), steps=epochs, seed=seed, **settings)
        return replay.seen[:epochs]

    return run


METHODS: Mapping[str, Method] = {
    "hpo freeze-thaw": suite(sampler="freeze-thaw"),
    "hpo freeze-thaw of tpe": suite(sampler={"freeze-thaw": {"of": "tpe"}}),
    "hpo hedge": suite(sampler="hedge"),
    "hpo tpe, none": suite(sampler="tpe", pruner="none"),
    "hpo tpe, halving": suite(sampler="tpe", pruner="successive-halving"),
    "hpo tpe, learning-curve": suite(sampler="tpe", pruner="learning-curve"),
    "hpo random, learning-curve": suite(sampler="random", pruner="learning-curve"),
    "hpo default": suite(),
    **{
        f"optuna {sampler}, {pruner}": with_optuna(sampler, pruner)
        for sampler in ("random", "tpe")
        for pruner in ("none", "median", "halving", "hyperband")
    },
    "optuna gp, none": with_optuna("gp", "none"),
    "optuna tuned": with_optuna("tuned tpe", "tuned halving"),
    "optuna tuned multivariate": with_optuna("multivariate tpe", "tuned halving"),
    **PEERS,
}

_MODULES = {"syne-tune": "syne_tune"}  # where the import's name is not the method's first word
_DISTRIBUTIONS = {"hpo": "hpo-suite", "neps": "neural-pipeline-search"}


def package(method: str) -> str:
    """What a method's name begins with: the package it is part of."""
    return method.split()[0]


def installed(method: str) -> bool:
    """Whether a method can run here."""
    return importlib.util.find_spec(_MODULES.get(package(method), package(method))) is not None


def prepare(method: str) -> None:
    """Import a method's package, so that its runs are timed without that."""
    importlib.import_module(_MODULES.get(package(method), package(method)))


def release(method: str) -> str:
    """Version of a method's package."""
    return version(_DISTRIBUTIONS.get(package(method), package(method)))
