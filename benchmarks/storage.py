"""What it costs to record a trial: Optuna's own storages and ours, side by side.

Random search, five parameters, ten reports a trial, no pruning, on files that already hold 100, 1,000 and 5,000
trials. Each measurement is a process of its own; the variants take turns, and the median of the repeats counts.
CPU is that of the whole process, threads included, over the loop and the final flush; fsyncs are counted by strace
in separate runs, because it slows what it watches. ``open`` is the time to the list of all trials.

    python benchmarks/storage.py [--trials 40] [--repeats 3] [--folder .] > benchmarks/results/storage.json
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

HISTORY = (100, 1000, 5000)
VARIANTS = ("memory", "raw sqlite", "raw sqlite in WAL mode", "our sqlite", "raw journal", "our journal")
SYNCS = ("fsync", "fdatasync")


def file_of(variant: str) -> str:
    """Name of the file a variant works on."""
    return "studies.db" if "sqlite" in variant else "studies.journal"


def run_trials(study: Any, count: int, commit: Callable[[], None]) -> None:
    """Record trials whose training costs nothing."""
    for _ in range(count):
        trial = study.ask()
        xs = [trial.suggest_float(f"x{i}", 0, 1) for i in range(5)]
        commit()
        for step in range(10):
            trial.report(xs[0] + step, step)
            commit()
        study.tell(trial, xs[0])
        commit()


def child(variant: str, folder: str, count: int) -> None:
    """Open the study, run trials, print what it took."""
    import optuna

    from hpo.search.store import open_store

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    path = str(Path(folder, file_of(variant)))
    store = open_store(path)
    if variant.startswith("raw sqlite"):
        optuna.storages.get_storage(f"sqlite:///{path}")  # imports SQLAlchemy and Alembic, which is not measured
    cpu = time.process_time()
    if variant.startswith("our"):
        with store.session("s", ["minimize"]) as session:
            study = session.study
            study.sampler, study.pruner = sampler, pruner
            assert study.get_trials(deepcopy=False)
            opened = time.process_time() - cpu
            wall, cpu = time.perf_counter(), time.process_time()
            run_trials(study, count, session.commit)
    else:
        storage: Any = None if variant == "memory" else f"sqlite:///{path}"
        if variant == "raw journal":
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend

            storage = JournalStorage(JournalFileBackend(path))
        study = optuna.create_study(
            storage=storage, study_name="s", load_if_exists=True, sampler=sampler, pruner=pruner
        )
        study.get_trials(deepcopy=False)
        opened = time.process_time() - cpu
        wall, cpu = time.perf_counter(), time.process_time()
        run_trials(study, count, lambda: None)
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "open": opened}))


def prepare(folder: Path, count: int) -> None:
    """Fill one file of each format with a history."""
    import optuna

    from hpo.search.store import open_store

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in ("studies.db", "studies.journal"):
        with open_store(folder / name).session("s", ["minimize"]) as session:
            session.study.sampler = optuna.samplers.RandomSampler(seed=1)
            run_trials(session.study, count, session.commit)


def measure(variant: str, history: Path, count: int, *, trace: bool = False) -> dict[str, float]:
    """Run one child on a copy of the history."""
    with tempfile.TemporaryDirectory(dir=history.parent) as folder:
        name = file_of(variant)
        shutil.copy(history / name, folder)
        if variant == "raw sqlite":  # as Optuna makes it; ours are in write-ahead mode
            with contextlib.closing(sqlite3.connect(Path(folder, name))) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
        command = [sys.executable, __file__, "--child", variant, folder, "--trials", str(count)]
        log = Path(folder, "strace")
        if trace:
            command = ["strace", "-f", "-c", "-o", str(log), "-e", f"trace={','.join(SYNCS)}", *command]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        if trace:
            rows = re.findall(rf"^.*\s(\d+)(?:\s+\d+)?\s+(?:{'|'.join(SYNCS)})$", log.read_text(), re.MULTILINE)
            return {"fsyncs": sum(map(int, rows))}
        result: dict[str, float] = json.loads(done.stdout)
        return result


def syncs(variant: str, history: Path, count: int) -> float | None:
    """Fsyncs for each trial, None where strace is missing."""
    if not shutil.which("strace"):
        return None
    with_trials, without = (measure(variant, history, n, trace=True)["fsyncs"] for n in (count, 0))
    return round((with_trials - without) / count, 2)


def versions() -> dict[str, str]:
    """What was measured, where."""
    from importlib.metadata import version

    def git(*args: str) -> str:
        done = subprocess.run(["git", *args], capture_output=True, text=True, cwd=Path(__file__).parent)
        return done.stdout.strip()

    return {
        "commit": git("rev-parse", "--short", "HEAD"),
        "dirty": str(bool(git("status", "--porcelain", "--", "../search/store", "storage.py"))),
        "python": platform.python_version(),
        "optuna": version("optuna"),
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
    }


def main() -> None:
    """Measure all variants and print JSON; progress goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", default=".", help="on the disk to measure")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(*args.child, args.trials)
        return
    rows = []
    for size in HISTORY:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            history = Path(folder, "history")
            history.mkdir()
            prepare(history, size)
            runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
            for _ in range(args.repeats):
                for variant in VARIANTS:
                    runs[variant].append(measure(variant, history, args.trials))
            for variant in VARIANTS:
                row: dict[str, Any] = {"history": size, "variant": variant}
                for key, scale in (("wall", 1e3 / args.trials), ("cpu", 1e3 / args.trials), ("open", 1.0)):
                    name = "open_cpu_s" if key == "open" else f"{key}_ms_per_trial"
                    row[name] = round(statistics.median(run[key] for run in runs[variant]) * scale, 3)
                if size == HISTORY[0]:  # the number does not depend on the history
                    row["fsyncs_per_trial"] = syncs(variant, history, args.trials)
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    found = {(row["history"], row["variant"]): row for row in rows}
    for row in rows:
        if row["variant"].startswith("our"):
            raw = found[row["history"], row["variant"].replace("our ", "raw ")]
            for key in ("wall_ms_per_trial", "cpu_ms_per_trial", "open_cpu_s"):
                row[f"{key}_ratio_to_raw"] = round(row[key] / raw[key], 4) if raw[key] else None
    command = " ".join(["python benchmarks/storage.py", "--trials", str(args.trials), "--repeats", str(args.repeats)])
    print(json.dumps({"command": command, **versions(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
