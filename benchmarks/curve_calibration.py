"""How far the forecasts behind ``pruner: learning-curve`` can be trusted, on recorded curves.

    python benchmarks/curve_calibration.py --data lcbench.npz --data taskset.npz --output benchmarks/results/...json

For each data set, trials in random order go through the pruner's own decision at its default threshold. Printed per
data set: how often the 80 % interval holds the best value by the end (should be 80 %), at 2, 5, 12 and 25 points; of
the stops, and of the trials that would have become the best, how many were stopped wrongly; the share of epochs
saved; milliseconds per forecast. Constants were chosen on the even-indexed data sets; ``--half odd`` are the others.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tables import Table, load

from hpo.search.curves.shapes import milestones
from hpo.search.curves.single import Library, forecast

CHECKS = (2, 5, 12, 25)


@dataclass
class Row:
    """Counts of one data set."""

    name: str
    inside: float
    inside_at: dict[int, float]
    stops: int
    wrong: int
    winners: int
    saved: float
    milliseconds: float


def measure(table: Table, trials: int, seeds: int, threshold: float) -> Row:
    """Run random trials through the pruner's decision; forecasts are also made where it has stopped a trial."""
    inside: dict[int, list[bool]] = {step: [] for step in CHECKS}
    stops = wrong = winners = spent = 0
    forecasts, seconds = 0, 0.0
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(table.curves))[:trials]
        complete: list[list[tuple[int, float]]] = []
        incumbent = math.inf
        for number, config in enumerate(order):
            values = table.curves[config]
            if not np.isfinite(values).all():
                continue
            curve = [(step + 1, float(value)) for step, value in enumerate(values)]
            final, library, stopped = float(values.min()), Library.of(complete, table.horizon), table.horizon
            for step in milestones(table.horizon)[:-1].tolist():
                if not complete or (stopped < step and step not in CHECKS):
                    continue
                began = time.process_time()
                seen = forecast(curve[:step], table.horizon, library, number)
                seconds, forecasts = seconds + time.process_time() - began, forecasts + 1
                if step in CHECKS:
                    inside[step].append(seen.final(0.1) <= final <= seen.final(0.9))
                if stopped == table.horizon and seen.beats(incumbent) < threshold:
                    stopped = step
            spent += stopped
            winners += bool(complete) and final < incumbent
            if stopped < table.horizon:
                stops, wrong = stops + 1, wrong + (final < incumbent)
            else:
                complete.append(curve)
                incumbent = min(incumbent, final)
    every = [hit for hits in inside.values() for hit in hits]
    return Row(
        table.name, float(np.mean(every)), {step: float(np.mean(hits)) for step, hits in inside.items()},
        stops, wrong, winners, 1 - spent / (seeds * trials * table.horizon), 1e3 * seconds / forecasts,
    )  # fmt: skip


def main() -> None:
    """Print a line per data set and their mean; write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--half", choices=("even", "odd"), default="odd")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=0.05)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for path in options.data:
        for table in load(path)[options.half == "odd" :: 2]:
            row = measure(table, options.trials, options.seeds, options.threshold)
            rows.append(row)
            at = " ".join(f"{step}: {share:.2f}" for step, share in row.inside_at.items())
            print(
                f"{row.name[:36]:36s} 80% holds {row.inside:.2f} ({at})  wrong {row.wrong} of {row.stops} stops, "
                f"of {row.winners} winners  saved {row.saved:.2f}  {row.milliseconds:.1f} ms",
                flush=True,
            )
    stops, wrong, winners = (sum(getattr(row, name) for row in rows) for name in ("stops", "wrong", "winners"))
    print(
        f"{'all':36s} 80% holds {np.mean([row.inside for row in rows]):.2f}  wrong {wrong / stops:.1%} of stops, "
        f"{wrong / winners:.1%} of winners  saved {np.mean([row.saved for row in rows]):.2f}"
    )
    if options.output:
        options.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
