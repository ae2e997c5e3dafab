"""What a recorded case of outlook.py tells: searches replayed on its curves, and the order that early points give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rows import mean_and_error
from scipy.stats import spearmanr

from hpo.search.engine.run import EARLY
from hpo.search.terms.recipe import derive_seed

Array = NDArray[np.float64]

RULES = {"rungs 1, 3, 9, a third goes on": ((1, 3, 9), 1 / 3), "rungs 3, 9, 13, half goes on": ((3, 9, 13), 1 / 2)}
"""Those of the rungs at which a trial of the case is not complete yet."""

_TRIALS, _DRAWS = 60, 200
"""A search is so many trials, or half of the recipes where these are few."""


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
    better, early = np.fmin(own, ahead), np.arange(1, own.shape[1] + 1) <= EARLY * own.shape[1]
    ways = {"loss": own, "outlook": ahead, "better of both": better, "after a tenth": np.where(early, own, better)}
    trials, rungs = min(_TRIALS, len(final) // 2), [rung for rung in rungs if rung < own.shape[1]]
    rows = {}
    for way, values in ways.items():
        judged, lost, saved = _so_far(values, dead), [], []
        for draw in range(_DRAWS):
            order = np.random.default_rng(derive_seed(draw, "draw")).permutation(len(final))[:trials]
            complete, epochs = halved(judged, final, rungs, keep, order)
            top, whole = (sorted(these, key=lambda i: final[i])[:3] for these in (complete, order.tolist()))
            if top:
                lost.append(np.nanmin(fresh[top]) / np.nanmin(fresh[whole]) - 1)
                saved.append(1 - epochs / (trials * judged.shape[1]))
        rows[way] = [*mean_and_error(np.array(lost)), round(float(np.mean(saved)), 3)]
    return rows


def ranks(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rank correlation of the first seed with what the others come to, of all recipes and of the best third."""
    loss, outlook = np.array(found["loss"]), np.array(found["outlook"])
    fresh, rows = np.nanmin(loss[:, 1:], axis=2).mean(axis=1), []
    for epoch in (1, 2, 3, 5, 9, 13):
        if epoch >= loss.shape[2]:
            break
        own, ahead = loss[:, 0, epoch - 1], outlook[:, 0, epoch - 1]
        known = np.isfinite(own) & np.isfinite(ahead) & np.isfinite(fresh)
        best = known & (fresh <= np.quantile(fresh[known], 1 / 3))
        row: dict[str, Any] = {"epoch": epoch}
        for of, these in (("all", known), ("best third", best)):
            for name, values in (("loss", own), ("outlook", ahead), ("better of both", np.fmin(own, ahead))):
                row[f"{name}, {of}"] = round(float(spearmanr(values[these], fresh[these]).statistic), 3)
        rows.append(row)
    return rows


def _so_far(values: Array, dead: NDArray[np.bool_]) -> Array:
    """The best value up to each epoch, [recipes, epochs]; infinite from where a run has diverged."""
    best: Array = np.minimum.accumulate(np.where(np.isfinite(values), values, np.inf), axis=1)
    return np.where(dead, np.inf, best)
