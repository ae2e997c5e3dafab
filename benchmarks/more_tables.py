"""Readers of further recorded curves: DeepOBS, AlgoPerf, and what own_tables.py writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tables import Table

from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.plain_space import space_from
from hpo.search.terms.space import Parameter, Space

Array = NDArray[np.float64]

_POINTS = 50  # a longer curve is read at as many points
_EVALUATIONS = 24  # of an AlgoPerf run, evenly over the steps that the longest of its workload has
_RECIPES = 20  # a workload with fewer of them is left out


def own(path: Path) -> Table:
    """A table of own_tables.py."""
    with np.load(path) as file:
        space = space_from(json.loads(str(file["space"])))
        return Table(str(file["name"]), space, file["units"], file["curves"].astype(np.float64))


def deepobs(folder: Path) -> list[Table]:
    """DeepOBS's baselines: test losses by optimizer and learning rate; of a rate with ten seeds the first."""
    with (folder / "deepobs_runs.csv").open(encoding="utf-8") as text:
        runs = {int(row["run"]): row for row in csv.DictReader(text)}
    optimizers = Choice(tuple(sorted({row["optimizer"] for row in runs.values()})))
    space = Space((Parameter("optimizer", optimizers), Parameter("lr", Float(1e-5, 1e2, log=True))))
    tables = []
    with np.load(folder / "deepobs_curves.npz") as file:
        for problem in sorted({key.partition("/")[0] for key in file}):
            kept: dict[tuple[str, str], int] = {}
            for row, run in enumerate(file[f"{problem}/run"].tolist()):
                kept.setdefault((runs[run]["optimizer"], runs[run]["lr"]), row)
            points = [(name, min(max(float(lr), 1e-5), 1e2)) for name, lr in kept]
            units = np.array([[optimizers.to_unit(name), space["lr"].domain.to_unit(lr)] for name, lr in points])
            curves = file[f"{problem}/test_losses"][list(kept.values()), 1:].astype(np.float64)
            tables.append(Table(problem, space, units, _sparse(curves)))
    return tables


def algoperf(folder: Path) -> list[Table]:
    """AlgoPerf's workloads: validation losses by submission and tuning trial, of their first repetition."""
    import pandas

    runs = pandas.read_parquet(folder / "runs.parquet")
    curves = pandas.read_parquet(folder / "curves.parquet").set_index("run")
    tables = []
    for workload, here in runs[runs["n_eval"] >= _EVALUATIONS].groupby("workload"):
        here = here.drop_duplicates(["submission", "trial"])
        if len(here) < _RECIPES:
            continue
        which = Choice(tuple(sorted(here["submission"].unique())))
        space = Space((Parameter("submission", which), Parameter("trial", Int(1, 5))))
        rows, units = [], []
        for run in here.itertuples():
            curve = curves.loc[run.run].sort_values("global_step")
            values = curve["valid_loss"].to_numpy(np.float64)
            places = np.linspace(0, len(values) - 1, _EVALUATIONS).round().astype(int)
            rows.append(values[places])
            number = int(str(run.trial).rpartition("_")[2])
            units.append([which.to_unit(run.submission), space["trial"].domain.to_unit(number)])
        tables.append(Table(str(workload), space, np.array(units), np.array(rows)))
    return tables


def _sparse(curves: Array) -> Array:
    """Curves at so many points, evenly, the last among them."""
    steps = curves.shape[1]
    places = np.unique(np.linspace(0, steps, min(steps, _POINTS) + 1)[1:].round().astype(int)) - 1
    kept: Array = np.where(np.isfinite(curves), curves, np.nan)[:, places]
    return kept
