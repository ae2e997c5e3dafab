"""What many lanes cost in decisions: searches of ``lr-batch`` over recorded curves, by lanes, where training is free.

    python benchmarks/lanes_table.py record --cache lanes     # minutes: 16 x 13 recipes, 3 seeds each
    python benchmarks/lanes_table.py run --cache lanes --seeds 40 --budget steps=320 trials=60
    python benchmarks/lanes_table.py report --cache lanes --output benchmarks/results/lanes_table.json

The real loop, sampler, pruner and policy, over lanes in step that read a curve instead of training it: log losses are
interpolated between the two nearest rates, and a trial has one of the three recorded seeds by chance. The best three
recipes are compared by two seeds, as a study does; the winner is worth the mean of all three seeds' best losses, given
as the logarithm of what it is above the best of the table. Errors are over study seeds, of differences in pairs of the
same seed against sixteen lanes.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rows import markdown, mean_and_error

import hpo
from hpo.search import studyfile
from hpo.search.contracts.executor import Executor
from hpo.search.describe.objective import describe, import_module
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.job import Event, Finished, Job, Point

BATCHES, ACCUMULATIONS, RATES, SEEDS, EPOCHS = (16, 32, 64, 128), (1, 2, 4, 8), 13, 3, 20
_LOW, _PER_DECADE = -4.0, 4
_MOST, _TOP, _CHOOSING = 16, 3, 2
_WORST = 10.0
"""Losses are cut there, so that what diverges can be interpolated."""


def content() -> dict[str, Any]:
    """The shipped study."""
    read: Any = parse(registry.path("study", "lr-batch").read_text(encoding="utf-8"), "lr-batch").plain()
    return dict(read)


def record(path: Path) -> None:
    """Train every recipe of the table to its end."""
    study = studyfile.read(content())
    objective = describe(study.objective, study.folder)
    lanes = registry.part("trainer").open_lanes(import_module(objective), study.task, objective, _MOST, 1 << 29)
    places = list(product(range(len(BATCHES)), range(len(ACCUMULATIONS)), range(RATES), range(SEEDS)))
    curves = np.full((len(BATCHES), len(ACCUMULATIONS), RATES, SEEDS, EPOCHS), _WORST)
    waiting, running = list(range(len(places)))[::-1], set[int]()
    while waiting or running:
        while waiting and len(running) < _MOST:
            number = waiting.pop()
            batch, accumulation, rate, seed = places[number]
            recipe = {
                **study.fixed, "seed": 1000 + seed, "learning_rate": 10 ** (_LOW + rate / _PER_DECADE),
                "batch_size": BATCHES[batch], "accumulation_steps": ACCUMULATIONS[accumulation],
            }  # fmt: skip
            lanes.admit(Job(number, recipe))
            running.add(number)
        for event in lanes.advance():
            if isinstance(event, Point):
                curves[places[event.number]][event.step - 1] = event.metrics["val_loss"]
            else:
                running.discard(event.number)
    np.save(path, np.nan_to_num(np.minimum(curves, _WORST), nan=_WORST))


class Curves:
    """The table."""

    def __init__(self, path: Path) -> None:
        """Read what was recorded."""
        self._logs = np.log(np.load(path))
        grid = product(BATCHES, ACCUMULATIONS, np.linspace(_LOW, _LOW + (RATES - 1) / _PER_DECADE, 5 * RATES))
        self.best = min(
            self.worth({"batch_size": b, "accumulation_steps": a, "learning_rate": 10**rate}) for b, a, rate in grid
        )

    def curve(self, recipe: Mapping[str, Any], seed: int) -> Any:
        """Losses [epochs]."""
        at = (math.log10(recipe["learning_rate"]) - _LOW) * _PER_DECADE
        below = min(RATES - 2, max(0, int(at)))
        place = BATCHES.index(recipe["batch_size"]), ACCUMULATIONS.index(recipe["accumulation_steps"])
        low, high = (self._logs[(*place, below + i, seed)] for i in (0, 1))
        return np.exp(low + (at - below) * (high - low))

    def worth(self, recipe: Mapping[str, Any]) -> float:
        """Mean over the seeds of the best loss."""
        return statistics.fmean(float(self.curve(recipe, seed).min()) for seed in range(SEEDS))


class Replayed(Executor):
    """Lanes that move a step at a time."""

    def __init__(self, curves: Curves, lanes: int) -> None:
        """So many."""
        self.lanes, self._curves = lanes, curves
        self._at: dict[int, tuple[Job, int]] = {}

    def admit(self, job: Job) -> None:
        """Begin, or go on behind what is recorded."""
        self._at[job.number] = job, job.done

    def advance(self) -> list[Event]:
        """Each lane's next point, and its end with the last."""
        news: list[Event] = []
        for number, (job, step) in list(self._at.items()):
            loss = float(self._curves.curve(job.recipe, job.recipe["seed"] % SEEDS)[step])
            news.append(Point(number, step + 1, {"val_loss": loss}))
            self._at[number] = job, step + 1
            if step + 1 == EPOCHS:
                del self._at[number]
                news.append(Finished(number))
        return news

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the lane; a curve is at hand again at any time."""
        self._at.pop(number, None)

    def close(self) -> None:
        """Hold nothing."""


class Watch(Progress):
    """Notes the best that each trial has had, and what would have won after so many steps."""

    def __init__(self, curves: Curves, seed: int, marks: list[int]) -> None:
        self.steps, self.regret = 0, dict[str, float]()
        self._curves, self._marks = curves, marks
        self._pair = np.random.default_rng(seed).permutation(SEEDS)[:_CHOOSING]
        self._best: dict[int, tuple[float, Mapping[str, Any]]] = {}

    def moved(self, entry: Entry) -> None:
        """Note a point."""
        self.steps += 1
        value = min(entry.curve[-1][1], self._best.get(entry.number, (math.inf,))[0])
        self._best[entry.number] = value, entry.recipe
        if self.steps in self._marks:
            self.regret[str(self.steps)] = self.won()

    def won(self) -> float:
        """What the winner would be worth now, as the logarithm above the best."""
        finals = [recipe for _, recipe in sorted(self._best.values(), key=lambda best: best[0])[:_TOP]]
        chosen = min(finals, key=lambda r: sum(self._curves.curve(r, int(seed)).min() for seed in self._pair))
        return math.log(self._curves.worth(chosen) / self._curves.best)


def run(options: argparse.Namespace) -> None:
    """Search, seed by seed."""
    curves, path = Curves(options.cache / "curves.npy"), options.cache / "replayed.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for seed, sampler, budget, lanes in product(range(options.seeds), options.sampler, options.budget, options.lanes):
        kind, _, amount = budget.partition("=")
        runs = found.setdefault(f"{sampler}, {budget}, {lanes}", {})
        if str(seed) in runs:
            continue
        engine.build_executor = lambda *_, lanes=lanes, **__: Replayed(curves, lanes)
        watch = Watch(curves, seed, [n for n in options.mark if kind == "steps" and n < int(amount)])
        own = {} if sampler == "default" else {"sampler": sampler}
        study = {**content(), "budget": {kind: int(amount)}, "executor": "inline", "confirm": "none", **own}
        began = time.process_time()
        hpo.run({**study, "name": "lanes", "seed": seed, "storage": ":memory:"}, progress=watch)
        watch.regret["end"] = watch.won()
        runs[str(seed)] = {"regret": watch.regret, "steps": watch.steps, "seconds": time.process_time() - began}
        path.write_text(json.dumps(found))


def report(options: argparse.Namespace) -> dict[str, Any]:
    """Print and return regrets by lanes."""
    found = json.loads((options.cache / "replayed.json").read_text())
    rows = []
    for name, runs in found.items():
        sampler, budget, lanes = name.split(", ")
        most = found.get(f"{sampler}, {budget}, {_MOST}", {})
        for mark in next(iter(runs.values()))["regret"]:
            ours = np.array([each["regret"][mark] for each in runs.values()])
            pairs = [runs[seed]["regret"][mark] - most[seed]["regret"][mark] for seed in runs if seed in most]
            rows.append({
                "sampler": sampler, "budget": budget, "after": mark, "lanes": int(lanes), "seeds": len(runs),
                "above the best": mean_and_error(ours), "less 16 lanes": mean_and_error(np.array(pairs)),
                "steps": round(statistics.fmean(each["steps"] for each in runs.values())),
            })  # fmt: skip
    rows.sort(key=lambda row: (row["sampler"], row["budget"], row["after"], row["lanes"]))
    print(markdown(rows))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    return {
        "command": "python benchmarks/lanes_table.py record, run, report",
        "commit": commit.stdout.strip(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in ("optuna", "torch", "numpy")}},
        "rows": rows,
    }


def main() -> None:
    """Record, run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "run", "report"])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--sampler", nargs="+", default=["default"], help="default: the study's own")
    parser.add_argument("--budget", nargs="+", default=["steps=320"], metavar="KIND=NUMBER")
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 2, 4, 8, 16])
    parser.add_argument("--mark", nargs="+", type=int, default=[], help="steps after which to look as well")
    parser.add_argument("--cache", type=Path, default=Path("lanes"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    if options.what == "record":
        record(options.cache / "curves.npy")
    elif options.what == "run":
        run(options)
    elif options.output:
        options.output.write_text(json.dumps(report(options), indent=1) + "\n")
    else:
        report(options)


if __name__ == "__main__":
    main()
