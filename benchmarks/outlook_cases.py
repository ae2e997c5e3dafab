"""What outlook.py records: random recipes of a study, trained in cohorts, after each epoch the loss and the outlook.

Recipes of shipped studies, of the three harder ones of live_cases.py and of ``cnn``. What a case fixes is not searched;
the last four are there with a rate that falls along a cosine, and with one that stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import live_cases
import numpy as np

from hpo.objectives.trainer import lane as lanes
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search import studyfile
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.job import OUTLOOK, Judged
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.study import Study

CNN: Mapping[str, Any] = {
    "objective": "cnn",
    "data": "digits",
    "goal": "minimize val_loss",
    "search": {
        "learning_rate": {"float": [3e-4, 3e-2], "log": True},
        "batch_size": {"choice": [32, 64, 128]},
        "dropout": {"float": [0.0, 0.5]},
        "weight_decay": {"float": [1e-3, 1.0], "log": True},
    },
    "fixed": {"epochs": 12, "channels": 8, "depth": 2, "optimizer": "adamw", "warmup": 0.05},
}
"""Images of digits, a network of two blocks of two convolutions."""


@dataclass(frozen=True)
class Recorded:
    """A case.

    Attributes:
        study: shipped, of live_cases.py, or ``cnn``.
        over: knobs that are other ones in it, and not searched.
        recipes: drawn at random.
    """

    study: str
    over: Mapping[str, Any] = field(default_factory=dict)
    recipes: int = 150

    def read(self, folder: Path | None) -> Study:
        """The study with these knobs; ``folder`` holds the data of live_cases.py's."""
        if self.study == "cnn":
            content: Any = dict(CNN)
        elif self.study in live_cases.HARDER:
            content = dict(live_cases.case(self.study, folder).content)
        else:
            content = parse(registry.path("study", self.study).read_text(encoding="utf-8"), self.study).plain()
        search = {name: domain for name, domain in content["search"].items() if name not in self.over}
        return studyfile.read({**content, "search": search, "fixed": {**content["fixed"], **self.over}})


_FALLS, _STAYS = {"schedule": "cosine"}, {"schedule": "constant"}
_SHORTER = {"max_steps": 120, "eval_every": 12, "score_bytes": 4096}
CASES = {
    "lr-batch": Recorded("lr-batch"),
    "lr-batch, constant": Recorded("lr-batch", {"schedule": "constant", "warmup": 0.0}),
    "lr-batch, linear, sgd": Recorded("lr-batch", {"schedule": "linear", "optimizer": "sgd", "momentum": 0.9}),
    "regularization": Recorded("regularization"),
    "schedules": Recorded("schedules"),
    "optimizers": Recorded("optimizers"),
    "cnn, cosine": Recorded("cnn", _FALLS, 72),
    "cnn, constant": Recorded("cnn", _STAYS, 72),
    "fashion8, cosine": Recorded("fashion8", _FALLS, 40),
    "fashion8, constant": Recorded("fashion8", _STAYS, 40),
    "bank-marketing, cosine": Recorded("bank-marketing", _FALLS, 60),
    "bank-marketing, constant": Recorded("bank-marketing", _STAYS, 60),
    "small-gpt, cosine": Recorded("small-gpt", {**_FALLS, **_SHORTER}, 40),
    "small-gpt, constant": Recorded("small-gpt", {**_STAYS, **_SHORTER}, 40),
}


def steps(study: Study) -> int:
    """Points of a complete trial."""
    fixed: Mapping[str, Any] = study.fixed
    return int(fixed["max_steps"] // fixed["eval_every"] if "eval_every" in fixed else fixed["epochs"])


def record(study: Study, count: int, seeds: int) -> Iterator[dict[str, Any]]:
    """Curves of random recipes: ``loss`` and ``outlook``, [recipes, seeds, epochs]; NaN after its end, inf if lost.

    So far as there are any, again and again until all are there.
    """
    task = study.task
    problem = Problem(registry.load("objective", study.objective), task)
    rng = np.random.default_rng(derive_seed(7, "outlook"))
    size = len(study.space.parameters)
    points = [study.space.from_unit(rng.random(size).tolist(), study.fixed) for _ in range(count)]
    epochs = steps(study)
    loss, outlook = np.full((2, count, seeds, epochs), np.nan)
    judged = Judged("val_loss", range(1, epochs + 1))
    waiting = [(i, s) for i in range(count) for s in range(seeds)]
    began, cohorts = time.process_time(), dict[Any, Cohort]()
    while waiting:
        batch, waiting = waiting[:16], waiting[16:]
        busy = []
        for at, (i, s) in enumerate(batch):
            knobs = {**study.fixed, **points[i], "seed": s}
            busy.append((lanes.Lane(at, problem.setup(knobs), judged), i, s))
        while busy:
            groups: dict[Any, list[Any]] = {}
            for each in busy:
                groups.setdefault(each[0].key, []).append(each[0])
            cohorts = {key: cohorts.get(key) or Cohort() for key in groups}
            for key, group in groups.items():
                cohorts[key].advance(group)
            for each, i, s in busy:
                if each.failure:
                    loss[i, s, each.epoch - 1 :] = np.inf
                else:
                    loss[i, s, each.epoch - 1] = each.metrics["val_loss"]
                    outlook[i, s, each.epoch - 1] = each.metrics.get(OUTLOOK, np.nan)
            busy = [(each, i, s) for each, i, s in busy if not (each.failure or each.done)]
        whole = waiting[0][0] if waiting else count
        yield {
            "loss": loss[:whole].tolist(), "outlook": outlook[:whole].tolist(), "seconds": time.process_time() - began,
            "points": [dict(point) for point in points[:whole]],
        }  # fmt: skip
