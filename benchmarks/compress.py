"""How small a trained network becomes at what accuracy, and how much faster its ONNX file of 8 bits is.

    python benchmarks/compress.py                                                  digits
    python benchmarks/compress.py --table online_shoppers.csv.gz --target Revenue  a table

For each split an mlp is trained, a study of `objective: compress` searches its front of accuracy and kilobytes, and
the smallest recipe whose fresh runs keep the validation accuracy to half a point is trained again with other seeds.
Told are test accuracies, which no choice has seen, and sizes of the files of weights. Latencies are those of the last
split's network and its ONNX files on one thread, of 1 and of 64 rows: the median of several turns, sides taken in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hpo
from hpo.objectives.compression.latency import latency
from hpo.search.cli import main as command

HERE = Path(__file__).resolve().parent
ALLOWED = 0.005
SEARCH = {
    "prune": {"float": [0, 0.95]},
    "prune_by": {"choice": ["global", "layer", "rows"]},
    "int8": {"choice": [False, True]},
    "rank": {"choice": [0, 8, 16, 32]},
    "learning_rate": {"float": [3e-4, 1e-2], "log": True},
    "alpha": {"float": [0, 0.9]},
    "temperature": {"float": [1, 4]},
}


def told(*words: str) -> None:
    """Run a command of the suite without its output."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        if command(list(words)):
            raise SystemExit(f"hpo {' '.join(words)} failed")


def trained(recipe: str, folder: str, *more: str) -> dict[str, float]:
    """Train a recipe into a folder: validation and test accuracy, and the size of its weights."""
    told("train", recipe, "--output", folder, "--force", "--yes", *more)
    metrics = json.loads(Path(folder, "metrics.json").read_text())
    size = Path(folder, "weights.safetensors").stat().st_size / 1000
    found = {"validation": metrics["validation"]["val_accuracy"], "test": metrics["test"]["accuracy"]}
    return {**found, "kilobytes": size}


def compressed(data: Any, width: int, split: int, trials: int, seeds: int) -> dict[str, Any]:
    """One split: the source, the front, and what was chosen of it, in fresh runs."""
    about = {"study": "source", "objective": "mlp", "data": data, "split_seed": split, "goal": "minimize val_loss"}
    recipe = {"width": width, "epochs": 20, "schedule": "cosine", "seed": split}
    Path("source.yaml").write_text(json.dumps({"recipe": recipe, "about": {**about, "folder": str(Path.cwd())}}))
    source = trained("source.yaml", "source")
    study = {
        "name": f"compress-{split}", "objective": "compress", "data": {"model": {"path": "source"}},
        "goal": ["maximize val_accuracy", "minimize kilobytes"], "search": SEARCH, "seed": split,
        "fixed": {"epochs": 6, "schedule": "cosine"}, "budget": {"trials": trials}, "sampler": "nsga2",
        "confirm": {"top": 6, "seeds": 2}, "storage": "search.db",
    }  # fmt: skip
    result = hpo.run(study, fresh=True)
    result.export("best.yaml")
    winner = result.report.winner
    assert winner is not None
    front = [{"val_accuracy": c.mean[0], "kilobytes": c.mean[1], "trial": c.trial} for c in winner.candidates]
    fine = [at for at, c in enumerate(front) if c["val_accuracy"] >= source["validation"] - ALLOWED]
    at = min(fine or range(len(front)), key=lambda i: front[i]["kilobytes"])
    runs = [trained("best.yaml", "small", "--pick", str(at + 1), "--seed", str(1000 + seed)) for seed in range(seeds)]
    small = {name: statistics.fmean(run[name] for run in runs) for name in runs[0]}
    return {
        "split": split, "source": source, "front": front, "chosen": front[at]["trial"], "small": small,
        "times smaller": source["kilobytes"] / small["kilobytes"], "test gained": small["test"] - source["test"],
    }  # fmt: skip


def speeds(turns: int) -> dict[str, Any]:
    """Milliseconds of one row, of the last source and its files."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = hpo.load("source")
    forward = model.predictor.forward()
    sides: dict[str, Any] = {"PyTorch, this suite": lambda x: forward(x.unsqueeze(0))}
    sizes = {}
    for name, words in (("onnxruntime", ()), ("onnxruntime, int8", ("--int8",))):
        told("export", "source", "--output", "file.onnx", "--force", *words)
        session = onnxruntime.InferenceSession("file.onnx", options, providers=["CPUExecutionProvider"])
        sides[name] = lambda x, session=session: session.run(None, {"inputs": x.numpy()})
        sizes[name] = Path("file.onnx").stat().st_size / 1000
    found: dict[str, Any] = {"file, kilobytes": sizes}
    for rows in (1, 64):
        inputs = torch.randn((rows, *model.shape))
        every = {name: [latency(side, inputs).median for _ in range(turns)] for name, side in sides.items()}
        middle = {name: float(np.median(times)) for name, times in every.items()}
        found[f"{rows} rows"] = {
            "milliseconds": {name: [middle[name], min(times), max(times)] for name, times in every.items()},
            "int8 times faster than onnxruntime": middle["onnxruntime"] / middle["onnxruntime, int8"],
            "int8 times faster than PyTorch": middle["PyTorch, this suite"] / middle["onnxruntime, int8"],
        }
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--target")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "compress.json")
    chosen = parser.parse_args()
    data: Any = "digits"
    output, name = chosen.output.resolve(), "digits"
    if chosen.table is not None:
        path = chosen.table.resolve()
        data, name = {"table": {"path": str(path), "target": chosen.target}}, path.name.partition(".")[0]
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        splits = []
        for split in range(chosen.splits):
            splits.append(compressed(data, chosen.width, split, chosen.trials, chosen.seeds))
            print(name, json.dumps({key: value for key, value in splits[-1].items() if key != "front"}), flush=True)
        gained = [row["test gained"] for row in splits]
        found = {
            **about(),
            "times smaller": [row["times smaller"] for row in splits],
            "test accuracy gained": gained,
            "mean gained": statistics.fmean(gained),
            "latency": speeds(chosen.turns),
            "splits": splits,
        }
    print(name, json.dumps(found["latency"]), flush=True)
    before = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    output.write_text(json.dumps({**before, name: rounded(found)}, indent=1) + "\n", encoding="utf-8")


def about() -> dict[str, Any]:
    """How this can be measured again: names of files, not where they lie."""
    packages = ("hpo-suite", "optuna", "numpy", "scikit-learn", "torch", "onnx", "onnxruntime", "onnxscript")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout
    return {
        "command": " ".join(["python benchmarks/compress.py", *(Path(word).name for word in sys.argv[1:])]),
        "commit": commit.strip(),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread, a shared machine",
    }


def rounded(value: Any) -> Any:
    """Floats to four significant digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
