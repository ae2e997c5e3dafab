"""A toy problem, and lanes that train on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from hpo.objectives.networks.layers import Activation, Flatten, Linear, Sequential
from hpo.objectives.networks.sequence import Embedding
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.search.terms.job import Task


def build(*, width: int = 8, kind: str = "classes") -> Sequential:
    if kind == "tokens":
        return Sequential((Embedding(width), Linear(width), Activation("tanh"), Linear()))
    return Sequential((Flatten(), Linear(width), Activation("tanh"), Linear()))


def data(*, kind: str = "classes") -> Splits:
    random = np.random.default_rng(1)
    x = random.normal(size=(60, 1, 4, 4)).astype("float32")
    y = (x[:, 0, 0, 0] > 0.5).astype(int) + (x[:, 0, 1, 1] > 0)
    if kind == "tokens":
        walk = random.integers(1, 3, (60, 9)).cumsum(axis=1) % 5
        walk[::3, 4:] = -1  # of which every third has fewer targets
        return Splits(
            (walk[:40, :-1].clip(0), walk[:40, 1:]),
            (walk[40:, :-1].clip(0), walk[40:, 1:]),
            None,
            "classification",
            5,
            5,
        )
    if kind == "values":
        return Splits((x[:40], 2 * x[:40, 0, 0, 0]), (x[40:], 2 * x[40:, 0, 0, 0]), None, "regression")
    return Splits((x[:40], y[:40]), (x[40:], y[40:]), None, "classification", 3)


PROBLEM = Problem(SimpleNamespace(__name__="toy", build=build, data=data), Task("toy"))

NEUTRAL: dict[str, Any] = {
    "epochs": 3, "batch_size": 10, "learning_rate": 0.05, "schedule": "constant", "optimizer": "sgd",
    "weight_decay": 0.0, "momentum": 0.0,
}  # fmt: skip


def lane(**knobs: Any) -> Lane:
    return Lane(0, PROBLEM.setup({**NEUTRAL, **knobs}))


def train(*lanes: Lane) -> list[list[dict[str, float]]]:
    curves: list[list[dict[str, float]]] = [[] for _ in lanes]
    cohort = Cohort()
    while running := [own for own in lanes if not own.done]:
        cohort.advance(running)
        for curve, own in zip(curves, lanes, strict=True):
            if own in running:
                curve.append(dict(own.metrics))
    return curves


def rows_by_step(own: Lane) -> list[torch.Tensor]:
    """Train the lane; its weights after each step."""
    rows: list[torch.Tensor] = []
    stepped = own.stepped

    def watch() -> None:
        rows.append(own.rows["weights"].clone())
        stepped()

    own.stepped = watch  # type: ignore[method-assign]
    train(own)
    return rows
