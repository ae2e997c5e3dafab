"""How busy cohorts on several workers are whose trials are of unlike speed: rounds together, and free.

A quarter of the trials takes 20 times as long for a step as the rest. A step sleeps, so that the machine's cores and
load play no part; the trials go through the executor alone, without sampler, pruner or store. Utilisation is the share
of the workers' time, from the first step to the last, in which they train.

    python benchmarks/rounds.py [--trials 24] [--epochs 8] [--ways 2x1,4x1,2x4] > benchmarks/results/rounds.json
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

MODEL = """
import time, torch

class Slow(torch.nn.Module):
    def __init__(self, pause):
        super().__init__()
        self.layer, self.pause = torch.nn.Linear(3, 2), pause

    def forward(self, x):
        time.sleep(self.pause)
        return self.layer(x)

def build(*, pause: float = 0.0):
    return Slow(pause)

def data(*, split_seed: int = 0):
    x = torch.randn(48, 3, generator=torch.Generator().manual_seed(split_seed))
    y = (x[:, 0] > 0).long()
    return {"train": (x[:32], y[:32]), "validation": (x[32:], y[32:])}
"""
FAST, SLOW = 0.01, 0.2
"""Seconds of a forward pass."""


def utilisation(rounds: str, workers: int, lanes: int, trials: int, epochs: int) -> dict[str, float]:
    """Train the trials, a new one whenever a lane is free; share of the workers' time that they train, and seconds."""
    from hpo.search.executors import cohort
    from hpo.search.terms.job import Finished, Job, Point, Task

    pauses = [SLOW if number % 4 == 0 else FAST for number in range(trials)]
    random.Random(0).shuffle(pauses)
    jobs = [
        Job(number, {"epochs": epochs, "seed": number, "pause": pause, "batch_size": 32})
        for number, pause in enumerate(pauses)
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.py").write_text(MODEL)
        task = Task(f"{folder}/model.py", folder=folder)
        with closing(cohort.make(task, workers=workers, lanes=lanes, rounds=rounds)) as executor:  # type: ignore[arg-type]
            for _ in range(2):  # the first time loads what it takes
                began, trained, left, queue, running = time.perf_counter(), 0.0, trials, list(jobs), 0
                while left:
                    while queue and running < executor.lanes:
                        executor.admit(queue.pop(0))
                        running += 1
                    for event in executor.advance():
                        if isinstance(event, Point):
                            trained += event.seconds
                        elif isinstance(event, Finished):
                            left, running = left - 1, running - 1
                        else:
                            raise SystemExit(f"a trial did not end: {event}")
                took = time.perf_counter() - began
    return {"utilisation": round(trained / took / workers, 2), "seconds": round(took, 1)}


def main() -> None:
    """Measure, and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--ways", default="2x1,4x1,2x4", help="workers x lanes of each")
    arguments = parser.parse_args()
    found = {}
    for way in arguments.ways.split(","):
        workers, lanes = map(int, way.split("x"))
        found[way] = {
            rounds: utilisation(rounds, workers, lanes, arguments.trials, arguments.epochs)
            for rounds in ("together", "free")
        }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    facts = {"commit": commit.stdout.strip(), "machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({**facts, "trials": arguments.trials, "epochs": arguments.epochs, "ways": found}, indent=1))


if __name__ == "__main__":
    main()
