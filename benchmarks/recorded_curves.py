"""Search on recorded learning curves: this suite against its peers at equal numbers of epochs.

    python benchmarks/recorded_curves.py --data lcbench.npz --seeds 10 --output benchmarks/results/recorded_lcbench.json

Every epoch that a method trains counts. Its regret is where the best loss it has seen lies between the best (0) and
the median (1) final loss of the data set's table. Printed per method, as mean and standard error over the runs: regret
after 50, 100, 200, 500 and 1,000 epochs and averaged over all of them; the mean rank by averaged regret; epochs until
the mean regret that Optuna's TPE with Hyperband has at the end; milliseconds of processor time per epoch.

The suite's constants were chosen on the even-indexed data sets; ``--half odd``, the default, are the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from methods import METHODS
from numpy.typing import NDArray
from tables import Table, load

Array = NDArray[np.float64]

CHECKPOINTS = (50, 100, 200, 500, 1000)
ANCHOR = "optuna tpe, hyperband"


def regrets(table: Table, seen: Sequence[float], epochs: int) -> Array:
    """Regret of the best value so far after each epoch."""
    finite = np.where(np.isfinite(seen), seen, np.inf)
    curve = np.array([table.regret(value) for value in np.minimum.accumulate(finite)])
    return np.concatenate([curve, np.full(max(0, epochs - curve.size), curve[-1])])[:epochs]


def compare(
    tables: Sequence[Table], methods: Sequence[str], seeds: int, epochs: int, cache: Path | None
) -> tuple[dict[str, Array], dict[str, float]]:
    """Regret curves [runs, epochs] of each method, and its milliseconds per epoch."""
    curves: dict[str, list[Array]] = {method: [] for method in methods}
    cost: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(seeds):
        for method in methods:
            for table in tables:
                regret, milliseconds = _run(table, method, seed, epochs, cache)
                curves[method].append(regret)
                cost[method].append(milliseconds)
            print(f"seed {seed}: {_line(method, np.array(curves[method]))}", flush=True)
    return {method: np.array(found) for method, found in curves.items()}, {
        method: float(np.mean(found)) for method, found in cost.items()
    }


def _run(table: Table, method: str, seed: int, epochs: int, cache: Path | None) -> tuple[Array, float]:
    """Regret curve of one run, and its milliseconds per epoch; from the cache if it is there."""
    path = cache / f"{table.name}-{method}-{seed}-{epochs}.npz".replace(" ", "_") if cache else None
    if path is not None and path.exists():
        with np.load(path) as file:
            return file["regret"], float(file["milliseconds"])
    began = time.process_time()
    regret = regrets(table, METHODS[method](table, seed, epochs), epochs)
    milliseconds = 1e3 * (time.process_time() - began) / epochs
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, regret=regret, milliseconds=milliseconds)
    return regret, milliseconds


def summarize(curves: dict[str, Array], cost: dict[str, float]) -> list[dict[str, Any]]:
    """A row per method, best first by regret averaged over the budget."""
    averages = {method: found.mean(axis=1) for method, found in curves.items()}
    ranks = np.argsort(np.argsort(np.stack(list(averages.values())), axis=0), axis=0).mean(axis=1) + 1
    target = float(curves[ANCHOR][:, -1].mean()) if ANCHOR in curves else None
    rows = []
    for (method, found), rank in zip(curves.items(), ranks, strict=True):
        mean = found.mean(axis=0)
        reached = np.flatnonzero(mean <= target + 1e-9) if target is not None else np.array([])
        rows.append(
            {
                "method": method,
                "averaged": _mean_and_error(averages[method]),
                **{f"at {k}": _mean_and_error(found[:, k - 1]) for k in CHECKPOINTS if k <= found.shape[1]},
                "rank": round(float(rank), 2),
                "epochs to TPE+Hyperband's final regret": int(reached[0]) + 1 if reached.size else None,
                "ms per epoch": round(cost[method], 2),
            }
        )
    return sorted(rows, key=lambda row: row["averaged"][0])


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [
            f"{v[0]:.3f} ± {v[1]:.3f}" if isinstance(v, list) else "-" if v is None else str(v) for v in row.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean_and_error(values: Array) -> list[float]:
    return [round(float(values.mean()), 4), round(float(values.std(ddof=1) / np.sqrt(values.size)), 4)]


def _line(method: str, found: Array) -> str:
    at = " ".join(f"{k}: {found[:, k - 1].mean():.3f}" for k in CHECKPOINTS if k <= found.shape[1])
    return f"{method:32s} averaged {found.mean():.3f}  {at}"


def _commit() -> str:
    here = Path(__file__).parent
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    return run.stdout.strip()


def main() -> None:
    """Run the comparison; print it, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("even", "odd", "all"), default="odd", help="data sets by their index")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument(
        "--cache", type=Path, help="folder that keeps every finished run, so that a stopped comparison goes on"
    )
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    chosen = {"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}[options.half]
    tables = load(options.data)[chosen]
    curves, cost = compare(tables, options.methods, options.seeds, options.epochs, options.cache)
    rows = summarize(curves, cost)
    print("\n" + markdown(rows))
    if options.output:
        result = {
            "command": f"recorded_curves.py --data {options.data.name} --half {options.half} --seeds {options.seeds} "
            f"--epochs {options.epochs}",
            "commit": _commit(),
            "versions": {"optuna": optuna.__version__, "numpy": np.__version__},
            "data sets": [table.name for table in tables],
            "rows": rows,
            "mean regret, every 10 epochs": {
                method: [round(float(v), 4) for v in found.mean(axis=0)[9::10]] for method, found in curves.items()
            },
        }
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
