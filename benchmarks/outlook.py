"""What judging trials by averaged weights is worth: the same recorded runs stopped by the loss, and by the outlook.

    python benchmarks/outlook.py record --case lr-batch --cache outlook-cache        # and the other cases; minutes each
    python benchmarks/outlook.py live --cache outlook-cache                          # whole searches, with and without
    python benchmarks/outlook.py report --cache outlook-cache --output benchmarks/results/outlook.json

``record`` trains random recipes of a study in cohorts, each with three seeds, and keeps after every epoch the loss of
the weights and of their running average on validation rows. ``report`` draws searches of 60 of these recipes from the
first seed, stops them by successive halving as ``search/pruners/common/halving.py`` does (one trial after another,
judged by the best value so far), and scores the best of its three finalists by the mean of the two other seeds, against
the best of the three finalists that the same 60 have without pruning. So no run that decided anything is part of a
score. Draws share their recipes, so their standard errors are too small; the row over all cases has that over cases.
The power of the average was chosen on the first case; the others are what it was not chosen on.

``live`` runs shipped studies with the default sampler and pruner, judged by the outlook and not, at the same ten study
seeds; a search is worth the mean of its winner over eight fresh runs, each search with seeds of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rows import markdown, mean_and_error
from scipy.stats import spearmanr

import hpo
from hpo.objectives.trainer import lane as lanes
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.studyfile.reader import read
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.job import OUTLOOK, Judged
from hpo.search.terms.recipe import derive_seed

Array = NDArray[np.float64]

CASES = {
    "lr-batch": ("lr-batch", {}),
    "lr-batch, constant": ("lr-batch", {"schedule": "constant", "warmup": 0.0}),
    "lr-batch, linear, sgd": ("lr-batch", {"schedule": "linear", "optimizer": "sgd", "momentum": 0.9}),
    "regularization": ("regularization", {}),
    "schedules": ("schedules", {}),
    "optimizers": ("optimizers", {}),
}
"""Study, and knobs that are other ones in it."""

_RULES = {"rungs 1, 3, 9, a third goes on": ((1, 3, 9), 1 / 3), "rungs 3, 9, 13, half goes on": ((3, 9, 13), 1 / 2)}
_TRIALS, _DRAWS = 60, 200

LIVE = ("lr-batch", "schedules", "optimizers")


def record(study: Any, count: int, seeds: int) -> dict[str, Any]:
    """Curves of random recipes: ``loss`` and ``outlook``, [recipes, seeds, epochs]; NaN after its end, inf if lost."""
    task = study.task
    problem = Problem(registry.load("objective", study.objective), task)
    rng = np.random.default_rng(derive_seed(7, "outlook"))
    size = len(study.space.parameters)
    points = [study.space.from_unit(rng.random(size).tolist(), study.fixed) for _ in range(count)]
    epochs = int(study.fixed["epochs"])
    loss, outlook = np.full((2, count, seeds, epochs), np.nan)
    judged = Judged("val_loss", range(1, epochs + 1))
    waiting = [(i, s) for i in range(count) for s in range(seeds)]
    began, cohorts = time.process_time(), dict[Any, Cohort]()
    while waiting:
        batch, waiting = waiting[:16], waiting[16:]
        busy = []
        for at, (i, s) in enumerate(batch):
            knobs = {**study.fixed, **points[i], "seed": s}
            busy.append((lanes.Lane(at, problem.setup(knobs), judged), i, s))
        while busy:
            groups: dict[Any, list[Any]] = {}
            for each in busy:
                groups.setdefault(each[0].key, []).append(each[0])
            cohorts = {key: cohorts.get(key) or Cohort() for key in groups}
            for key, group in groups.items():
                cohorts[key].advance(group)
            for each, i, s in busy:
                if each.failure:
                    loss[i, s, each.epoch - 1 :] = np.inf
                else:
                    loss[i, s, each.epoch - 1] = each.metrics["val_loss"]
                    outlook[i, s, each.epoch - 1] = each.metrics.get(OUTLOOK, np.nan)
            busy = [(each, i, s) for each, i, s in busy if not (each.failure or each.done)]
    return {
        "loss": loss.tolist(), "outlook": outlook.tolist(), "seconds": time.process_time() - began,
        "points": [dict(point) for point in points],
    }  # fmt: skip


def halved(
    judged: Array, final: Array, rungs: Sequence[int], keep: float, order: NDArray[np.int64]
) -> tuple[list[int], int]:
    """Trials that are complete, and epochs trained: at each rung the best share of those that reached it goes on."""
    seen: dict[int, list[float]] = {rung: [] for rung in rungs}
    complete, epochs = [], 0
    for trial in order:
        for rung in rungs:
            value = judged[trial, rung - 1]
            if not np.isfinite(value):
                epochs += rung
                break
            column = seen[rung]
            column.append(value)
            if sum(v < value for v in column) >= max(int(len(column) * keep), 1):
                epochs += rung
                break
        else:
            epochs += judged.shape[1]
            if np.isfinite(final[trial]):
                complete.append(int(trial))
    return complete, epochs


def scored(found: Mapping[str, Any], rungs: Sequence[int], keep: float) -> dict[str, list[float]]:
    """What each way of judging loses against no pruning, as a share of the loss, and the epochs that it saves."""
    loss, outlook = np.array(found["loss"]), np.array(found["outlook"])
    own, ahead = loss[:, 0], np.where(np.isnan(outlook), loss, outlook)[:, 0]
    dead = np.isinf(own)
    final, fresh = _so_far(own, dead)[:, -1], np.nanmin(loss[:, 1:], axis=2).mean(axis=1)
    ways = {"loss": own, "outlook": ahead, "better of both": np.fmin(own, ahead)}
    rows = {}
    for way, values in ways.items():
        judged, lost, saved = _so_far(values, dead), [], []
        for draw in range(_DRAWS):
            order = np.random.default_rng(derive_seed(draw, "draw")).permutation(len(final))[:_TRIALS]
            complete, epochs = halved(judged, final, rungs, keep, order)
            top, whole = (sorted(these, key=lambda i: final[i])[:3] for these in (complete, order.tolist()))
            if top:
                lost.append(np.nanmin(fresh[top]) / np.nanmin(fresh[whole]) - 1)
                saved.append(1 - epochs / (_TRIALS * judged.shape[1]))
        rows[way] = [*mean_and_error(np.array(lost)), round(float(np.mean(saved)), 3)]
    return rows


def live(study: str, seed: int, *, ahead: bool) -> dict[str, float]:
    """One search: its winner's mean over fresh runs, and the epochs it took."""
    content: Any = parse(registry.path("study", study).read_text(encoding="utf-8"), study).plain()
    began = time.process_time()
    content["record"] = ["outlook"] if ahead else []
    found = hpo.run(
        content, name=study, seed=seed, confirm={"top": 3, "seeds": 8}, storage=":memory:", progress=False
    ).report  # fmt: skip
    assert found.winner is not None
    return {"fresh": found.winner.first.mean[0], "epochs": found.points, "seconds": time.process_time() - began}


def _so_far(values: Array, dead: NDArray[np.bool_]) -> Array:
    """The best value up to each epoch, [recipes, epochs]; infinite from where a run has diverged."""
    best: Array = np.minimum.accumulate(np.where(np.isfinite(values), values, np.inf), axis=1)
    return np.where(dead, np.inf, best)


def ranks(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rank correlation of the first seed with what the others come to, of all recipes and of the best third."""
    loss, outlook = np.array(found["loss"]), np.array(found["outlook"])
    fresh, rows = np.nanmin(loss[:, 1:], axis=2).mean(axis=1), []
    for epoch in (1, 2, 3, 5, 9, 13):
        own, ahead = loss[:, 0, epoch - 1], outlook[:, 0, epoch - 1]
        known = np.isfinite(own) & np.isfinite(ahead) & np.isfinite(fresh)
        best = known & (fresh <= np.quantile(fresh[known], 1 / 3))
        row: dict[str, Any] = {"epoch": epoch}
        for of, these in (("all", known), ("best third", best)):
            for name, values in (("loss", own), ("outlook", ahead), ("better of both", np.fmin(own, ahead))):
                row[f"{name}, {of}"] = round(float(spearmanr(values[these], fresh[these]).statistic), 3)
        rows.append(row)
    return rows


def report(cache: Path) -> dict[str, Any]:
    """Print and return the tables of what was recorded."""
    found: dict[str, Any] = {"versions": {"torch": torch.__version__}, "cases": {}}
    for path in sorted(cache.glob("*.json")):
        case = json.loads(path.read_text())
        rules = {name: scored(case, *rule) for name, rule in _RULES.items()}
        found["cases"][case["case"]] = {"ranks": ranks(case), **rules}
        print(f"\n{case['case']}\n\n{markdown(ranks(case))}")
    for name in _RULES:
        rows = []
        for case, known in found["cases"].items():
            saved = known[name]["better of both"][2]
            rows.append({"case": case, **{way: lost[:2] for way, lost in known[name].items()}, "epochs saved": saved})
        over = {
            way: mean_and_error(np.array([row[way][0] for row in rows]))
            for way in rows[0]
            if way not in ("case", "epochs saved")
        }
        rows.append({"case": "all, ± over cases", **over, "epochs saved": None})
        print(f"\n{name}: loss of the best finalist against no pruning's\n\n{markdown(rows)}")
    rows = []
    for path in sorted(cache.glob("*.live")):
        known = json.loads(path.read_text())
        found["live"] = {**found.get("live", {}), known["study"]: known["searches"]}
        pairs = [search["outlook"]["fresh"] / search["loss"]["fresh"] - 1 for search in known["searches"]]
        row = {"study": known["study"], "winner by the outlook": mean_and_error(np.array(pairs))}
        for way in ("loss", "outlook"):
            row[f"epochs by the {way}"] = round(float(np.mean([each[way]["epochs"] for each in known["searches"]])))
        rows.append(row)
    if rows:
        print(f"\nwhole searches: winners by fresh runs against those by the loss, and epochs\n\n{markdown(rows)}")
    return found


def main() -> None:
    """Record, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "live", "report"])
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--cache", type=Path, default=Path("outlook-cache"))
    parser.add_argument("--recipes", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    if options.what == "record":
        for case in options.case or CASES:
            name, over = CASES[case]
            study = read(Path(__file__).parents[1] / "studies" / f"{name}.yaml")
            found = record(replace(study, fixed={**study.fixed, **over}), options.recipes, options.seeds)
            (options.cache / f"{case.replace(', ', '-')}.json").write_text(json.dumps({"case": case, **found}))
            print(case, f"{found['seconds']:.0f} s", flush=True)
        return
    if options.what == "live":
        for study in LIVE:
            found = [
                {way: live(study, seed, ahead=way == "outlook") for way in ("loss", "outlook")} for seed in range(10)
            ]
            (options.cache / f"{study}.live").write_text(json.dumps({"study": study, "searches": found}))
            print(study, found, flush=True)
        return
    found = report(options.cache)
    if options.output:
        options.output.write_text(
            json.dumps({"command": "python benchmarks/outlook.py report", **found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
