"""Record tables of complete learning curves: this suite's trainer on digits, and gradient boosting on bundled data.

    python benchmarks/own_tables.py --output tables        # a file a table, some minutes; those there are kept

Random recipes of a space are trained to their ends without pruning. The trainer's are recorded under a cosine and under
a constant rate, for two optimizers; boosting's are the staged losses of scikit-learn's gradient boosting.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_friedman1
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split

import hpo
from hpo.search.describe.live import live
from hpo.search.terms.plain_space import space_from, space_plain

_EPOCHS, _RECIPES = 20, 160
_RATE = {"float": [1e-4, 1e-1], "log": True}
_STAGES = 60
_MLP = {
    "learning_rate": _RATE,
    "batch_size": {"choice": [64, 128, 256]},
    "weight_decay": {"float": [1e-5, 1e-1], "log": True},
    "dropout": {"float": [0.0, 0.5]},
}
_BOOSTING = {
    "learning_rate": {"float": [0.01, 1.0], "log": True},
    "max_depth": {"int": [1, 7]},
    "subsample": {"float": [0.3, 1.0]},
    "min_samples_leaf": {"int": [1, 30], "log": True},
}


def trainer(schedule: str, optimizer: str) -> dict[str, Any]:
    """A study of the suite's own trainer."""
    fixed = {"epochs": _EPOCHS, "schedule": schedule, "optimizer": optimizer, "warmup": 0.0}
    momentum = {"momentum": 0.9} if optimizer == "sgd" else {}
    what = {"objective": "mlp", "data": "digits", "goal": "minimize val_loss"}
    return {**what, "search": _MLP, "fixed": {**fixed, **momentum}}


def boosting(name: str) -> dict[str, Any]:
    """A study of gradient boosting on bundled or generated data."""
    x, y = _DATA[name]()
    labels = y.dtype.kind in "iu"
    model = GradientBoostingClassifier if labels else GradientBoostingRegressor
    parts = train_test_split(x, y, test_size=0.4, random_state=0, stratify=y if labels else None)

    def train(*, epochs: int = _STAGES, seed: int = 0, **knobs: Any) -> Iterator[dict[str, float]]:
        fitted = model(n_estimators=epochs, random_state=seed, **knobs).fit(parts[0], parts[2])
        staged = fitted.staged_predict_proba(parts[1]) if labels else fitted.staged_predict(parts[1])
        for predicted in staged:
            yield {"loss": float((log_loss if labels else mean_squared_error)(parts[3], predicted))}

    return {"objective": live(train), "goal": "minimize loss", "search": _BOOSTING, "fixed": {"epochs": _STAGES}}


_DATA = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "friedman": lambda: make_friedman1(600, noise=1.0, random_state=0),
    "wine": lambda: load_wine(return_X_y=True),
}

STUDIES: Mapping[str, Any] = {
    "trainer adamw cosine": lambda: trainer("cosine", "adamw"),
    "trainer adamw constant": lambda: trainer("constant", "adamw"),
    "trainer sgd cosine": lambda: trainer("cosine", "sgd"),
    "trainer sgd constant": lambda: trainer("constant", "sgd"),
    **{f"boosting {name}": lambda name=name: boosting(name) for name in _DATA},
}


def record(study: Mapping[str, Any]) -> dict[str, Any]:
    """Space, places in the unit cube and complete curves of random recipes; NaN from where one failed."""
    how = {"sampler": "random", "pruner": "none", "confirm": "none", "storage": ":memory:", "seed": 5}
    everything = {**study, "name": "recorded", "budget": {"trials": _RECIPES}, **how}
    found = hpo.run(everything).report
    space, horizon = space_from(found.definition["space"]), int(study["fixed"]["epochs"])
    curves = np.full((len(found.trials), horizon), np.nan)
    for row, trial in zip(curves, found.trials, strict=True):
        row[: len(trial.curve)] = [value for _, value in trial.curve]
    units = [[p.domain.to_unit(trial.point[p.name]) for p in space] for trial in found.trials]
    return {"space": json.dumps(space_plain(space)), "units": np.array(units), "curves": curves}


def main() -> None:
    """Record what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the tables")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for name, study in STUDIES.items():
        path = folder / f"{name.replace(' ', '-')}.npz"
        if not path.exists():
            np.savez_compressed(path, name=name, **record(study()))
            print(name, flush=True)


if __name__ == "__main__":
    main()
