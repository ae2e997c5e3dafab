"""The search of lr-batch under this suite, a plain Optuna script, Ray Tune and Syne Tune: time, and the winner's worth.

Same space, same number of trials and epochs, TPE or random everywhere; with and without pruning. Every side trains on
two cores: the suite with two worker processes, Optuna with n_jobs=2, Ray with two actors. Peers that are not installed
are left out. Each side is a process of its own; CPU time is that of all its children, which Ray's actors are not:
theirs is missing. Sides take turns, repeat by repeat; figures are medians over the repeats with their range.

The score is the winner's: the recipe that a side would hand over is trained again by the suite with eight seeds that no
search used. Its ``worth`` is the mean of their best validation losses, ``test`` that of these models on the test part
(see live_worth.py). ``best``, the lowest loss that a search saw, is printed beside it: it flatters, most where most was
looked at. All repeats have one study seed, so differences of some percent say nothing; live.py has ten seeds.

    pip install 'ray[tune]' syne-tune        # in an environment of their own
    python benchmarks/peers.py                            all sides, 60 trials, 3 repeats
    python benchmarks/peers.py --trials 4 --repeats 1     a quick look
    python benchmarks/peers.py --sides suite optuna       some of them
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

SIDES = ("suite", "suite, two workers", "optuna", "ray", "syne-tune")
NEEDS = {"optuna": "optuna", "ray": "ray", "syne-tune": "syne_tune"}
MODES = ("none", "prune")
SEED = 0
SEARCHED = ("learning_rate", "batch_size", "accumulation_steps")

Found: TypeAlias = "tuple[float, Mapping[str, Any]]"
"""The lowest loss that a search saw, and the recipe that it hands over."""


def suite(trials: int, prune: bool, workers: int = 1) -> Found:
    """This suite, as `hpo run --study lr-batch` runs it, without confirming."""
    import hpo

    extra = {} if prune else {"pruner": "none"}
    if workers > 1:
        extra["workers"] = workers
    result = hpo.run("lr-batch", trials=trials, confirm="none", storage="peers.db", name=f"w{workers}{prune}", **extra)
    assert result.report.winner is not None
    lowest = min(value for trial in result.report.trials for _, value in trial.curve)
    return lowest, result.report.winner.candidates[0].point


def optuna_script(trials: int, prune: bool) -> Found:
    """What a practitioner writes: TPE, its default pruner or none, SQLite, two threads."""
    import optuna
    import plain_mlp
    import torch

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parts = plain_mlp.tensors()
    best: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        recipe = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
            "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64, 128]),
            "accumulation_steps": trial.suggest_categorical("accumulation_steps", [1, 2, 4, 8]),
        }
        lowest = float("inf")
        for step, loss in enumerate(plain_mlp.train(parts, **recipe, warmup=0.05, seed=trial.number), 1):
            lowest = min(lowest, loss)
            best.append(loss)
            trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return lowest

    pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    study = optuna.create_study(
        storage="sqlite:///optuna.db", sampler=optuna.samplers.TPESampler(seed=SEED), pruner=pruner
    )
    study.optimize(objective, n_trials=trials, n_jobs=2)
    return min(best), study.best_trial.params


def ray_tune(trials: int, prune: bool) -> Found:
    """Ray Tune with two actors; ASHA where pruning is on."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    sys.path.insert(0, str(Path(__file__).parent))

    def trainable(config: dict) -> None:
        import plain_mlp
        import torch

        torch.set_num_threads(1)
        for loss in plain_mlp.train(plain_mlp.tensors(), **config, warmup=0.05):
            tune.report({"val_loss": loss})

    space = {
        "learning_rate": tune.loguniform(1e-4, 1e-1),
        "batch_size": tune.choice([16, 32, 64, 128]),
        "accumulation_steps": tune.choice([1, 2, 4, 8]),
        "seed": tune.randint(0, 2**31 - 1),
    }
    scheduler = ASHAScheduler(max_t=20, grace_period=1, reduction_factor=3) if prune else FIFOScheduler()
    settings = tune.TuneConfig(
        num_samples=trials, metric="val_loss", mode="min", scheduler=scheduler, max_concurrent_trials=2
    )
    tuner = tune.Tuner(trainable, param_space=space, tune_config=settings)
    frame = tuner.fit().get_dataframe(filter_metric="val_loss", filter_mode="min")
    first = frame.loc[frame["val_loss"].idxmin()]
    return float(first["val_loss"]), {name: first[f"config/{name}"].item() for name in SEARCHED}


def syne_tune(trials: int, prune: bool) -> Found:
    """Syne Tune's local backend with two workers: random search, or ASHA."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import choice, loguniform, randint
    from syne_tune.optimizer.baselines import ASHA, RandomSearch

    space = {
        "learning_rate": loguniform(1e-4, 1e-1),
        "batch_size": choice([16, 32, 64, 128]),
        "accumulation_steps": choice([1, 2, 4, 8]),
        "seed": randint(0, 2**31 - 1),
    }
    Path("entry.py").write_text(
        "import argparse, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import plain_mlp, torch\n"
        "from syne_tune import Reporter\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--learning_rate', type=float)\n"
        "for name in ('batch_size', 'accumulation_steps', 'seed'):\n"
        "    parser.add_argument('--' + name, type=int)\n"
        "config = vars(parser.parse_known_args()[0])\n"
        "torch.set_num_threads(1)\n"
        "report = Reporter()\n"
        "for epoch, loss in enumerate(plain_mlp.train(plain_mlp.tensors(), **config, warmup=0.05), 1):\n"
        "    report(val_loss=loss, epoch=epoch)\n"
    )
    kind = {"metric": "val_loss", "do_minimize": True}
    if prune:
        scheduler = ASHA(space, time_attr="epoch", max_t=20, grace_period=1, reduction_factor=3, **kind)
    else:
        scheduler = RandomSearch(space, metrics=["val_loss"], do_minimize=True)
    tuner = Tuner(
        LocalBackend("entry.py"), scheduler, StoppingCriterion(max_num_trials_started=trials), n_workers=2,
        sleep_time=0.1, save_tuner=False,
    )  # fmt: skip
    tuner.run()
    from syne_tune.experiments import load_experiment

    results = load_experiment(tuner.name).results
    first = results.loc[results["val_loss"].idxmin()]
    return float(first["val_loss"]), {name: first[f"config_{name}"].item() for name in SEARCHED}


def run_side(side: str, trials: int, prune: bool) -> None:
    """Run one side in this process and print its figures."""
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    if side.startswith("suite"):
        best, recipe = suite(trials, prune, 2 if "two" in side else 1)
    else:
        best, recipe = {"optuna": optuna_script, "ray": ray_tune, "syne-tune": syne_tune}[side](trials, prune)
    wall = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    print(json.dumps({"wall": wall, "cpu": cpu, "best": best, "recipe": dict(recipe)}), flush=True)
    os._exit(0)  # Ray's and Dask's threads must not hold up the clock of the next side


def main() -> None:
    """Run every side that is installed, print a table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side[0], arguments.trials, arguments.side[1] == "prune")
        return
    here = []
    for side in arguments.sides:
        if side in NEEDS and importlib.util.find_spec(NEEDS[side]) is None:
            print(f"{side}: not installed")
        else:
            here.append(side)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {(mode, side): [] for mode in MODES for side in here}
    for repeat in range(arguments.repeats):
        for (mode, side), found in runs.items():
            found.append(scored(measure(side, mode, arguments.trials)))
            print(f"{repeat + 1}/{arguments.repeats} {mode:5} {side:18} wall {found[-1]['wall']:7.1f} s", flush=True)
    rows = [{"side": side, "pruning": mode != "none", **summary(found)} for (mode, side), found in runs.items()]
    print_table(rows)
    packages = [name for name in ("hpo-suite", "optuna", "ray", "syne-tune", "torch") if _installed(name)]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    content = {
        "command": " ".join(["python", "benchmarks/peers.py", *sys.argv[1:]]), "commit": commit,
        "python": platform.python_version(), "versions": {name: version(name) for name in packages}, "rows": rows,
    }  # fmt: skip
    target = Path(__file__).parent / "results" / "peers.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(content, indent=1) + "\n")


def scored(run: dict[str, Any]) -> dict[str, Any]:
    """A side's figures with what its winner is worth, which takes none of its time."""
    from live_cases import case
    from live_worth import Worths, key_of, worth

    worths = Worths(case("lr-batch", None), SEED, None)
    worths.train([run["recipe"]])
    validation, test = worth(worths.runs[key_of(run["recipe"])])
    return {**run, "worth": validation, "test": test}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and most of each figure, and the winners' recipes."""
    figures = {
        name: {"median": statistics.median(values), "range": [min(values), max(values)]}
        for name in ("wall", "cpu", "best", "worth", "test")
        for values in [[run[name] for run in runs]]
    }
    return {**figures, "recipes": [run["recipe"] for run in runs]}


def print_table(rows: list[dict[str, Any]]) -> None:
    """A line per side, with how many times the wall time of the suite's fastest it takes."""
    for pruning in (False, True):
        group = [row for row in rows if row["pruning"] == pruning]
        suites = [row["wall"]["median"] for row in group if row["side"].startswith("suite")]
        for row in group:
            wall, cpu = row["wall"], row["cpu"]
            times = f"{wall['median'] / min(suites):6.1f} x" if suites else ""
            spread = f"[{wall['range'][0]:.1f}, {wall['range'][1]:.1f}]"
            print(
                f"{'prune' if pruning else 'none':5} {row['side']:18} wall {wall['median']:7.1f} s {spread:16}"
                f" cpu {cpu['median']:7.1f} s {times}  worth {row['worth']['median']:.4f}"
                f"  test {row['test']['median']:.4f}  best {row['best']['median']:.4f}"
            )


def measure(side: str, mode: str, trials: int) -> dict[str, Any]:
    """One side in a fresh process and folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(Path(__file__).resolve()), "--trials", str(trials), "--side", side, mode]
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        quiet = {"OMP_NUM_THREADS": "1", "RAY_AIR_NEW_OUTPUT": "0", "PYTHONPATH": path, "HOME": folder}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **quiet})
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"wall"')]
        if not lines:
            raise SystemExit(f"{side} failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
