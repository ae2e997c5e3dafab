"""What the engine costs per trial against a raw Optuna loop on the same storage.

Five knobs, ten reports a trial, no training, no pruning. For each storage and sampler a study of N trials is made once
and copied; then both sides run further trials on it in turn, and what one of those costs is measured: wall and CPU time
in process, opening, closing and a first trial not counted, and in a run of its own under strace the fsync-type calls.
Ratios are engine / raw of the same round; the median of the rounds is reported.

    python benchmarks/overhead.py                    # everything, about ten minutes
    python benchmarks/overhead.py --sizes 100 --rounds 1
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

SPACE = {f"x{i}": {"float": [0.0, 1.0]} for i in range(5)}
REPORTS = 10
MORE = {"random": 30, "tpe": 15}
OBJECTIVE = """
def train(*, x0=0.0, x1=0.0, x2=0.0, x3=0.0, x4=0.0, epochs=10):
    for epoch in range(epochs):
        yield {"value": (x0 - 0.3) ** 2 + (x1 - 0.6) ** 2 + x2 + x3 * x4 + 1.0 / (epoch + 1)}
"""


def study(folder: Path, sampler: str, trials: int, storage: str) -> dict[str, object]:
    """Study file of the engine's side."""
    return {
        "name": "bench", "objective": str(folder / "objective.py"), "goal": "minimize value", "search": SPACE,
        "budget": {"trials": trials}, "sampler": sampler, "pruner": "none", "confirm": "none", "storage": storage,
    }  # fmt: skip


def engine_side(folder: Path, storage: str, sampler: str, before: int, more: int) -> dict[str, float]:
    """Cost of ``more`` trials of the engine on a study of ``before``."""
    from hpo.search import studyfile
    from hpo.search.engine import run as engine
    from hpo.search.engine.context import Progress
    from hpo.search.store import open_store

    class Clock(Progress):
        def ended(self, entry):
            self.end = time.perf_counter(), time.process_time()
            self.start = getattr(self, "start", self.end)  # the first trial warms up: imports, caches

    clock = Clock()
    store = open_store(storage)
    if storage == ":memory:":  # the others find their study on the disk
        engine.run(studyfile.read(study(folder, "random", before, storage)), store=store)
    engine.run(studyfile.read(study(folder, sampler, before + 1 + more, storage)), store=store, progress=clock)
    return {
        "wall": (clock.end[0] - clock.start[0]) / more,
        "cpu": (clock.end[1] - clock.start[1]) / more,
    }


def raw_side(folder: Path, storage: str, sampler: str, before: int, more: int) -> dict[str, float]:
    """Cost of ``more`` trials of Optuna's own loop on a study of ``before``."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    scope: dict[str, object] = {}
    exec(OBJECTIVE, scope)

    def objective(trial):
        values = {name: trial.suggest_float(name, 0.0, 1.0) for name in SPACE}
        for step, point in enumerate(scope["train"](**values), 1):
            trial.report(point["value"], step)
        return point["value"]

    make = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[sampler]
    if storage == ":memory:":
        source = optuna.storages.get_storage(f"sqlite:///{folder / 'base.db'}")
        optuna.copy_study(
            from_study_name="bench", from_storage=source, to_storage=(place := optuna.storages.InMemoryStorage())
        )
    elif storage.endswith(".db"):
        with contextlib.closing(sqlite3.connect(storage)) as connection:  # as Optuna makes its files
            connection.execute("PRAGMA journal_mode=DELETE")
        place = optuna.storages.get_storage(f"sqlite:///{storage}")
    else:
        place = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(storage))
    found = optuna.load_study(
        study_name="bench", storage=place, sampler=make(seed=1), pruner=optuna.pruners.NopPruner()
    )
    found.optimize(objective, n_trials=1)
    start = time.perf_counter(), time.process_time()
    found.optimize(objective, n_trials=more)
    return {"wall": (time.perf_counter() - start[0]) / more, "cpu": (time.process_time() - start[1]) / more}


def measure(side: str, base: Path, folder: Path, kind: str, sampler: str, before: int, trace: bool) -> dict[str, float]:
    """One side once, in a process of its own, on a fresh copy of the study."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    for path in base.glob("base.*"):
        shutil.copy(path, copy / path.name)
    shutil.copy(folder / "objective.py", copy / "objective.py")
    storage = {"memory": ":memory:", "sqlite": str(copy / "base.db"), "journal": str(copy / "base.journal")}[kind]
    command = [sys.executable, __file__, "--side", side, str(copy), storage, sampler, str(before), str(MORE[sampler])]
    if trace:
        command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(copy / "calls"), *command]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    if trace:
        calls = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?f", (copy / "calls").read_text(), re.M)
        found = {"fsync": sum(map(int, calls)) / (1 + MORE[sampler])}
    shutil.rmtree(copy)
    return found


def prepare(folder: Path, size: int) -> Path:
    """Stores that hold a study of ``size`` trials, made by the engine with the random sampler."""
    from hpo.search import studyfile
    from hpo.search.engine import run as engine

    base = folder / f"base-{size}"
    base.mkdir()
    for name in ("base.db", "base.journal"):
        engine.run(studyfile.read(study(folder, "random", size, str(base / name))))
    return base


def main() -> None:
    """Measure and print; write the results beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", nargs=6, metavar="ARG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side, folder, storage, sampler, before, more = arguments.side
        run = {"engine": engine_side, "raw": raw_side}[side]
        print(json.dumps(run(Path(folder), storage, sampler, int(before), int(more))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "objective.py").write_text(OBJECTIVE)
        for size in arguments.sizes:
            base = prepare(folder, size)
            for kind in ("memory", "sqlite", "journal"):
                for sampler in ("random", "tpe"):
                    rows.append(compare(base, folder, kind, sampler, size, arguments.rounds))
                    print(format_row(rows[-1]), flush=True)
    save(rows, arguments)


def compare(base: Path, folder: Path, kind: str, sampler: str, size: int, rounds: int) -> dict[str, object]:
    """Both sides in turn; medians and the median of the ratios."""
    found: dict[str, list[dict[str, float]]] = {"engine": [], "raw": []}
    for _ in range(rounds):
        for side, runs in found.items():
            runs.append(measure(side, base, folder, kind, sampler, size, trace=False))
    row: dict[str, object] = {"storage": kind, "sampler": sampler, "trials": size}
    for figure in ("wall", "cpu"):
        engine, raw = ([run[figure] for run in found[side]] for side in ("engine", "raw"))
        row[f"{figure}_ms"] = {"engine": 1e3 * statistics.median(engine), "raw": 1e3 * statistics.median(raw)}
        row[f"{figure}_ratio"] = statistics.median(a / b for a, b in zip(engine, raw, strict=True))
    if shutil.which("strace") and kind != "memory" and sampler == "random" and size == 100:
        calls = {side: measure(side, base, folder, kind, sampler, size, trace=True)["fsync"] for side in found}
        row["fsync"] = calls
    return row


def format_row(row: dict[str, object]) -> str:
    """One line of the table."""
    wall, cpu = row["wall_ms"], row["cpu_ms"]
    assert isinstance(wall, dict)
    assert isinstance(cpu, dict)
    calls = row.get("fsync")
    shown = f"  fsync {calls['engine']:.2f} / {calls['raw']:.2f}" if isinstance(calls, dict) else ""
    return (
        f"{row['storage']:8} {row['sampler']:7} {row['trials']:>5} trials:"
        f" wall {wall['engine']:8.2f} / {wall['raw']:8.2f} ms"
        f" = {row['wall_ratio']:.3f}   cpu {cpu['engine']:7.2f} / {cpu['raw']:7.2f} ms = {row['cpu_ratio']:.3f}{shown}"
    )


def save(rows: list[dict[str, object]], arguments: argparse.Namespace) -> None:
    """Write the results with what made them."""
    from importlib.metadata import version

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    packages = {name: version(name) for name in ("hpo-suite", "optuna", "sqlalchemy", "numpy")}
    target = Path(__file__).parent / "results" / "overhead.json"
    target.parent.mkdir(exist_ok=True)
    command = " ".join(["python", "benchmarks/overhead.py", *sys.argv[1:]])
    content = {
        "command": command,
        "commit": commit,
        "python": platform.python_version(),
        "versions": packages,
        "rows": rows,
    }
    target.write_text(json.dumps(content, indent=1) + "\n")
    print(f"wrote {target.relative_to(Path(__file__).parent.parent)}")


if __name__ == "__main__":
    main()
