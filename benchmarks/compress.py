"""How small a trained network becomes at what cost in its score, and how much faster its ONNX file of 8 bits is.

    python benchmarks/compress.py                                                  digits
    python benchmarks/compress.py --table online_shoppers.csv.gz --target Revenue  a table
    python benchmarks/compress.py --text words.txt                                 a language model

For each split a network is trained, a study of `objective: compress` searches its front of score and kilobytes, and
what `hpo export --within` chooses, the smallest that is for sure at most so much worse on the validation part than the
best of the front, is trained again with other seeds. Told are scores of the test part, which no choice has seen, and
sizes of the files of weights. Latencies are those of networks of several widths and their ONNX files on one thread, of
1 and of 64 rows: the median of several turns, sides taken in turn.
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
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hpo
from hpo.objectives.compression.latency import latency
from hpo.search.cli import main as command

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Kind:
    """What is made smaller.

    Attributes:
        objective, recipe: of the source; its width is added.
        fixed: how it is trained on.
        metric: of the test part.
        goal: of the search.
        allowed: distance from the best of the front on the validation part.
    """

    objective: str
    recipe: dict[str, Any]
    fixed: dict[str, Any]
    metric: str
    goal: str
    allowed: float


ROWS = Kind(
    "mlp", {"epochs": 20, "schedule": "cosine"}, {"epochs": 6, "schedule": "cosine"}, "accuracy",
    "maximize val_accuracy", 0.005,
)  # fmt: skip
TEXT = Kind(
    "gpt", {"depth": 2, "heads": 4, "context": 64, "max_steps": 600, "score_bytes": 16384},
    {"max_steps": 150, "eval_every": 50, "batch_size": 12, "clip_norm": 1.0, "schedule": "cosine"}, "bpb",
    "minimize val_bpb", 0.05,
)  # fmt: skip
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
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        if command(list(words)):
            raise SystemExit(f"hpo {' '.join(words)} failed")


def trained(kind: Kind, recipe: str, folder: str, *more: str) -> dict[str, float]:
    """Train a recipe into a folder: its score on validation and test part, and the size of its weights."""
    told("train", recipe, "--output", folder, "--force", "--yes", *more)
    metrics = json.loads(Path(folder, "metrics.json").read_text())
    size = Path(folder, "weights.safetensors").stat().st_size / 1000
    found = {"validation": metrics["validation"][f"val_{kind.metric}"], "test": metrics["test"][kind.metric]}
    return {**found, "kilobytes": size}


def source(kind: Kind, data: Any, split: int, folder: str, **knobs: Any) -> dict[str, float]:
    """Train what is to be made smaller."""
    about = {"study": folder, "objective": kind.objective, "data": data, "split_seed": split, "goal": kind.goal}
    recipe = {**kind.recipe, "seed": split, **knobs}
    Path(f"{folder}.yaml").write_text(json.dumps({"recipe": recipe, "about": {**about, "folder": str(Path.cwd())}}))
    return trained(kind, f"{folder}.yaml", folder)


def compressed(kind: Kind, data: Any, width: int, split: int, trials: int, seeds: int) -> dict[str, Any]:
    """One split: the source, the front, and what was chosen of it, in fresh runs."""
    whole = source(kind, data, split, "source", width=width)
    study = {
        "name": f"compress-{split}", "objective": "compress", "source": "./source",
        "goal": [kind.goal, "minimize kilobytes"], "search": SEARCH, "seed": split, "fixed": kind.fixed,
        "budget": {"trials": trials}, "sampler": "nsga2", "confirm": {"top": 6, "seeds": 4}, "storage": "search.db",
    }  # fmt: skip
    result = hpo.run(study, fresh=True)
    result.export("best.yaml", within=kind.allowed)
    winner = result.report.winner
    assert winner is not None
    front = [
        {"trial": c.trial, f"val_{kind.metric}": c.mean[0], "half": c.halves()[0], "kilobytes": c.mean[1]}
        for c in winner.candidates
    ]
    runs = [trained(kind, "best.yaml", "small", "--seed", str(1000 + seed)) for seed in range(seeds)]
    small = {name: statistics.fmean(run[name] for run in runs) for name in runs[0]}
    return {
        "split": split, "source": whole, "front": front, "small": small,
        "times smaller": whole["kilobytes"] / small["kilobytes"], "test gained": small["test"] - whole["test"],
        "its runs": [run["test"] - whole["test"] for run in runs],
    }  # fmt: skip


def speeds(kind: Kind, data: Any, width: int, turns: int) -> dict[str, Any]:
    """Milliseconds of a network of this width and of its files; how well it was trained does not matter."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    short = {"max_steps": 2} if kind is TEXT else {"epochs": 1}
    source(kind, data, 0, "timed", width=width, **short)
    model = hpo.load("timed")
    forward = model.predictor.forward()
    sides: dict[str, Any] = {"PyTorch, this suite": lambda x: forward(x.unsqueeze(0))}
    sizes = {}
    for name, words in (("onnxruntime", ()), ("onnxruntime, int8", ("--int8",))):
        told("export", "timed", "--output", "file.onnx", "--force", *words)
        session = onnxruntime.InferenceSession("file.onnx", options, providers=["CPUExecutionProvider"])
        sides[name] = lambda x, session=session: session.run(None, {"inputs": x.numpy()})
        sizes[name] = Path("file.onnx").stat().st_size / 1000
    found: dict[str, Any] = {"file, kilobytes": sizes}
    for rows in (1, 64):
        shape = (rows, *model.shape)
        inputs = torch.randint(0, model.symbols, shape) if model.symbols else torch.randn(shape)
        every: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(turns):
            for name, side in sides.items():
                every[name].append(latency(side, inputs).median)
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
    parser.add_argument("--text", type=Path)
    parser.add_argument("--width", type=int)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--timed", type=int, nargs="*", default=[64, 256, 512, 1024], help="widths")
    parser.add_argument("--only-timed", action="store_true", help="measure latencies alone, and keep the rest")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "compress.json")
    chosen = parser.parse_args()
    kind, data, name, width = ROWS, "digits", "digits", chosen.width or 512
    output, file = chosen.output.resolve(), (chosen.table or chosen.text or Path()).resolve()
    if chosen.table is not None:
        data, name = {"table": {"path": str(file), "target": chosen.target}}, file.name.partition(".")[0]
    if chosen.text is not None:
        kind, name, width = TEXT, file.name.partition(".")[0], chosen.width or 64
        data = {"text": {"path": str(file), "documents": "blank"}}
    before = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    found = before.get(name, {}) if chosen.only_timed else {}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        splits = []
        for split in range(0 if chosen.only_timed else chosen.splits):
            splits.append(compressed(kind, data, width, split, chosen.trials, chosen.seeds))
            print(name, json.dumps({key: value for key, value in splits[-1].items() if key != "front"}), flush=True)
        if splits:
            gained = [row["test gained"] for row in splits]
            found = {
                **about(),
                "times smaller": [row["times smaller"] for row in splits],
                f"test {kind.metric} gained": gained,
                "mean gained": statistics.fmean(gained),
                "splits": splits,
            }
        if chosen.timed:
            timed = {f"width {own}": speeds(kind, data, own, chosen.turns) for own in chosen.timed}
            found["latency"] = {**about(), **timed}
    print(name, json.dumps(found.get("latency")), flush=True)
    before = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}  # another may have written
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
