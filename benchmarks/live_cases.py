"""What live.py searches: shipped studies and three harder ones, each with the plain loop that trains the same by hand.

Of the shipped studies those are here that have such a loop. ``accumulation``, ``lr-batch``, ``optimizers``,
``regularization`` and ``schedules`` train networks on digits, ``boosting`` trees on diabetes. The harder ones read
files of a folder that live.py is given: ``fashion8``, 12,000 images of eight kinds of clothes, a network of one layer;
``bank-marketing``, 45,211 rows of which one in nine is positive, without the column that tells the outcome;
``small-gpt``, characters of Shakespeare. All goals are losses, to be minimized by a trial's best point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import plain_boosting
import plain_gpt
import plain_mlp

from hpo.search import studyfile
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.study import Study

SHIPPED = ("lr-batch", "regularization", "schedules", "optimizers", "accumulation", "boosting")
HARDER = ("fashion8", "bank-marketing", "small-gpt")
NAMES = (*SHIPPED, *HARDER)

COMPLETE = 16
"""A budget of epochs is that of so many complete trials."""


@dataclass(frozen=True)
class Case:
    """What is searched.

    Attributes:
        name: of the study.
        content: the study file without budget, sampler and pruner.
        steps: points of a complete trial.
        budgets: default amount of each kind of budget: ``epochs``, points of curves; ``cpu``, processor seconds;
            ``trials``, as shipped.
        parts: gives the data to train on by hand for a study's seed.
        train: trains a recipe by hand: (parts, seed and all knobs by name) to the loss after each step.
    """

    name: str
    content: Mapping[str, Any]
    steps: int
    budgets: Mapping[str, float]
    parts: Callable[[int], Any]
    train: Callable[..., Iterator[float]]

    @cached_property
    def study(self) -> Study:
        """The study as read."""
        return studyfile.read(self.content)

    @property
    def metric(self) -> str:
        """What the goal is called, without ``val_``: its name on the test part."""
        return self.study.goal.metric.removeprefix("val_")


def case(name: str, folder: Path | None) -> Case:
    """A study by its name.

    Args:
        name: one of ``NAMES``.
        folder: holds the data of the harder ones, as ``fashion8/fashion8.npz``; None where there is none.

    Raises:
        SystemExit: the study needs the folder.
    """
    if name in SHIPPED:
        content = parse(registry.path("study", name).read_text(encoding="utf-8")).plain()
        seconds = 5.0
    elif folder is None:
        raise SystemExit(f"{name} reads data from a folder: give it with --data")
    else:
        content = _HARDER[name](folder)
        seconds = 20.0
    budget = content.pop("budget")
    for key in ("sampler", "pruner", "confirm", "workers"):
        content.pop(key, None)
    fixed, data = content["fixed"], content["data"]
    if content["objective"] == "sklearn":
        parts, train = partial(plain_boosting.arrays, data), plain_boosting.train
    elif content["objective"] == "gpt":
        parts, train = partial(plain_gpt.parts, data["text"]["path"]), plain_gpt.train
    else:
        parts, train = partial(plain_mlp.tensors, data), plain_mlp.train
    steps = fixed["max_steps"] // fixed["eval_every"] if content["objective"] == "gpt" else fixed["epochs"]
    budgets = {"epochs": COMPLETE * steps, "cpu": seconds, "trials": budget["trials"]}
    return Case(name, {**content, "name": name}, steps, budgets, parts, train)


def _fashion8(folder: Path) -> dict[str, Any]:
    return {
        "objective": "mlp",
        "data": {"npz": {"path": str(folder / "fashion8" / "fashion8.npz")}},
        "goal": "minimize val_loss",
        "search": {
            "learning_rate": {"float": [1e-4, 1e-1], "log": True},
            "batch_size": {"choice": [64, 128, 256]},
            "dropout": {"float": [0.0, 0.5]},
            "weight_decay": {"float": [1e-3, 1.0], "log": True},
        },
        "fixed": {"epochs": 10, "width": 64, "depth": 1, "optimizer": "adamw", "schedule": "cosine", "warmup": 0.05},
        "budget": {"trials": 32},
    }


def _bank_marketing(folder: Path) -> dict[str, Any]:
    table = {"path": str(folder / "bank_marketing" / "bank_full.parquet"), "target": "y", "drop": ["duration"]}
    return {
        "objective": "mlp",
        "data": {"table": table},
        "goal": "minimize val_loss",
        "search": {
            "learning_rate": {"float": [3e-4, 3e-2], "log": True},
            "dropout": {"float": [0.0, 0.5]},
            "weight_decay": {"float": [1e-3, 1.0], "log": True},
            "schedule": {"choice": ["constant", "linear", "cosine"]},
        },
        "fixed": {"epochs": 10, "width": 32, "depth": 2, "batch_size": 256},
        "budget": {"trials": 32},
    }


def _small_gpt(folder: Path) -> dict[str, Any]:
    return {
        "objective": "gpt",
        "data": {"text": {"path": str(folder / "tinyshakespeare" / "input.txt")}},
        "goal": "minimize val_loss",
        "search": {
            "learning_rate": {"float": [3e-4, 3e-2], "log": True},
            "warmup": {"float": [0.0, 0.3]},
            "schedule": {"choice": ["constant", "linear", "cosine"]},
            "weight_decay": {"float": [0.01, 1.0], "log": True},
        },
        "fixed": {
            "tokenizer": "char", "context": 32, "width": 32, "depth": 2, "heads": 2, "batch_size": 16, "max_steps": 200,
            "eval_every": 20, "floor": 0.0, "score_bytes": 8192,
        },
        "budget": {"trials": 32},
    }  # fmt: skip


_HARDER: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "fashion8": _fashion8,
    "bank-marketing": _bank_marketing,
    "small-gpt": _small_gpt,
}
