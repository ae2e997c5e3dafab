"""Search on live training: this suite against a plain Optuna script at equal numbers of epochs, in epochs and seconds.

    python benchmarks/live.py --cache live-cache --output benchmarks/results/live.json

Two studies: ``lr-batch`` as shipped, and gradient boosting on generated data, five trees a step. The suite trains as
``hpo run`` does (the network in cohorts of 16 lanes, boosting inline); the Optuna scripts train the same model on the
same split with a plain loop, one trial after another, in memory, where Optuna is fastest. All on one thread.

Every search trains the same number of epochs; what counts is the lowest validation loss seen so far. Printed per
method, as mean and standard error over the seeds: regret (see live_summary.py) at fractions of the epochs, averaged
over them, and averaged over the processor seconds that Optuna's TPE with Hyperband takes for them; epochs and seconds
until the mean regret which that has at its end.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import optuna
import plain_boosting
import plain_mlp
import torch
from live_summary import Comparison, Run
from rows import markdown
from threadpoolctl import threadpool_limits

import hpo
from hpo.search import studyfile
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.store.distributions import to_distribution
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry

Method: TypeAlias = "Callable[[Problem, int, int, Watch], None]"

ANCHOR = "optuna tpe, hyperband"
RANDOM = "hpo random, none"


@dataclass(frozen=True)
class Problem:
    """What is searched.

    Attributes:
        study: the study file without budget, sampler and pruner.
        steps: points of a complete trial.
        parts: gives the arrays to train on by hand for a seed.
        train: trains a recipe by hand: (parts, seed, knobs) to the loss after each step.
    """

    study: Mapping[str, Any]
    steps: int
    parts: Callable[[int], Any]
    train: Callable[..., Iterator[float]]


class Watch(Progress):
    """Notes every point of a search: its trial and value, and the seconds since the search began."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, float]] = []
        self._began = time.process_time(), time.perf_counter()

    def moved(self, entry: Entry) -> None:
        """Note a point of this suite."""
        self.note(entry.number, entry.curve[-1][1])

    def note(self, trial: int, value: float) -> None:
        """Note a point."""
        cpu, wall = self._began
        self.rows.append((trial, value, time.process_time() - cpu, time.perf_counter() - wall))


def suite(**settings: Any) -> Method:
    """A study of this suite; the settings are its sampler and pruner."""

    def run(problem: Problem, seed: int, epochs: int, watch: Watch) -> None:
        hpo.run(
            {**problem.study, "budget": {"steps": epochs}, "seed": seed, "confirm": "none", "storage": ":memory:"},
            progress=watch, **settings,
        )  # fmt: skip

    return run


def script(pruner: Callable[[int], optuna.pruners.BasePruner]) -> Method:
    """A plain Optuna script: TPE, a pruner, a loop over epochs."""

    def run(problem: Problem, seed: int, epochs: int, watch: Watch) -> None:
        space = {knob.name: to_distribution(knob.domain) for knob in studyfile.read(problem.study).space}
        parts = problem.parts(seed)
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(sampler=sampler, pruner=pruner(problem.steps), study_name=f"seed {seed}")
        while len(watch.rows) < epochs:
            trial = study.ask(space)
            best = math.inf
            for step, value in enumerate(problem.train(parts, seed=1000 * seed + trial.number, **trial.params), 1):
                watch.note(trial.number, value)
                best = min(best, value)
                trial.report(value, step)
                if len(watch.rows) >= epochs:
                    return
                if trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    break
            else:
                study.tell(trial, best)

    return run


METHODS: Mapping[str, Method] = {
    "hpo freeze-thaw": suite(sampler="freeze-thaw"),
    "hpo default": suite(),
    "hpo tpe, learning-curve": suite(sampler="tpe", pruner="learning-curve"),
    RANDOM: suite(sampler="random", pruner="none"),
    "optuna tpe, halving": script(lambda steps: optuna.pruners.SuccessiveHalvingPruner(1, 3)),
    "optuna tpe, median": script(lambda steps: optuna.pruners.MedianPruner()),
    ANCHOR: script(lambda steps: optuna.pruners.HyperbandPruner(1, steps, 3)),
}


def problems(folder: Path) -> dict[str, Problem]:
    """The studies; generated data goes into the folder."""
    shipped = parse(registry.path("study", "lr-batch").read_text(encoding="utf-8")).plain()
    rows = folder / "clusters.npz"
    plain_boosting.write(rows)
    boosting = {
        "objective": "sklearn",
        "data": {"npz": {"path": str(rows)}},
        "goal": "minimize val_log_loss",
        "search": {
            "learning_rate": {"float": [0.01, 1.0], "log": True},
            "max_leaf_nodes": {"int": [4, 31], "log": True},
            "min_samples_leaf": {"int": [2, 60], "log": True},
            "l2_regularization": {"float": [1e-3, 30.0], "log": True},
            "max_features": {"float": [0.2, 1.0]},
        },
        "fixed": {
            "estimator": "HistGradientBoostingClassifier",
            "max_iter": plain_boosting.TREES,
            "epochs": plain_boosting.EPOCHS,
        },
    }
    kept = {key: value for key, value in shipped.items() if key not in ("budget", "sampler", "pruner")}
    return {
        "lr-batch": Problem(kept, plain_mlp.EPOCHS, plain_mlp.tensors, plain_mlp.train),
        "boosting": Problem(
            boosting, plain_boosting.EPOCHS, lambda seed: plain_boosting.arrays(rows, seed), plain_boosting.train
        ),
    }


def measure(problem: Problem, method: str, seed: int, epochs: int, path: Path) -> Run:
    """One search; from its file if that is there."""
    if not path.exists():
        problem.parts(seed)  # the split is loaded once for all methods of a seed, before any clock runs
        watch = Watch()
        METHODS[method](problem, seed, epochs, watch)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, rows=np.array(watch.rows[:epochs]))
        partial.replace(path)
    with np.load(path) as file:
        return Run(*file["rows"].T)


def compare(study: str, problem: Problem, seeds: int, epochs: int, cache: Path) -> Comparison:
    """All searches of a study, seed by seed, so that what slows the machine meets every method."""
    with tempfile.TemporaryDirectory() as folder:  # what the first search of a process costs is no method's
        for method in METHODS:
            measure(problem, method, 0, problem.steps, Path(folder, f"{method}.npz"))
    runs: dict[str, list[Run]] = {method: [] for method in METHODS}
    for seed in range(seeds):
        for method, found in runs.items():
            run = measure(problem, method, seed, epochs, cache / f"{study}-{method}-{seed}-{epochs}.npz")
            found.append(run)
            print(f"{study} seed {seed} {method:28} {run.best[-1]:.4f} {run.cpu[-1]:6.1f} cpu s", flush=True)
    return Comparison(runs, ANCHOR, RANDOM, problem.steps, epochs)


def main() -> None:
    """Run what is not in the cache; print the tables, write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=320, help="of every search (default: 320, at least)")
    parser.add_argument("--studies", nargs="+", choices=("lr-batch", "boosting"), default=["lr-batch", "boosting"])
    parser.add_argument("--cache", type=Path, help="keeps every finished search, so that a stopped benchmark goes on")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.epochs < 320:
        parser.error("--epochs is at least 320: random search in sixteen lanes must complete its trials")
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    threadpool_limits(1)
    result: dict[str, Any] = {
        "command": f"python benchmarks/live.py --seeds {options.seeds} --epochs {options.epochs} "
        f"--studies {' '.join(options.studies)}",
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpo-suite", "optuna", "scikit-learn", "torch")},
    }
    with tempfile.TemporaryDirectory() as folder:
        known = problems(Path(folder))
        for study in options.studies:
            found = compare(study, known[study], options.seeds, options.epochs, options.cache or Path(folder))
            tables = {"in epochs": found.in_epochs(), "in seconds": found.in_seconds()}
            for kind, rows in tables.items():
                print(f"\n{study}, {kind}\n\n{markdown(rows)}\n", flush=True)
            result[study] = {**tables, "mean regret, every 10 epochs": found.curves()}
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


def _commit() -> str:
    command, here = ["git", "describe", "--always", "--dirty"], Path(__file__).parent
    return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
