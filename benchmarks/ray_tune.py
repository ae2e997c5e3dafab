"""The same random search over the same two-node Ray cluster, by this suite (executor: ray) and by Ray Tune.

Each side trains the same recipes, drawn before, of a small MLP on digits for ten epochs, none stopped early, on four
workers of a CPU each: a head without room for workers and two nodes of two, on this machine, started anew for each
side. Wall seconds are the command's from its start to its end; CPU seconds are those of the command and of all that
runs on the cluster, Ray's own processes included, from before the command to after it.
``best`` is the best point of the best trial here, and the last one with Ray Tune.

    pip install 'hpo-suite[ray]' 'ray[tune]'
    python benchmarks/ray_tune.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpo.search.running.lifeline import group_dies_with_us

TRIALS, EPOCHS, WORKERS = 32, 10, 4
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1",
    "RAY_prestart_worker_first_driver": "0", "RAY_enable_worker_prestart": "0", "RAY_worker_niceness": "0",
    "RAY_AIR_NEW_OUTPUT": "0", "RAY_AUTH_MODE": "disabled", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}  # fmt: skip

MODEL = """
import torch
from sklearn.datasets import load_digits

def train(*, learning_rate: float = 1e-3, batch_size: int = 32, width: int = 64, epochs: int = 10, seed: int = 0):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    found = load_digits()
    x, y = torch.as_tensor(found.data, dtype=torch.float32) / 16, torch.as_tensor(found.target)
    held_out = torch.arange(len(x)) % 4 == 0
    inputs, targets = x[~held_out], y[~held_out]
    model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            loss = float(torch.nn.functional.cross_entropy(model(x[held_out]), y[held_out]))
        yield {"val_loss": loss}
"""

OURS = """
import sys
from hpo.search.cli import main
sys.exit(main(["run", "--study", "study.yaml", "--quiet"]))
"""

THEIRS = """
import json
import ray
from ray import tune

def trainable(config):
    import importlib.util, pathlib
    spec = importlib.util.spec_from_file_location("model", config["model"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for point in module.train(**config["recipe"]):
        tune.report(point)

recipes = json.load(open("recipes.json"))
ray.init(address="auto", log_to_driver=False)
path = str(__import__("pathlib").Path("model.py").resolve())
tuner = tune.Tuner(
    tune.with_resources(trainable, {"cpu": 1}),
    param_space={"model": path, "recipe": tune.grid_search(recipes)},
    tune_config=tune.TuneConfig(metric="val_loss", mode="min", max_concurrent_trials=WORKERS),
    run_config=tune.RunConfig(verbose=0, storage_path=str(__import__("pathlib").Path("results").resolve())),
)
grid = tuner.fit()
assert len(grid) == len(recipes) and not grid.errors
json.dump(grid.get_best_result().metrics["val_loss"], open("best.json", "w"))
"""


def recipes() -> list[dict[str, Any]]:
    """What both sides train."""
    rng = random.Random(0)
    return [
        {
            "learning_rate": 10 ** rng.uniform(-4, -1), "batch_size": rng.choice([16, 32, 64, 128]),
            "width": rng.choice([32, 64, 128]), "epochs": EPOCHS, "seed": number,
        }
        for number in range(TRIALS)
    ]  # fmt: skip


def study(folder: Path) -> None:
    """The study file: the recipes are the choices of one knob, of which a grid tries each once."""
    known = recipes()
    (folder / "objective.py").write_text(
        f"from model import train as run\nRECIPES = {known!r}\n\n"
        f"def train(*, number: int = 0, epochs: int = {EPOCHS}):\n    yield from run(**RECIPES[number])\n"
    )
    (folder / "study.yaml").write_text(json.dumps({
        "name": "beside", "objective": "./objective.py", "goal": "minimize val_loss", "sampler": "grid",
        "pruner": "none", "search": {"number": {"choice": list(range(len(known)))}}, "confirm": "none",
        "budget": {"trials": len(known)}, "executor": "ray", "workers": WORKERS,
    }))  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def started(place: Path, name: str, address: str, cpus: int, *, head: bool) -> subprocess.Popen[bytes]:
    """A node; once more where it was not up within the half minute that Ray gives it, as on a busy machine."""
    for _ in range(5):
        with contextlib.suppress(RuntimeError):
            return start_node(place, name, address, cpus, head=head)
    raise RuntimeError((place / f"{name}.out").read_text())


def start_node(place: Path, name: str, address: str, cpus: int, *, head: bool) -> subprocess.Popen[bytes]:
    """Start a node, and wait until it is up."""
    code = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    where = ["--head", f"--port={address.split(':')[1]}", "--include-dashboard=false"] if head else []
    words = [
        "start", *(where or ["--address", address]), "--block", f"--num-cpus={cpus}", f"--node-name={name}",
        f"--temp-dir={place / name}", "--object-store-memory=100000000", "--node-ip-address=127.0.0.1",
        "--disable-usage-stats",
    ]  # fmt: skip
    told = place / f"{name}.out"
    with told.open("wb") as out:
        node = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, *words], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=out, env=os.environ | QUIET, start_new_session=True)  # fmt: skip
    while b"Ray runtime started" not in told.read_bytes():
        if node.poll() is not None:
            raise RuntimeError(told.read_text())
        time.sleep(0.1)
    return node


class Usage:
    """CPU seconds of all processes of some sessions, from now on: looked at four times a second, each to its end.

    A process that ends between two looks is short of a quarter of a second. Ray reaps its workers without taking over
    what they have used, so the sum of those that are left says little.
    """

    def __init__(self, sessions: set[int]) -> None:
        self._sessions = sessions
        self._ticks: dict[tuple[int, str], int] = {}  # by process and its start
        self._look()
        self._before = sum(self._ticks.values())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """So far; nothing is looked at after this."""
        self._over.set()
        self._thread.join()
        self._look()
        return (sum(self._ticks.values()) - self._before) / os.sysconf("SC_CLK_TCK")

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self._look()

    def _look(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) in self._sessions:
                self._ticks[int(folder.name), fields[19]] = int(fields[11]) + int(fields[12])


def measured(side: str) -> dict[str, Any]:
    """One side on a cluster of its own."""
    with tempfile.TemporaryDirectory(prefix="beside-", dir="/tmp") as folder, ExitStack() as stack:
        place = Path(folder)
        address = f"127.0.0.1:{free_port()}"
        nodes = []
        for name, cpus in (("head", 0), ("one", 2), ("two", 2)):
            node = started(place, name, address, cpus, head=name == "head")
            stack.callback(node.wait)
            stack.callback(os.killpg, node.pid, signal.SIGKILL)
            stack.enter_context(group_dies_with_us(node.pid))
            nodes.append(node.pid)
        work = place / "work"
        work.mkdir()
        (work / "model.py").write_text(MODEL)
        (work / "recipes.json").write_text(json.dumps(recipes()))
        study(work)
        time.sleep(5)  # what a node still does after it has said that it is up
        code = OURS if side == "suite" else THEIRS.replace("WORKERS", str(WORKERS))
        usage, mine, began = Usage(set(nodes)), resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=work, check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | QUIET | {"RAY_ADDRESS": address})  # fmt: skip
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        driver = used.ru_utime + used.ru_stime - mine.ru_utime - mine.ru_stime
        return {
            "side": side, "wall": round(wall, 1), "cpu_command": round(driver, 1),
            "cpu_cluster": round(usage.seconds(), 1), "best": round(_best(side, work), 6),
        }  # fmt: skip


def _best(side: str, work: Path) -> float:
    if side == "ray tune":
        return float(json.loads((work / "best.json").read_text()))
    from hpo.search.report.study import report
    from hpo.search.store import open_store

    found = report(open_store(str(work / "hpo.db")), "beside").trials
    assert len(found) == TRIALS
    return min(trial.values[0] for trial in found if trial.state == "complete")


def main() -> None:
    """Measure both sides in turn, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results" / "ray_tune.json")
    arguments = parser.parse_args()
    rows = []
    for turn in range(arguments.repeats):
        for side in ("suite", "ray tune"):
            rows.append({"turn": turn, "load": round(os.getloadavg()[0], 1), **measured(side)})
            print(json.dumps(rows[-1]), flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    content = {
        "command": " ".join(["python", "benchmarks/ray_tune.py", *sys.argv[1:]]), "commit": commit,
        "python": platform.python_version(), "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("hpo-suite", "ray", "torch", "optuna")},
        "trials": TRIALS, "epochs": EPOCHS, "workers": WORKERS, "rows": rows,
    }  # fmt: skip
    arguments.into.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
