"""Memory, descriptors and processes stay flat over thousands of trials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, sys
import hpo
from hpo.search.engine.context import Progress

class Watching(Progress):
    seen = []
    def ended(self, entry):
        if entry.number in (400, 1999):
            pages = int(open("/proc/self/statm").read().split()[1])
            mine = str(os.getpid())
            children = [p for p in os.listdir("/proc") if p.isdigit() and parent(p) == mine]
            size = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            self.seen.append([size, len(os.listdir("/proc/self/fd")), len(children)])

def parent(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
    except OSError:
        return ""

watching = Watching()
hpo.run(json.loads(sys.argv[1]), progress=watching)
print(json.dumps(watching.seen))
"""

MODEL = """
def train(*, x: float = 0.0, epochs: int = 3, seed: int = 0):
    for epoch in range(epochs):
        yield {"loss": x + epoch}
"""

COHORT = """
import torch
from hpo.objectives.networks.layers import Linear, Sequential

def build(*, width: int = 2):
    return Sequential((Linear(width), Linear()))

def data():
    x = torch.linspace(-1, 1, 32).reshape(16, 2)
    return {"train": (x, x[:, :1]), "validation": (x, x[:, :1])}
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("model", "executor"),
    [
        (MODEL, "inline"),
        (MODEL, {"processes": {"workers": 2}}),
        (COHORT, "cohort"),
        (COHORT, {"cohort": {"workers": 2, "lanes": 8}}),
    ],
)
@pytest.mark.parametrize("pruner", ["successive-halving", "none"])
def test_two_thousand_trials_cost_what_four_hundred_do(tmp_path: Path, model: str, executor: Any, pruner: str) -> None:
    (tmp_path / "model.py").write_text(model)
    knob = {"x": {"float": [0, 1]}} if model is MODEL else {"learning_rate": {"float": [1e-3, 1e-1], "log": True}}
    study = {
        "objective": "./model.py", "goal": "minimize loss" if model is MODEL else "minimize val_loss", "search": knob,
        "sampler": "random", "pruner": pruner, "executor": executor, "confirm": "none", "budget": {"trials": 2000},
        "fixed": {"epochs": 3}, "storage": "s.db", "name": "flat",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(study)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    early, late = json.loads(done.stdout.splitlines()[-1])
    assert late[1:] == early[1:], "descriptors and children"
    assert late[0] < early[0] + 40, "MiB: 1,600 more trials are held at about 20 kB each at most"
