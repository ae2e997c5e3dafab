"""CPU per TPE suggestion: Optuna's sampler and ours, in turns on the same history, and whether they propose the same.

Histories of complete and pruned trials in memory. Optuna's sampler is one object for the whole study, as in a plain
script; ours is made anew for every suggestion, as in a search. Spaces: ``flat``, five knobs of all kinds; ``branches``,
the same with three more under conditions (Optuna with ``group=True``); ``two goals``, flat with two goals. ``same``
counts the suggestions that agree with a fresh sampler of Optuna's with the same seed, to 1e-9 of their size; with
branches the groups take their random numbers in another order, so only the time is compared.

    python benchmarks/tpe.py [--trials 100 1000 5000] [--suggestions 30]
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import scipy

from hpo.search.contracts.sampler import SamplerContext
from hpo.search.engine.ask import propose, record
from hpo.search.samplers import tpe
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.space import Parameter, Space

FLAT = (
    Parameter("rate", Float(1e-5, 1e-1, log=True)),
    Parameter("dropout", Float(0.0, 0.5)),
    Parameter("layers", Int(1, 8)),
    Parameter("optimizer", Choice(("sgd", "adam", "adamw"))),
    Parameter("decay", Float(1e-6, 1e-2, log=True)),
)
BRANCHES = (
    Parameter("momentum", Float(0.0, 0.99), when=(("optimizer", ("sgd",)),)),
    Parameter("beta1", Float(0.8, 0.99), when=(("optimizer", ("adam", "adamw")),)),
    Parameter("beta2", Float(0.9, 0.9999), when=(("optimizer", ("adam", "adamw")),)),
)
CASES = {"flat": (Space(FLAT), 1), "branches": (Space(FLAT + BRANCHES), 1), "two goals": (Space(FLAT), 2)}
TARGET = Path(__file__).parent / "results" / "tpe.json"


def history(space: Space, goals: int, trials: int) -> optuna.Study:
    """A study of that many random trials, every third of them pruned if there is one goal."""
    study = optuna.create_study(directions=["minimize"] * goals)
    rng = np.random.default_rng(0)
    for number in range(trials):
        point = space.from_unit(rng.random(len(space)).tolist())
        end = sum((space[name].domain.to_unit(value) - 0.4) ** 2 for name, value in point.items()) + rng.normal(0, 0.05)
        pruned = goals == 1 and number % 3 == 0
        study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE,
                values=None if pruned else [end, rng.random()][:goals],
                params=point,
                distributions={name: to_distribution(space[name].domain) for name in point},
                intermediate_values={step: end + 1 / step for step in range(1, 4 if pruned else 11)},
            )
        )
    return study


def close(study: optuna.Study) -> None:
    """End the last trial in a way that leaves the samplers' view of the history as it was."""
    study.tell(len(study.get_trials(deepcopy=False)) - 1, state=optuna.trial.TrialState.FAIL)


def theirs(study: optuna.Study, space: Space, sampler: Any) -> tuple[dict[str, Any], float]:
    """Optuna's suggestion and its CPU seconds."""
    study.sampler = sampler
    began = time.process_time()
    trial = study.ask()
    point: dict[str, Any] = {}
    for parameter in space:
        if parameter.active(point):
            point[parameter.name] = trial._suggest(parameter.name, to_distribution(parameter.domain))
    seconds = time.process_time() - began
    close(study)
    return point, seconds


def ours(study: optuna.Study, space: Space, seed: int) -> tuple[dict[str, Any], float]:
    """Our suggestion and its CPU seconds."""
    directions = tuple(direction.name.lower() for direction in study.directions)
    began = time.process_time()
    trial = study._storage.get_trial(study._storage.create_new_trial(study._study_id))
    context = SamplerContext(space, {}, seed, 0, trial.number, directions)
    point = propose(study, trial, space, {}, lambda attempt: tpe.make(context), seed=0)
    record(study, trial, space, point)
    seconds = time.process_time() - began
    close(study)
    return point, seconds


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two points are the same but for rounding."""
    return one.keys() == other.keys() and all(
        math.isclose(value, other[name], rel_tol=1e-9) if isinstance(value, float) else value == other[name]
        for name, value in one.items()
    )


def measure(case: str, trials: int, suggestions: int) -> dict[str, Any]:
    """Median CPU milliseconds a suggestion of both, their ratio, and how many suggestions are the same."""
    space, goals = CASES[case]
    study = history(space, goals, trials)
    options = {"multivariate": True, "group": True} if case == "branches" else {}
    persistent = optuna.samplers.TPESampler(seed=0, **options)
    theirs(study, space, persistent)
    raw, own, fresh, proposed = [], [], [], []
    ours(study, space, 0)
    for seed in range(suggestions):
        raw.append(theirs(study, space, persistent)[1])
        fresh.append(theirs(study, space, optuna.samplers.TPESampler(seed=seed, **options))[0])
        point, seconds = ours(study, space, seed)
        own.append(seconds)
        proposed.append(point)
    same = sum(agree(one, other) for one, other in zip(fresh, proposed, strict=True))
    ratio = statistics.median(own) / statistics.median(raw)
    return {
        "case": case,
        "trials": trials,
        "optuna_ms": round(statistics.median(raw) * 1e3, 3),
        "ours_ms": round(statistics.median(own) * 1e3, 3),
        "ratio": round(ratio, 4),
        "same": None if case == "branches" else f"{same} of {suggestions}",
    }


def main() -> None:
    """Measure every case at every size, print and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--suggestions", type=int, default=30)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    rows = []
    for case in CASES:
        for trials in options.trials:
            rows.append(measure(case, trials, options.suggestions))
            print("{case:>9} {trials:6d}: {optuna_ms:8.2f} -> {ours_ms:7.2f} ms = {ratio:.3f}".format(**rows[-1]))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    content = {
        "command": "python " + " ".join(["benchmarks/tpe.py", *sys.argv[1:]]),
        "commit": commit.stdout.strip(),
        "versions": {
            "python": platform.python_version(),
            "optuna": optuna.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "rows": rows,
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
