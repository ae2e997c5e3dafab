"""What judging trials by averaged weights is worth: the same recorded runs stopped by the loss, and by the outlook.

    python benchmarks/outlook.py record --case lr-batch --cache outlook-cache        # and the other cases; minutes each
    python benchmarks/outlook.py report --cache outlook-cache --output benchmarks/results/outlook.json

``record`` trains random recipes of a study in cohorts, each with three seeds, and keeps after every epoch the loss of the
weights and of their running average on validation rows. ``report`` draws searches of 60 of these recipes from the first seed,
stops them by successive halving as ``search/pruners/common/halving.py`` does (one trial after another, judged by the
best value so far), and scores the best of its three finalists by the mean of the two other seeds, against the best of
the three finalists that the same 60 have without pruning. So no run that decided anything is part of a score. Errors
are over the data sets and spaces, which are few, beside those over draws.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rows import markdown, mean_and_error

from hpo.objectives.trainer import lane as lanes
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.studyfile.reader import read
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


def record(study: Any, count: int, seeds: int) -> dict[str, Any]:
    """Curves of random recipes: ``loss`` and ``outlook``, [recipes, seeds, epochs], NaN where there is none."""
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
                if not each.failure:
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


def scored(found: dict[str, Any], draws: int, trials: int, rungs: Sequence[int], keep: float) -> list[dict[str, Any]]:
    """What each way of judging loses against no pruning, in shares of the loss, and saves of its epochs."""
    loss, outlook = np.array(found["loss"]), np.array(found["outlook"])
    outlook = np.where(np.isfinite(outlook), outlook, loss)
    first, ahead = loss[:, 0], outlook[:, 0]
    best = np.minimum.accumulate(np.where(np.isfinite(first), first, np.inf), axis=1)
    final, fresh = best[:, -1], np.nanmin(loss[:, 1:], axis=2).mean(axis=1)
    ways = {
        "loss": best,
        "outlook": np.minimum.accumulate(np.where(np.isfinite(first), ahead, np.inf), axis=1),
        "better of both": np.minimum.accumulate(np.where(np.isfinite(first), np.fmin(first, ahead), np.inf), axis=1),
        "better of both, last": np.where(np.isfinite(first), np.fmin(first, ahead), np.inf),
        "outlook, last": np.where(np.isfinite(first), ahead, np.inf),
    }
    rows = []
    for way, judged in ways.items():
        lost, saved = [], []
        for draw in range(draws):
            rng = np.random.default_rng(derive_seed(draw, "draw"))
            order = rng.permutation(len(final))[:trials]
            complete, epochs = halved(judged, final, rungs, keep, order)
            if not complete:
                continue
            top = sorted(complete, key=lambda i: final[i])[:3]
            whole = sorted(order, key=lambda i: final[i])[:3]
            lost.append(float(np.nanmin(fresh[top]) / np.nanmin(fresh[whole])) - 1)
            saved.append(1 - epochs / (trials * judged.shape[1]))
        rows.append(
            {"judged by": way, "lost": mean_and_error(np.array(lost)), "saved": round(float(np.mean(saved)), 3)}
        )
    return rows


def ranks(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rank correlation with the fresh seeds' outcome at some epochs."""
    from scipy.stats import spearmanr

    loss, outlook = np.array(found["loss"]), np.array(found["outlook"])
    fresh = np.nanmin(loss[:, 1:], axis=2).mean(axis=1)
    rows = []
    for epoch in (1, 2, 3, 5, 9, 13):
        own, ahead = loss[:, 0, epoch - 1], outlook[:, 0, epoch - 1]
        ok = np.isfinite(own) & np.isfinite(ahead) & np.isfinite(fresh)
        both = np.fmin(own, ahead)
        third = ok & (fresh <= np.nanquantile(fresh[ok], 1 / 3))
        rows.append(
            {"epoch": epoch}
            | {
                f"{name}": round(float(spearmanr(v[ok], fresh[ok]).statistic), 3)
                for name, v in (("loss", own), ("outlook", ahead), ("both", both))
            }
            | {
                f"{name}, best third": round(float(spearmanr(v[third], fresh[third]).statistic), 3)
                for name, v in (("loss", own), ("outlook", ahead), ("both", both))
            }
        )
    return rows


def main() -> None:
    """Record, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "report"])
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--cache", type=Path, default=Path("outlook-cache"))
    parser.add_argument("--recipes", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--power", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    if options.power is not None:
        lanes._POWER = options.power
    if options.what == "record":
        for case in options.case or CASES:
            name, over = CASES[case]
            folder = Path(__file__).parents[1] / "studies"
            study = read(folder / f"{name}.yaml")
            study = replace(study, fixed={**study.fixed, **over})
            found = record(study, options.recipes, options.seeds)
            suffix = "" if options.power is None else f"-{options.power}"
            (options.cache / f"{case.replace(', ', '-')}{suffix}.json").write_text(json.dumps(found))
            print(case, f"{found['seconds']:.0f} s", flush=True)
        return
    for path in sorted(options.cache.glob("*.json")):
        found = json.loads(path.read_text())
        print(f"\n## {path.stem}\n\n{markdown(ranks(found))}")
        for rungs, keep in (((1, 3, 9), 1 / 3), ((3, 9, 13), 1 / 2)):
            print(f"\nrungs {rungs}, {keep:.2f} kept\n\n{markdown(scored(found, 200, 60, rungs, keep))}")


if __name__ == "__main__":
    main()
