"""Which pruner is right where points are folds of a cross-validation: what it saves, and what its winners are worth.

Every recipe of a grid is measured once on all folds of the study's split, and on fresh splits. The pruners then search
the recorded folds through the public API; a winner is worth the mean over the fresh splits, which no search saw.

    python benchmarks/folds.py [--seeds 10] [--output benchmarks/results/folds.json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import hpo

FOLDS, FRESH = 5, 4
PRUNERS: dict[str, Any] = {
    "none": "none",
    "wilcoxon 0.1": "wilcoxon",
    "wilcoxon 0.05": {"wilcoxon": {"p_threshold": 0.05}},
    "median of means": "median",
    "halving of means": "successive-halving",
    "hyperband of means": "hyperband",
}


def grids() -> Iterator[tuple[str, Any, Any, list[Any]]]:
    """Name, samples, targets, and the models of a grid."""
    digits = datasets.load_digits(return_X_y=True)
    cancer, wine = datasets.load_breast_cancer(return_X_y=True), datasets.load_wine(return_X_y=True)
    diabetes = datasets.load_diabetes(return_X_y=True)
    powers = np.logspace(-4, 3, 12)
    yield "SVC, digits", *digits, [SVC(C=c, gamma=g) for c in (0.1, 1, 10, 100) for g in np.logspace(-4, -1.5, 7)]
    yield (
        "SVC, wine",
        *wine,
        [make_pipeline(StandardScaler(), SVC(C=c, gamma=g)) for c in (0.1, 1, 10) for g in np.logspace(-3, 0.5, 8)],
    )
    yield (
        "LogisticRegression, breast_cancer",
        *cancer,
        [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight=w, max_iter=300))
            for c, w in itertools.product(powers, (None, "balanced"))
        ],
    )
    yield (
        "Ridge, diabetes",
        *diabetes,
        [make_pipeline(StandardScaler(), Ridge(alpha=a)) for a in np.logspace(-2, 5, 24)],
    )
    yield "KNeighbors, breast_cancer", *cancer, [
        make_pipeline(StandardScaler(), KNeighborsClassifier(n, weights=w, p=p))
        for n in (1, 3, 5, 9, 15, 31) for w in ("uniform", "distance") for p in (1, 2)
    ]  # fmt: skip
    yield "RandomForest, breast_cancer", *cancer, [
        RandomForestClassifier(30, max_features=f, min_samples_leaf=leaf, random_state=0)
        for f in ("sqrt", 0.25, 0.5, 1.0) for leaf in (1, 2, 5, 10, 20)
    ]  # fmt: skip


def measure(X: Any, y: Any, models: list[Any], seed: int) -> np.ndarray[Any, Any]:
    """Scores [models, folds] of one split."""
    kind = StratifiedKFold if len(np.unique(y)) < 20 else KFold
    parts = list(kind(FOLDS, shuffle=True, random_state=seed).split(X, y))
    return np.array([[model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in parts] for model in models])


def search(scores: np.ndarray[Any, Any], pruner: Any, seed: int) -> tuple[int, float]:
    """The recipe that a search in random order finds, and the share of the folds that it trained."""

    def train(*, which: int = 0) -> Iterator[dict[str, float]]:
        for fold, score in enumerate(scores[which], 1):
            yield {"fold": fold, "score": float(score)}

    result = hpo.run(
        train, search={"which": {"choice": list(range(len(scores)))}}, goal="maximize mean score", sampler="random",
        pruner=pruner, trials=len(scores), confirm="none", storage=":memory:", name="folds", seed=seed,
    )  # fmt: skip
    return result.recipe["which"], result.report.points / scores.size


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: dict[str, dict[str, list[float]]] = {name: {"loss": [], "folds": []} for name in PRUNERS}
    tables = {}
    for name, X, y, models in grids():
        recorded = measure(X, y, models, 0)
        worth = np.mean([measure(X, y, models, seed).mean(axis=1) for seed in range(1, 1 + FRESH)], axis=0)
        spread = float(worth.std())
        tables[name] = {}
        for title, pruner in PRUNERS.items():
            found = [search(recorded, pruner, seed) for seed in range(options.seeds)]
            lost = statistics.fmean(float(worth.max() - worth[which]) for which, _ in found) / spread
            folds = statistics.fmean(share for _, share in found)
            tables[name][title] = {"lost": round(lost, 4), "folds": round(folds, 3)}
            rows[title]["loss"].append(lost)
            rows[title]["folds"].append(folds)
        print(name, tables[name], flush=True)
    summary = {}
    for title, row in rows.items():
        error = statistics.stdev(row["loss"]) / len(row["loss"]) ** 0.5
        folds = statistics.fmean(row["folds"])
        summary[title] = {"lost": statistics.fmean(row["loss"]), "error": error, "folds": folds}
        print(
            f"{title:20} lost {statistics.fmean(row['loss']):.3f} +- {error:.3f} deviations, {folds:.0%} of the folds"
        )
    if options.output:
        versions = {package: metadata.version(package) for package in ("hpo-suite", "optuna", "numpy", "scikit-learn")}
        about = {"command": "python benchmarks/folds.py --seeds 10", "python": platform.python_version(), **versions}
        options.output.write_text(
            json.dumps({"about": about, "data sets": tables, "summary": summary}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
