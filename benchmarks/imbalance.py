"""What evens out two unlike classes: a threshold, class weights, or other training rows; on splits of a table.

Gradient boosting of fixed knobs is trained on each split and measured on its test part, which no choice saw: the
threshold is tuned on the validation part. Averages and their standard errors over splits.

    python benchmarks/imbalance.py online_shoppers.csv.gz --target Revenue [--splits 8] [--output FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from rows import markdown, mean_and_error

from hpo.objectives import sklearn

KNOBS: dict[str, Any] = {
    "estimator": "HistGradientBoostingClassifier", "max_iter": 150, "learning_rate": 0.05, "min_samples_leaf": 40,
    "epochs": 1, "scoring": "f1",
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "threshold: balanced_accuracy": {"threshold": "balanced_accuracy"},
    "class_weight: balanced": {"class_weight": "balanced"},
    "resample: over": {"resample": "over"},
    "resample: under": {"resample": "under"},
    "resample: smote": {"resample": "smote"},
}
METRICS = ("balanced_accuracy", "average_precision", "f1", "log_loss")


def tested(data: Any, split: int, way: dict[str, Any]) -> dict[str, float]:
    """Test metrics of a model trained on a split."""
    run = sklearn.train(data=data, split_seed=split, seed=split, **KNOBS, **way)
    while True:
        try:
            next(run)
        except StopIteration as end:
            found: dict[str, float] = end.value.test()
            return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    data = {"table": {"path": str(options.table), "target": options.target}}
    ways = {name: way for name, way in WAYS.items() if "smote" not in name or importlib.util.find_spec("imblearn")}
    rows = []
    for name, way in ways.items():
        found = [tested(data, split, way) for split in range(options.splits)]
        rows.append({"way": name, **{key: mean_and_error(np.array([each[key] for each in found])) for key in METRICS}})
        print(rows[-1], flush=True)
    print(markdown(rows))
    if options.output:
        versions = {package: metadata.version(package) for package in ("numpy", "scikit-learn")}
        command = f"python benchmarks/imbalance.py {options.table.name} --target {options.target}"
        about = {"command": f"{command} --splits {options.splits}", "python": platform.python_version(), **versions}
        options.output.write_text(json.dumps({"about": about, "knobs": KNOBS, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
