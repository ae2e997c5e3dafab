"""What starting from trained weights brings, against training from scratch at equal cost, in each form that it has.

    python benchmarks/reuse.py images --source mnist_small.npz --target fashion8.npz
    python benchmarks/reuse.py text --target input.txt

``images``: a small convolutional network, trained on digits, goes on to 200 images of clothes, both averaged to half
their height and width; each form trains as many epochs at each of the same rates, the rate is chosen by 200 validation
images, and all test images are counted. ``text``: a small GPT, trained on the sources of the Python standard library,
goes on to a text of another kind, in bits per byte by step; the rate is chosen by the last point. Both have a row that
is trained from scratch for as many steps as the source and the other rows together. Five seeds draw everything anew,
the 200 images too. Each part is laid beside the other into the file that is named, such as
benchmarks/results/reuse.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from rows import markdown

from hpo.objectives import trainer
from hpo.search.terms import registry
from hpo.search.terms.job import Task

SEEDS = 5
IMAGES, CHOSEN_BY = 200, 200
CNN: dict[str, Any] = {"channels": 8, "depth": 2, "batch_size": 32}
SOURCE_EPOCHS, EPOCHS = 3, 15
GPT: dict[str, Any] = {
    "depth": 2, "width": 32, "heads": 2, "context": 32, "batch_size": 8, "score_bytes": 4096, "eval_every": 20,
}  # fmt: skip
SOURCE_STEPS, STEPS = 800, 120
RATES = (3e-3, 1e-2)

FORMS: dict[str, dict[str, Any]] = {
    "from scratch": {},
    "all weights": {},
    "layer_decay 0.5": {"layer_decay": 0.5},
    "freeze 1": {"freeze": 1},
    "freeze 2": {"freeze": 2},
    "lora_rank 4": {"lora_rank": 4},
}
HEAD_ALONE = {"head alone (freeze 4)": {"freeze": 4}}


def train(objective: str, recipe: dict[str, Any], data: Any, start: Path | None) -> tuple[list[dict[str, float]], Any]:
    """Curve and model of one run."""
    module = registry.load("objective", objective)
    task = Task(objective, data, start_from=None if start is None else str(start))
    run, curve = trainer.train_alone(module, task, {**getattr(module, "DEFAULTS", {}), **recipe}), []
    while True:
        try:
            curve.append(next(run))
        except StopIteration as stopped:
            return curve, stopped.value


def halved(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """8-bit images [n, h, w] with the mean of each two by two pixels for one."""
    count, height, width = x.shape
    return x.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4)).round().astype(np.uint8)


def put(path: Path, seed: int | None, folder: Path) -> dict[str, Any]:
    """Data of a study: all of a file, or some images to train on, some to choose by, and the file's own test part."""
    with np.load(path) as file:
        parts = {f"{kind}_{part}": file[f"{kind}_{part}"] for kind in "xy" for part in ("train", "val", "test")}
    if seed is not None:
        drawn = np.random.default_rng(seed).permutation(len(parts["x_train"]))[: IMAGES + CHOSEN_BY]
        for kind in "xy":
            own = parts[f"{kind}_train"][drawn]
            parts[f"{kind}_train"], parts[f"{kind}_val"] = own[:IMAGES], own[IMAGES:]
    made = {name: halved(value) if name.startswith("x") else value for name, value in parts.items()}
    np.savez(folder / f"{path.stem}-{seed}.npz", **made)
    return {"npz": {"path": str(folder / f"{path.stem}-{seed}.npz")}}


def images(chosen: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Test accuracy of each form."""
    first = {**CNN, "learning_rate": RATES[0], "epochs": SOURCE_EPOCHS, "seed": 0}
    curve, source = train("cnn", first, put(chosen.source, None, folder), None)
    source.save(folder / "source")
    print(f"source: val_accuracy {curve[-1]['val_accuracy']:.3f}", flush=True)
    passes = EPOCHS + SOURCE_EPOCHS * len(source.setup.data.train) // IMAGES
    forms = {**FORMS, **HEAD_ALONE, "from scratch, as long as both": {"epochs": passes}}
    targets = [put(chosen.target, seed, folder) for seed in range(SEEDS)]
    found = []
    for name, knobs in forms.items():
        start = None if "scratch" in name else folder / "source" / "weights.safetensors"
        rates = RATES[:1] if "both" in name else RATES
        began, tested, picked = time.process_time(), [], []
        for seed, data in enumerate(targets):
            runs = [train("cnn", {**CNN, "epochs": EPOCHS, "learning_rate": rate, "seed": seed, **knobs}, data, start)
                    for rate in rates]  # fmt: skip
            best = min(range(len(rates)), key=lambda at: runs[at][0][-1]["val_loss"])
            tested.append(runs[best][1].test()["accuracy"])
            picked.append(rates[best])
        found.append(_row(name, tested, picked, time.process_time() - began, "test accuracy"))
    return found


def text(chosen: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Bits per byte of each form, by step."""
    before = {**GPT, "max_steps": SOURCE_STEPS, "learning_rate": RATES[0], "seed": 0, "eval_every": SOURCE_STEPS}
    curve, source = train("gpt", before, "stdlib", None)
    source.save(folder / "source")
    print(f"source: val_bpb {curve[-1]['val_bpb']:.3f}", flush=True)
    data = {"text": {"path": str(chosen.target.resolve())}}
    forms = {**FORMS, "from scratch, as long as both": {"max_steps": STEPS + SOURCE_STEPS}}
    found = []
    for name, knobs in forms.items():
        start = None if "scratch" in name else folder / "source" / "weights.safetensors"
        rates = RATES[:1] if "both" in name else RATES
        began, curves = time.process_time(), dict[float, list[list[float]]]()
        for rate in rates:
            curves[rate] = []
            for seed in range(SEEDS):
                recipe = {**GPT, "max_steps": STEPS, "learning_rate": rate, "seed": seed, **knobs}
                curves[rate].append([point["val_bpb"] for point in train("gpt", recipe, data, start)[0]])
        best = min(rates, key=lambda rate: statistics.fmean(curve[-1] for curve in curves[rate]))
        row = _row(name, [curve[-1] for curve in curves[best]], [best], time.process_time() - began, "val_bpb")
        row["by step"] = {str((at + 1) * GPT["eval_every"]): round(statistics.fmean(values), 4)
                          for at, values in enumerate(zip(*curves[best], strict=True))}  # fmt: skip
        found.append(row)
    return found


def _row(name: str, values: list[float], rates: list[float], seconds: float, what: str) -> dict[str, Any]:
    error = statistics.stdev(values) / len(values) ** 0.5
    row = {"form": name, what: round(statistics.fmean(values), 4), "error": round(error, 4), "rates": rates,
           "cpu seconds": round(seconds, 1)}  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Measure a part, print it, lay it into the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("images", "text"))
    parser.add_argument("--source", type=Path, help="arrays of images")
    parser.add_argument("--target", type=Path, required=True, help="arrays of images, or a text")
    parser.add_argument("--output", type=Path, help="a JSON file that the part is laid into")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        found = {"images": images, "text": text}[chosen.part](chosen, Path(folder))
    print(markdown([{name: value for name, value in row.items() if name not in ("by step", "rates")} for row in found]))
    if chosen.output:
        known = json.loads(chosen.output.read_text()) if chosen.output.exists() else {}
        versions = {package: metadata.version(package) for package in ("hpo-suite", "torch", "numpy")}
        given = f"--source {chosen.source.name} " if chosen.source else ""
        command = f"python benchmarks/reuse.py {chosen.part} {given}--target {chosen.target.name}"
        about = {"command": command, "python": platform.python_version(), **versions, "seeds": SEEDS}
        chosen.output.write_text(json.dumps({**known, chosen.part: {"about": about, "rows": found}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
