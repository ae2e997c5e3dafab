"""Search on recorded learning curves: this suite against its peers at equal numbers of epochs.

    python benchmarks/recorded_curves.py --data lcbench.npz --seeds 10 --jobs 4 --cache runs \\
        --output benchmarks/results/recorded_lcbench.json

Every epoch that a method trains counts. Its regret is where the best loss it has seen lies between the best (0) and
the median (1) final loss of the data set's table. Printed per method, as mean and standard error over the runs (a run
is a data set and a seed): regret after 50, 100, 200, 500 and 1,000 epochs and averaged over all of them; the mean rank
by averaged regret, over the seeds that all methods have; epochs until the mean regret that Optuna's TPE with Hyperband
has at the end; milliseconds of processor time per epoch.

Peers want environments of their own (see peer_methods.py). Run each there with the same ``--cache`` and ``--methods``;
then run without ``--methods``: what is not installed is taken from the cache, with as many seeds as are there.

The suite's constants were chosen on the even-indexed data sets; ``--half odd``, the default, are the others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from methods import METHODS, installed, package, prepare, release
from numpy.typing import NDArray
from rows import markdown, mean_and_error
from tables import Table, load

Array = NDArray[np.float64]

CHECKPOINTS = (50, 100, 200, 500, 1000)
ANCHOR = "optuna tpe, hyperband"


@dataclass(frozen=True)
class Run:
    """One method on one table with one seed.

    Attributes:
        regret: of the best value so far after each epoch, [epochs].
        milliseconds: processor time per epoch.
        release: version of the method's package.
    """

    regret: Array
    milliseconds: float
    release: str


Runs: TypeAlias = "Mapping[int, Sequence[Run]]"  # of one method: by seed, one for each table


def compare(
    tables: Sequence[Table], methods: Sequence[str], seeds: int, epochs: int, cache: Path, jobs: int
) -> dict[str, Runs]:
    """Runs of each method; one whose package is not installed has the seeds that are complete in the cache."""
    found: dict[str, dict[int, Sequence[Run]]] = {}
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        pending = {
            (seed, method): [pool.submit(run_one, table, method, seed, epochs, cache) for table in tables]
            for seed in range(seeds)
            for method in methods
            if installed(method) or all(_path(table, method, seed, epochs, cache).exists() for table in tables)
        }
        for (seed, method), runs in pending.items():
            found.setdefault(method, {})[seed] = [run.result() for run in runs]
            print(f"seed {seed}: {_line(method, _curves(found[method]))}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    for method in methods:
        if method not in found:
            print(f"{method}: left out, {package(method)} is not installed and the cache has no complete seed")
    return dict(found)


def run_one(table: Table, method: str, seed: int, epochs: int, cache: Path) -> Run:
    """One run, from the cache if it is there."""
    path = _path(table, method, seed, epochs, cache)
    if path.exists():
        with np.load(path) as stored:
            return Run(stored["regret"], float(stored["milliseconds"]), str(stored["release"]))
    prepare(method)
    began = time.process_time()
    regret = regrets(table, METHODS[method](table, seed, epochs), epochs)
    run = Run(regret, 1e3 * (time.process_time() - began) / epochs, release(method))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")  # so that a run cut off leaves nothing that looks complete
    with part.open("wb") as file:
        np.savez(file, regret=run.regret, milliseconds=run.milliseconds, release=run.release)
    part.replace(path)
    return run


def _path(table: Table, method: str, seed: int, epochs: int, cache: Path) -> Path:
    return cache / f"{table.name}-{method}-{seed}-{epochs}.npz".replace(" ", "_")


def regrets(table: Table, seen: Sequence[float], epochs: int) -> Array:
    """Regret of the best value so far after each epoch."""
    finite = np.where(np.isfinite(seen), seen, np.inf)
    curve = np.array([table.regret(value) for value in np.minimum.accumulate(finite)])
    return np.concatenate([curve, np.full(max(0, epochs - curve.size), curve[-1])])[:epochs]


def summarize(found: Mapping[str, Runs]) -> list[dict[str, Any]]:
    """A row per method, best first by regret averaged over the budget."""
    ranks = _ranks(found)
    target = float(_curves(found[ANCHOR])[:, -1].mean()) if ANCHOR in found else None
    rows = []
    for method, runs in found.items():
        curves = _curves(runs)
        reached = np.flatnonzero(curves.mean(axis=0) <= target + 1e-9) if target is not None else np.array([])
        rows.append(
            {
                "method": method,
                "runs": len(curves),
                "averaged": mean_and_error(curves.mean(axis=1)),
                **{f"at {k}": mean_and_error(curves[:, k - 1]) for k in CHECKPOINTS if k <= curves.shape[1]},
                "rank": ranks.get(method),
                "epochs to TPE+Hyperband's final regret": int(reached[0]) + 1 if reached.size else None,
                "ms per epoch": round(float(np.mean([run.milliseconds for row in runs.values() for run in row])), 2),
            }
        )
    return sorted(rows, key=lambda row: row["averaged"][0])


def _ranks(found: Mapping[str, Runs]) -> dict[str, float]:
    """Mean rank of each method by averaged regret, over the seeds that all of them have; ties share their ranks."""
    shared = sorted(set.intersection(*(set(runs) for runs in found.values())))
    if not shared:
        return {}
    averages = np.stack([_curves({seed: runs[seed] for seed in shared}).mean(axis=1) for runs in found.values()])
    better = (averages[:, None] > averages[None]).sum(axis=1)
    equal = (averages[:, None] == averages[None]).sum(axis=1)
    means = (better + (equal + 1) / 2).mean(axis=1)
    return {method: round(float(mean), 2) for method, mean in zip(found, means, strict=True)}


def _curves(runs: Runs) -> Array:
    """Regrets of one method's runs, [runs, epochs]."""
    return np.array([run.regret for row in runs.values() for run in row])


def _line(method: str, curves: Array) -> str:
    at = " ".join(f"{k}: {curves[:, k - 1].mean():.3f}" for k in CHECKPOINTS if k <= curves.shape[1])
    return f"{method:32s} averaged {curves.mean():.3f}  {at}"


def commit() -> str:
    """The version measured."""
    here = Path(__file__).parent
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    return run.stdout.strip()


def _result(options: argparse.Namespace, tables: Sequence[Table], found: Mapping[str, Runs]) -> dict[str, Any]:
    releases: dict[str, set[str]] = {"numpy": {np.__version__}}
    for method, runs in found.items():
        releases.setdefault(package(method), set()).update(run.release for row in runs.values() for run in row)
    return {
        "command": f"recorded_curves.py --data {options.data.name} --half {options.half} --space {options.space} "
        f"--seeds {options.seeds} --epochs {options.epochs}",
        "commit": commit(),
        "versions": {name: " and ".join(sorted(found)) for name, found in releases.items()},
        "data sets": [table.name for table in tables],
        "seeds": {method: len(runs) for method, runs in found.items()},
        "rows": summarize(found),
        "mean regret, every 10 epochs": {
            method: [round(float(v), 4) for v in _curves(runs).mean(axis=0)[9::10]] for method, runs in found.items()
        },
    }


def main() -> None:
    """Run the comparison; print it, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("even", "odd", "all"), default="odd", help="data sets by their index")
    parser.add_argument(
        "--space", choices=("careful", "published"), default="careful", help="with log scales, or without"
    )
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each in one thread")
    parser.add_argument(
        "--cache", type=Path, help="folder that keeps every finished run, so that a stopped comparison goes on"
    )
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # read by the processes that the runs are in
    tables = load(options.data, careful=options.space == "careful")
    tables = tables[{"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}[options.half]]
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or Path(scratch)
        found = compare(tables, options.methods, options.seeds, options.epochs, cache, options.jobs)
    if not found:
        parser.exit(1, "nothing to compare\n")
    result = _result(options, tables, found)
    print("\n" + markdown(result["rows"]))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
