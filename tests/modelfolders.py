"""Trained models for tests: recipes written by hand and trained by the command, in a folder of their own."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpo.search.cli import main

NETWORK = """
import numpy
import torch

def build(*, width: int = 4):
    first = torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.BatchNorm1d(width), torch.nn.Tanh())
    return torch.nn.Sequential(*first, torch.nn.Linear(width, 2))

def data(*, split_seed: int = 0):
    x = numpy.random.default_rng(split_seed).normal(size=(90, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    return x[:40], y[:40], x[40:60], y[40:60], x[60:], y[60:]
"""

OWN = """
import json

class Model:
    def __init__(self, slope):
        self.slope = slope
    def save(self, folder):
        (folder / "slope.json").write_text(json.dumps(self.slope))
        return [folder / "slope.json"]
    def predict(self, rows):
        return rows["x"] * self.slope

def train(*, slope: float = 2.0):
    yield {"val_loss": abs(slope - 3)}
    return Model(slope)

def load(folder):
    return Model(json.loads((folder / "slope.json").read_text()))
"""


def customers(rows: int = 1400, seed: int = 1) -> pd.DataFrame:
    """Gaps, dates, decimal commas, rare and padded categories, categories of digits, and ids."""
    rng = np.random.default_rng(seed)
    leaves = rng.random(rows) < 0.4
    plan = rng.choice(["basic", "plus ", "NA", "pro"], rows).astype(object)
    plan[:2] = ["odd", "rare"]
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9000, rows), unit="h")
    return pd.DataFrame(
        {
            "id": [f"c{i:05d}" for i in range(rows)],
            "seen": moments.strftime("%Y-%m-%d %H:%M"),
            "plan": plan,
            "minutes": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(200 - 40 * leaves, 40, rows)),
            "paid": [f"{value:.2f}".replace(".", ",") for value in rng.normal(20 + 3 * leaves, 4, rows)],
            "zone": [*["x1"] * 5, *(f"0{zone}" for zone in rng.integers(1, 4, rows - 5))],
            "churned": np.where(leaves, "yes", "no"),
            "amount": rng.normal(50, 9, rows) + 20 * leaves,
        }
    )


def table(target: str) -> dict[str, Any]:
    """Data of a study: the customers' table."""
    return {"table": {"path": "customers.csv", "target": target}}


RECIPES: dict[str, tuple[str, dict[str, Any], Any, str]] = {
    "classes": ("mlp", {"epochs": 2, "width": 8}, table("churned"), "minimize val_loss"),
    "values": ("mlp", {"epochs": 2, "width": 8}, table("amount"), "minimize val_loss"),
    "images": ("cnn", {"epochs": 1, "channels": 4, "depth": 1}, "digits", "minimize val_loss"),
    "forest": (
        "sklearn", {"estimator": "RandomForestClassifier", "n_estimators": 8, "epochs": 2}, table("churned"),
        "maximize val_accuracy",
    ),
    "ridge": ("sklearn", {"estimator": "Ridge", "folds": 2, "alpha": 1.0}, table("amount"), "minimize val_rmse"),
    "hinge": ("sklearn", {"estimator": "LinearSVC", "folds": 2}, table("churned"), "maximize val_accuracy"),
    "module": ("./network.py", {"epochs": 2, "width": 4}, None, "minimize val_loss"),
    "own": ("./own.py", {"slope": 2.5}, None, "minimize val_loss"),
}  # fmt: skip
"""Objective, recipe, data and goal of each."""

SMALL: dict[str, Any] = {
    "depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 4, "eval_every": 2, "score_bytes": 600,
    "batch_size": 4,
}  # fmt: skip
CORPUS = {"text": {"path": "words.jsonl", "field": "body"}}

TEXTS: dict[str, tuple[str, dict[str, Any], Any, str]] = {
    "stream": ("gpt", {**SMALL, "tokenizer": "char"}, CORPUS, "minimize val_bpb"),
    "pairs": (
        "gpt", {**SMALL, "tokenizer": "bpe", "vocabulary": 290, "pack": "documents", "tied": True}, CORPUS,
        "minimize val_bpb",
    ),
    "hidden": ("masked", {**SMALL, "pack": "pad", "positions": "rotary"}, CORPUS, "minimize val_bpb"),
}  # fmt: skip
"""The same of text."""


def words(count: int = 120, seed: int = 0) -> list[str]:
    """Documents of a few words, some in letters of two bytes."""
    draw = random.Random(seed)
    known = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", "æble", "naïve"]
    return [" ".join(draw.choice(known) for _ in range(draw.randint(4, 40))) for _ in range(count)]


SUITE = [name for name in RECIPES if name != "own"]
TABLES = ["classes", "values", "forest", "ridge", "hinge"]


def written(folder: Path) -> None:
    """Write data, code and a recipe file of each into a folder."""
    customers().to_csv(folder / "customers.csv", index=False)
    (folder / "network.py").write_text(NETWORK)
    (folder / "own.py").write_text(OWN)
    lines = [json.dumps({"body": text, "id": number}) for number, text in enumerate(words())]
    (folder / "words.jsonl").write_text("\n".join(lines))
    for name, (objective, recipe, data, goal) in {**RECIPES, **TEXTS}.items():
        about = {"study": name, "objective": objective, "data": data, "folder": str(folder), "goal": goal}
        content = {"recipe": {**recipe, **({} if name == "own" else {"seed": 3})}, "about": about}
        (folder / f"{name}.yaml").write_text(json.dumps(content))


def trained(folder: Path, name: str) -> Path:
    """Train one of them; ``folder`` is the working directory and has been written."""
    assert main(["train", f"{name}.yaml", "--yes", "--output", str(folder / name)]) == 0
    return folder / name
