"""What a point costs this process where actors of a Ray cluster train, and how busy lanes of uneven steps are.

A local Ray is started. ``events``: trials of steps that take no time, random sampling, no pruning, SQLite; CPU time of
this process, Ray's threads in it included, from the end of the first trial on, by points and ends. ``lanes``: eight
actors, a quarter of the trials with steps of a second, the rest with 0.05 s; the share of lane time that went into
steps (those under way not counted), from the first trial's start to the last one's.

    python benchmarks/ray_overhead.py
"""

from __future__ import annotations

import json
import os
import platform
import resource
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from hpo.search import studyfile
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.store import open_store

OBJECTIVE = """
import time

def train(*, x=0.0, slow=0, epochs=10):
    for epoch in range(epochs):
        time.sleep(0.0 if slow < 0 else 1.0 if slow == 3 else 0.05)
        yield {"value": (x - 0.3) ** 2 + 1.0 / (epoch + 1)}
"""


class Clock(Progress):
    """CPU and wall time from the first trial's end to the last's, and, where that is asked for, how busy lanes are."""

    def __init__(self, lanes: bool) -> None:
        self.events = 0
        self._lanes = lanes
        self.starts: list[tuple[float, float, int]] = []
        self.first = self.busy = 0.0

    def opened(self, loop: Any, phase: str) -> None:
        """Keep the loop."""
        self.loop = loop

    def started(self, entry: Any) -> None:
        """Look how busy lanes were."""
        if not self._lanes:  # it adds up all trials
            return
        now = time.perf_counter()
        self.first = self.first or now
        trained = sum(each.seconds + each.unstored for each in self.loop.ledger.entries)
        self.busy = trained / max(1e-9, self.loop.executor.lanes * (now - self.first))

    def moved(self, entry: Any) -> None:
        """Count a point."""
        self.events += 1

    def ended(self, entry: Any) -> None:
        """Count an end, and look at the clocks."""
        self.events += 1
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.starts.append((time.perf_counter(), used.ru_utime + used.ru_stime, self.events))


def measured(folder: Path, name: str, slow: Any, workers: int, trials: int, executor: str) -> Clock:
    """One study."""
    (folder / "objective.py").write_text(OBJECTIVE)
    chosen: dict[str, Any] = {"ray": {"address": "local"}} if executor == "ray" else {executor: {}}
    study = {
        "name": name, "objective": "./objective.py", "goal": "minimize value", "sampler": "random", "pruner": "none",
        "search": {"x": {"float": [0.0, 1.0]}, **({"slow": slow} if isinstance(slow, dict) else {})},
        "fixed": {} if isinstance(slow, dict) else {"slow": slow}, "confirm": "none", "budget": {"trials": trials},
        "executor": chosen, "workers": workers, "storage": str(folder / f"{name}.db"),
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(json.dumps(study))
    clock = Clock(lanes=isinstance(slow, dict))
    engine.run(studyfile.read(folder / f"{name}.yaml"), store=open_store(study["storage"]), progress=clock)
    return clock


def main() -> None:
    """Measure, and print as JSON."""
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.chdir(folder)
        for executor in ("processes", "ray"):
            clock = measured(folder, f"events-{executor}", -1, 2, 100, executor)
            (began, cpu, events), (ended, used, last) = clock.starts[0], clock.starts[-1]
            found[f"{executor}: ms CPU an event"] = round(1000 * (used - cpu) / (last - events), 3)
            found[f"{executor}: ms an event"] = round(1000 * (ended - began) / (last - events), 3)
        clock = measured(folder, "lanes", {"int": [0, 3]}, 8, 96, "ray")
        found["ray: share of the time in which eight uneven lanes train"] = round(clock.busy, 3)
    import ray

    found["ray"] = ray.__version__
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
