"""What a recipe is worth: the mean of fresh runs whose seeds no search used, the same seeds for all methods.

A run counts with its best point on the validation part, as a trial does, and with what the model of that point has on
the test part. Runs are trained by the suite: of networks sixteen at a time, as one batched model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from live_cases import Case

from hpo.objectives.trainer.alone import Fitted
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.running.training import Trainer, kept
from hpo.search.terms import registry
from hpo.search.terms.job import Job, Task
from hpo.search.terms.recipe import derive_seed

Point: TypeAlias = "dict[str, Any]"
Pair: TypeAlias = "tuple[float, float]"

RUNS = 8
"""Fresh runs of a recipe."""

_LANES = 16


class Worths:
    """Fresh runs of recipes of one study and seed, kept in a file.

    Attributes:
        runs: by recipe, for each seed the best value on the validation part and that model's on the test part.
    """

    def __init__(self, case: Case, seed: int, path: Path | None) -> None:
        """Read what the file has already; without a file nothing is kept."""
        self._case, self._path = case, path
        self._seeds = [derive_seed(seed, "worth", i) for i in range(RUNS)]
        self._task = Task(case.study.objective, data=case.study.data, split_seed=derive_seed(seed, "split"))
        self.runs = {} if path is None else read(path)

    def train(self, points: Sequence[Point]) -> None:
        """Train the recipes that were not trained before."""
        new = list({key: point for point in points if (key := key_of(point)) not in self.runs}.items())
        network = hasattr(registry.load("objective", self._case.study.objective), "build")
        at_once = _LANES // RUNS if network else 1
        for start in range(0, len(new), at_once):
            some = new[start : start + at_once]
            recipes = [{**self._case.study.fixed, **point, "seed": seed} for _, point in some for seed in self._seeds]
            found = self._together(recipes) if network else self._one_by_one(recipes)
            for at, (key, _) in enumerate(some):
                self.runs[key] = found[at * RUNS : (at + 1) * RUNS]
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(self.runs))
        partial.replace(self._path)

    def _one_by_one(self, recipes: Sequence[Point]) -> list[Pair]:
        """Runs of a recipe that trains by itself; where two seeds give the same, nothing depends on further ones."""
        found = [self._alone(recipe) for recipe in recipes[:2]]
        if found[0] == found[1]:
            return found[:1] * len(recipes)
        return found + [self._alone(recipe) for recipe in recipes[2:]]

    def _alone(self, recipe: Point) -> Pair:
        """One run of what trains by itself."""
        run = Trainer(self._task).start(Job(0, recipe))
        points = [(run.step, point) for point in run]
        model, metrics = kept(run.fitted, self._case.study.goals, points)
        return float(metrics[self._case.study.goal.metric]), float(model.test()[self._case.metric])

    def _together(self, recipes: Sequence[Point]) -> list[Pair]:
        """Runs of networks in one cohort; one that diverges counts with its best point before."""
        problem = Problem(registry.load("objective", self._case.study.objective), self._task)
        runs = [Lane(at, problem.setup(recipe)) for at, recipe in enumerate(recipes)]
        best: dict[int, tuple[float, Fitted]] = {}
        going, cohorts = runs, dict[Any, Cohort]()
        while going:
            groups: dict[Any, list[Lane]] = {}
            for lane in going:
                groups.setdefault(lane.key, []).append(lane)
            cohorts = {key: cohorts.get(key) or Cohort() for key in groups}
            for key, lanes in groups.items():
                cohorts[key].advance(lanes)
            for lane in going:
                value = lane.metrics[self._case.study.goal.metric]
                if not lane.failure and value < best.get(lane.number, (math.inf,))[0]:
                    best[lane.number] = value, Fitted.of(lane)
            going = [lane for lane in going if not (lane.failure or lane.done)]
        return [
            (best[at][0], float(best[at][1].test()[self._case.metric])) if at in best else (math.inf, math.inf)
            for at in range(len(runs))
        ]


def read(path: Path) -> dict[str, list[Pair]]:
    """The runs that a file has, by recipe; none where there is no file."""
    if not path.exists():
        return {}
    return {key: [(value, test) for value, test in pairs] for key, pairs in json.loads(path.read_text()).items()}


def key_of(point: Point) -> str:
    """What the runs of a recipe are kept under."""
    return json.dumps(point, sort_keys=True)


def worth(runs: Sequence[Pair]) -> Pair:
    """Means on the validation and on the test part."""
    validation, test = zip(*runs, strict=True)
    return math.fsum(validation) / len(validation), math.fsum(test) / len(test)
