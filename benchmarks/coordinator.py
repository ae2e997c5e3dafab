"""What the coordinator of a search costs with 10 to 10,000 lanes: the real loop, sampler, pruner, ledger and store.

Only the training is simulated. A step takes one second on average, times a factor of its trial (lognormal, with a
spread of 1), and ten steps are a trial; the clock is the coordinator's own CPU time and jumps to the next point where
nothing is to be done, so lanes wait for a busy coordinator as long as they would. The CPU time is that of the whole
process, the thread that writes to the store included; a PostgreSQL server's own is not.

    python benchmarks/coordinator.py                                   # the table of docs/coordinator.md, an hour
    python benchmarks/coordinator.py --only 1000x3000:sqlite:tpe+successive-halving
    python benchmarks/coordinator.py --storage postgresql://user@host/database --only 1000x3000:postgresql:tpe+none

Each configuration, LANESxTRIALS:STORE:SAMPLER+PRUNER, has a process of its own:

    ms a trial, an event    CPU, from the first trial to the last
    fill                    CPU seconds until every lane was busy
    kB a trial              growth of the process's memory over the last half of the trials
    busy                    share of the lanes' time in which they trained, until no trial was left to start
    again                   CPU seconds of opening the study once more and drawing a recipe, in another process
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import math
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.terms.job import Event, Finished, Job, Point

KNOBS = 5
STEPS = 10
MAIN = [
    "10x1000:sqlite:tpe+successive-halving",
    "100x2000:sqlite:tpe+successive-halving",
    "1000x4000:sqlite:random+none",
    "1000x4000:sqlite:tpe+none",
    "1000x4000:sqlite:tpe+successive-halving",
    "1000x4000:sqlite:tpe+hyperband",
    "1000x4000:sqlite:tpe+median",
    "1000x4000:sqlite:tpe+learning-curve",
    "1000x4000:journal:tpe+successive-halving",
    "1000x4000:postgresql:tpe+successive-halving",
    "10000x11000:sqlite:random+none",
    "10000x11000:sqlite:tpe+successive-halving",
    "1000x100000:sqlite:tpe+successive-halving",
    "1000x100000:postgresql:tpe+successive-halving",
]


class Simulated(Executor):
    """Lanes that only take time.

    Args:
        lanes: how many.
        step: seconds of a step, on average.
        trip: seconds that a message to a lane and its answer take.
    """

    def __init__(self, lanes: int, step: float, trip: float = 0.001) -> None:
        self.lanes, self._step, self._trip = lanes, step, trip
        self._now, self._cpu = 0.0, time.process_time()
        self._due: list[tuple[float, int, int]] = []  # when, which trial, which step
        self._jobs: dict[int, tuple[Job, float]] = {}  # with the seconds of its steps
        self._told: list[tuple[int, int]] = []  # what starts with the next round
        self.trained = self.open = self.events = 0.0
        self.filled: float | None = None

    def admit(self, job: Job) -> None:
        """Give a trial a lane."""
        luck = random.Random(job.number).gauss(0.0, 1.0)
        self._jobs[job.number] = job, self._step * math.exp(luck - 0.5)
        self._told.append((job.number, job.done + 1))
        if self.filled is None and len(self._jobs) == self.lanes:
            self.filled = time.process_time() - self._cpu + self._now

    def advance(self) -> list[Event]:
        """The points that are due; where there are none the clock jumps to the next."""
        began = self._now
        cpu = time.process_time()
        self._now += cpu - self._cpu
        for number, step in self._told:
            if number in self._jobs:
                seconds = self._jobs[number][1] if step <= STEPS else 0.0
                heapq.heappush(self._due, (self._now + self._trip + seconds, number, step))
                self.trained += seconds
        self._told = []
        news: list[Event] = []
        while not news:
            self._now = max(self._now, self._due[0][0])
            while self._due and self._due[0][0] <= self._now:
                _, number, step = heapq.heappop(self._due)
                if number in self._jobs:
                    news.append(self._news(number, step))
        self.open += (self._now - began) * self.lanes
        self.events += len(news)
        self._cpu = time.process_time()
        return news

    def _news(self, number: int, step: int) -> Event:
        job, seconds = self._jobs[number]
        if step > STEPS:
            del self._jobs[number]
            return Finished(number)
        self._told.append((number, step + 1))
        x = [float(job.recipe[f"x{i}"]) for i in range(KNOBS)]
        value = (x[0] - 0.3) ** 2 + (x[1] - 0.6) ** 2 + x[2] + x[3] * x[4] + 1.0 / step
        return Point(number, step, {"value": value}, seconds)

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Free the lane."""
        self._jobs.pop(number, None)

    def close(self) -> None:
        """Nothing to release."""


OBJECTIVE = f"""
def train(*, {", ".join(f"x{i}=0.0" for i in range(KNOBS))}, epochs={STEPS}):
    yield {{"value": 0.0}}
"""


def opened(folder: Path, storage: str, trials: int, sampler: str, pruner: str) -> tuple[Any, Any, Any]:
    """The study, what decides in it, and its store."""
    from hpo.search import studyfile
    from hpo.search.contracts.pruner import PrunerContext
    from hpo.search.contracts.sampler import SamplerContext
    from hpo.search.engine.plugins import build, build_policy, sampler_and_policy
    from hpo.search.engine.rules import Rules
    from hpo.search.store import open_store
    from hpo.search.terms.recipe import derive_seed

    (folder / "objective.py").write_text(OBJECTIVE)
    study = studyfile.read({
        "name": "coordinator", "objective": str(folder / "objective.py"), "goal": "minimize value",
        "search": {f"x{i}": {"float": [0.0, 1.0]} for i in range(KNOBS)}, "budget": {"trials": trials},
        "sampler": sampler, "pruner": pruner, "confirm": "none", "storage": storage,
    })  # fmt: skip
    drawn, policy = sampler_and_policy(study)

    def make_sampler(number: int, attempt: int) -> Any:
        seed = derive_seed(study.seed, "sample", number, attempt)
        facts = SamplerContext(
            study.space, study.fixed, seed, study.seed, number, study.directions, study.repeats, attempt
        )
        return build("sampler", drawn, facts)

    rules = Rules(
        policy=build_policy(policy, study),
        pruner=build("pruner", study.pruner, PrunerContext(STEPS, study.seed)),
        make_sampler=make_sampler,
        horizon=lambda recipe: STEPS,
    )
    return study, rules, open_store(storage)


class Memory:
    """An observer that notes the process's memory when half of the trials and when all of them have ended."""

    def __init__(self, trials: int) -> None:
        self._marks = {trials // 2: 0, trials: 1}
        self._ended = 0
        self.seen = [0, 0]

    def started(self, entry: Any) -> None:
        """Ignore."""

    def moved(self, entry: Any) -> None:
        """Ignore."""

    def ended(self, entry: Any) -> None:
        """Look at the memory at the two marks."""
        self._ended += 1
        if self._ended in self._marks:
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.seen[self._marks[self._ended]] = pages * resource.getpagesize()


def simulate(lanes: int, trials: int, storage: str, sampler: str, pruner: str, step: float) -> dict[str, float]:
    """Run a whole study; what it cost."""
    from hpo.search.engine.ledger import Ledger
    from hpo.search.engine.loop import Loop

    with tempfile.TemporaryDirectory() as folder:
        study, rules, store = opened(Path(folder), storage, trials, sampler, pruner)
        executor, memory = Simulated(lanes, step), Memory(trials)
        with store.session(study.name, study.directions) as session:
            ledger = Ledger(study, session, study.recipe)
            loop = Loop(ledger, executor, rules, memory)
            began, busy = time.process_time(), {}

            def started(entry: Any) -> None:
                if entry.number + 1 == trials:
                    busy["share"] = executor.trained / max(executor.open, 1e-9)

            memory.started = started  # type: ignore[method-assign]
            loop.run()
            cpu = time.process_time() - began
        return {
            "ms_trial": 1e3 * cpu / trials,
            "ms_event": 1e3 * cpu / executor.events,
            "events": executor.events,
            "fill": executor.filled or math.nan,
            "kb_trial": (memory.seen[1] - memory.seen[0]) / (trials - trials // 2) / 1e3,
            "busy": min(1.0, busy["share"]),
        }


def again(trials: int, storage: str, sampler: str, pruner: str) -> dict[str, float]:
    """Open a study once more, and draw the next recipe; what that costs."""
    from hpo.search.engine.ledger import Ledger

    with tempfile.TemporaryDirectory() as folder:
        study, rules, store = opened(Path(folder), storage, trials + 1, sampler, pruner)
        began, clock = time.process_time(), time.perf_counter()
        with store.session(study.name, study.directions) as session:
            ledger = Ledger(study, session, study.recipe)
            known = len(ledger.entries)
            ledger.start(None, rules.make_sampler)
            cpu, wall = time.process_time() - began, time.perf_counter() - clock
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"again": cpu, "again_wall": wall, "again_trials": known, "again_peak_mb": peak / 1e3}


def measure(name: str, places: dict[str, str], step: float) -> dict[str, Any]:
    """One configuration, in processes of its own."""
    shape, kind, rules = name.split(":")
    lanes, trials = map(int, shape.split("x"))
    sampler, pruner = rules.split("+")
    row: dict[str, Any] = {
        "lanes": lanes, "trials": trials, "store": kind, "sampler": sampler, "pruner": pruner, "step": step
    }  # fmt: skip
    common = [str(trials), places[kind], sampler, pruner]
    row |= _alone(["--simulate", str(lanes), *common, str(step)])
    if kind != "memory":
        row |= _alone(["--again", *common])
    return row


def _alone(arguments: list[str]) -> dict[str, float]:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | _ONE_THREAD)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def shown(row: dict[str, Any]) -> str:
    """One line of the table."""
    again = f"{row['again']:6.2f} s" if "again" in row else "-"
    return (
        f"| {row['lanes']:,} x {row['trials']:,} | {row['store']} | {row['sampler']}, {row['pruner']} "
        f"| {row['ms_trial']:.2f} | {row['ms_event']:.2f} | {row['fill']:.2f} | {row['kb_trial']:.2f} "
        f"| {row['busy']:.2f} | {again} |"
    )


def main() -> None:
    """Measure and print; write the results beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=MAIN, metavar="CONFIGURATION")
    parser.add_argument("--storage", help="PostgreSQL database, emptied of the study `coordinator` before each use")
    parser.add_argument("--step", type=float, default=1.0, help="seconds of a step, on average")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results" / "coordinator.json")
    parser.add_argument("--simulate", nargs=6, help=argparse.SUPPRESS)
    parser.add_argument("--again", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.simulate:
        lanes, trials, storage, sampler, pruner, step = arguments.simulate
        print(json.dumps(simulate(int(lanes), int(trials), storage, sampler, pruner, float(step))))
        return
    if arguments.again:
        trials, storage, sampler, pruner = arguments.again
        print(json.dumps(again(int(trials), storage, sampler, pruner)))
        return
    print("| lanes x trials | store | sampler, pruner | ms a trial | an event | fill s | kB a trial | busy | again |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            places = {"memory": ":memory:", "sqlite": f"{folder}/a.db", "journal": f"{folder}/a.journal"}
            if arguments.storage:
                places["postgresql"] = arguments.storage
                _empty(arguments.storage)
            if name.split(":")[1] not in places:
                continue
            rows.append(measure(name, places, arguments.step))
        print(shown(rows[-1]), flush=True)
    save(rows, arguments.into)


def _empty(storage: str) -> None:
    from hpo.search.store import open_store

    store = open_store(storage)
    if "coordinator" in store.names():
        store.delete("coordinator")


def save(rows: list[dict[str, Any]], target: Path) -> None:
    """Write the results with what made them."""
    from importlib.metadata import version

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    content = {
        "command": " ".join(["python", "benchmarks/coordinator.py", *sys.argv[1:]]),
        "commit": commit,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpo-suite", "optuna", "sqlalchemy", "numpy", "psycopg")},
        "rows": rows,
    }
    target.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
