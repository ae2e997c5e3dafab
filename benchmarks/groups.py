"""The default search on groups of learning curves that differ in what early points are worth, beside single rules.

    python benchmarks/own_tables.py --output tables
    python benchmarks/groups.py --lcbench lcbench.npz --taskset taskset.npz --deepobs deepobs --algoperf algoperf \\
        --own tables --half odd --seeds 3 --cache runs --output benchmarks/results/groups.json

Groups: LCBench with log scales where a careful user writes them (by ``--published`` as it was published too), TaskSet,
DeepOBS, AlgoPerf, this suite's own trainer and gradient boosting as own_tables.py records them, and the kinds of made
curves of kinds.py on which early points mislead. A search has the steps of twenty complete trials. Its regret after
each step is where what it would hand over lies between the best (0) and the median (1) of the table, averaged over the
budget; of made curves what counts is what that is worth without the noise it was chosen by.

Constants are chosen on the even halves, the tables with an even index in their group, and reported on the odd ones.
Standard errors are over data sets, of the means over seeds. ``best single`` is the best rule of the group that is no
hedge, its name beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kinds
import more_tables
import numpy as np
from methods import METHODS
from recorded_curves import commit, run_one
from rows import markdown, mean_and_error
from tables import Table, load

HEDGES = ("hpo default", "hpo hedge")
SINGLE = (
    "hpo freeze-thaw", "hpo tpe, learning-curve", "hpo tpe, halving", "hpo tpe, none",
    "optuna tuned multivariate",
)  # fmt: skip
TRIALS = 20
INSTANCES = 4  # of each kind


def groups(options: argparse.Namespace) -> dict[str, list[Table]]:
    """Tables by group, the wanted half of each."""
    found: dict[str, list[Table]] = {}
    if options.lcbench:
        found["lcbench"] = load(options.lcbench, careful=True)
        if options.published:
            found["lcbench, as published"] = load(options.lcbench)
    if options.taskset:
        found["taskset"] = load(options.taskset)
    if options.deepobs:
        found["deepobs"] = more_tables.deepobs(options.deepobs)
    if options.algoperf:
        found["algoperf"] = more_tables.algoperf(options.algoperf)
    if options.own:
        for kind in ("trainer", "boosting"):
            found[kind] = [more_tables.own(path) for path in sorted(options.own.glob(f"{kind}-*.npz"))]
    for kind in kinds.KINDS:
        found[kind] = [kinds.table(kind, i) for i in range(INSTANCES)]
    start = {"even": 0, "odd": 1}[options.half]
    found = {name: tables[start::2][: options.sets] for name, tables in found.items()}
    return {name: tables for name, tables in found.items() if not options.groups or name in options.groups}


def steps_of(table: Table) -> int:
    """The budget on a table: twenty complete trials, but no more than a quarter of a small table."""
    return min(TRIALS, max(len(table.curves) // 4, 6)) * table.horizon


def compare(
    found: Mapping[str, Sequence[Table]], methods: Sequence[str], seeds: int, cache: Path, jobs: int
) -> dict[str, dict[str, list[float]]]:
    """Averaged regret by group and method: of each table the mean over its seeds."""
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        pending = {
            (group, method): [
                [pool.submit(run_one, table, method, seed, steps_of(table), cache) for seed in range(seeds)]
                for table in tables
            ]
            for method in methods
            for group, tables in found.items()
        }
        averaged: dict[str, dict[str, list[float]]] = {group: {} for group in found}
        for (group, method), runs in pending.items():
            means = [float(np.mean([run.result().regret.mean() for run in row])) for row in runs]
            averaged[group][method] = means
            print(
                f"{group:22s} {method:32s} {np.mean(means):.3f}  ({', '.join(f'{m:.2f}' for m in means)})", flush=True
            )
    finally:
        pool.shutdown(cancel_futures=True)
    return averaged


def summarize(averaged: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """A row a group, then the means over recorded groups and over kinds."""
    rows: list[dict[str, Any]] = []
    for group, by_method in averaged.items():
        single = {method: np.mean(means) for method, means in by_method.items() if method not in HEDGES}
        best = min(single, key=lambda method: single[method]) if single else "-"
        row: dict[str, Any] = {"group": group, "tables": len(next(iter(by_method.values())))}
        row |= {method: mean_and_error(np.array(means)) for method, means in by_method.items()}
        rows.append(row | {"best single": best})
    for name, wanted in (("recorded", set(averaged) - set(kinds.KINDS)), ("made", set(averaged) & set(kinds.KINDS))):
        if wanted:
            row = {"group": f"mean over {name} groups", "tables": len(wanted)}
            for method in next(iter(averaged.values())):
                row[method] = mean_and_error(np.array([np.mean(averaged[group][method]) for group in sorted(wanted)]))
            rows.append(row | {"best single": ""})
    return rows


def main() -> None:
    """Run the comparison; print it, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for data in ("lcbench", "taskset", "deepobs", "algoperf", "own"):
        parser.add_argument(f"--{data}", type=Path)
    parser.add_argument("--published", action="store_true", help="LCBench in its published space too")
    parser.add_argument("--half", choices=("even", "odd"), default="odd")
    parser.add_argument("--sets", type=int, help="at most so many tables a group")
    parser.add_argument("--groups", nargs="+", help="only these")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=[*HEDGES, *SINGLE], metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each in one thread")
    parser.add_argument("--cache", type=Path, help="folder that keeps every finished run")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    found = groups(options)
    with tempfile.TemporaryDirectory() as scratch:
        averaged = compare(found, options.methods, options.seeds, options.cache or Path(scratch), options.jobs)
    rows = summarize(averaged)
    print("\n" + markdown(rows))
    if options.output:
        command = f"groups.py --half {options.half} --seeds {options.seeds} --sets {options.sets}"
        versions = {name: version(name) for name in ("numpy", "optuna", "scikit-learn", "torch")}
        tables = {group: [table.name for table in tables] for group, tables in found.items()}
        result = {
            "command": command,
            "commit": commit(),
            "versions": versions,
            "tables": tables,
            "rows": rows,
            "averaged": averaged,
        }
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
