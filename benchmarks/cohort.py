"""Trials per CPU-second in cohorts, against the plain PyTorch loop that users write.

The same work on every side: digits (1,078 training samples, 64 features), AdamW, dropout 0.1, its own learning rate
and weight decay per trial, a score on the validation part after every epoch. One process, one thread, sides taken in
turn, CPU seconds; figures are medians over the repeats with their range.

    python benchmarks/cohort.py                    print the tables, write benchmarks/results/cohort.json
    python benchmarks/cohort.py --repeats 2        a quick look
    python benchmarks/cohort.py --device cuda      on a GPU: up to 512 lanes, float32 and bfloat16, against the plain
                                                   loop on the same card, as it is and compiled into CUDA graphs; wall
                                                   seconds with the card waited for; benchmarks/results/cohort-gpu.json
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from hpo.objectives import cnn, mlp
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.executors.cohort import make
from hpo.search.terms.job import Failed, Finished, Job, Point, Task

HERE = Path(__file__).resolve().parent
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "mlp 64-128-128-10, batch 32": (mlp, {"width": 128, "depth": 2, "batch_size": 32}),
    "mlp 64-128-128-10, batch 64": (mlp, {"width": 128, "depth": 2, "batch_size": 64}),
    "mlp 64-32-32-10, batch 32": (mlp, {"width": 32, "depth": 2, "batch_size": 32}),
    "cnn on 8x8 images, batch 32": (cnn, {"batch_size": 32}),
}
LANES = (1, 4, 16, 64)
GPU_LANES = (16, 64, 128, 256, 512)


def knobs(seed: int, fixed: dict[str, Any]) -> dict[str, Any]:
    """A trial of the benchmark: rates and decay of its own."""
    draw = random.Random(seed)
    own = {"learning_rate": 10 ** draw.uniform(-4, -2), "weight_decay": 10 ** draw.uniform(-4, -1), "seed": seed}
    return {"epochs": 1000, "dropout": 0.1, "schedule": "constant", **own, **fixed}


def model_like(objective: Any, fixed: dict[str, Any]) -> torch.nn.Module:
    """The objective's network as torch.nn modules."""
    nn = torch.nn
    if objective is cnn:
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.1), nn.Linear(128, 10)),
        )
    width = fixed["width"]
    hidden = [nn.Linear(64, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.1)]
    return nn.Sequential(*hidden, nn.Linear(width, 10))


def now(device: torch.device) -> float:
    """CPU seconds; where a GPU works, wall seconds once it has done all it was given."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def plain(
    objective: Any, fixed: dict[str, Any], fused: bool, device: str = "cpu", compiled: bool = False
) -> Callable[[], float]:
    """One epoch of one trial in a plain loop; returns seconds."""
    data = Problem(objective, Task("digits", device=device)).setup(knobs(0, fixed)).data
    (x, y), (vx, vy) = ((part.inputs, part.targets) for part in (data.train, data.validation))
    x, vx = (x, vx) if objective is cnn else (x.flatten(1), vx.flatten(1))
    model, criterion = model_like(objective, fixed).to(data.device), torch.nn.CrossEntropyLoss()
    recipe = knobs(0, fixed)
    forward = torch.compile(model, mode="reduce-overhead") if compiled else model
    narrow = recipe.get("precision") == "bfloat16"
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], fused=fused or None
    )

    def epoch() -> float:
        start = now(data.device)
        model.train()
        for batch in torch.randperm(len(x), device=data.device).split(recipe["batch_size"]):
            optimizer.zero_grad()
            with torch.autocast(data.device.type, torch.bfloat16, enabled=narrow):
                outputs = forward(x[batch])
            loss = criterion(outputs.float(), y[batch])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            outputs = model(vx)
            criterion(outputs, vy).item()
            (outputs.argmax(dim=1) == vy).float().mean().item()
        return now(data.device) - start

    return epoch


def cohort(objective: Any, every: list[dict[str, Any]], device: str = "cpu") -> Callable[[], float]:
    """One epoch of several trials in cohorts; returns seconds per trial."""
    problem = Problem(objective, Task("digits", device=device))
    lanes = [Lane(number, problem.setup(recipe)) for number, recipe in enumerate(every)]
    groups: dict[Any, list[Lane]] = {}
    for lane in lanes:
        groups.setdefault(lane.key, []).append(lane)
    cohorts = {key: Cohort() for key in groups}

    def epoch() -> float:
        start = now(problem.device)
        for key, group in groups.items():
            cohorts[key].advance(group)
        return (now(problem.device) - start) / len(lanes)

    return epoch


def speed(repeats: int) -> Iterator[list[dict[str, Any]]]:
    """Seconds per trial and epoch of every side, taken in turn; case by case."""
    for case, (objective, fixed) in CASES.items():
        sides = {
            "plain": plain(objective, fixed, fused=False),
            "plain, fused AdamW": plain(objective, fixed, fused=True),
        }
        for lanes in LANES[:3] if objective is cnn else LANES:
            sides[f"cohort of {lanes}"] = cohort(objective, [knobs(seed, fixed) for seed in range(lanes)])
        yield measured(case, sides, repeats)
    mixed = [{"width": 128, "depth": 2, "batch_size": size} for size in (16, 32, 64, 128)]
    singles = [plain(mlp, fixed, fused=False) for fixed in mixed]
    sides = {
        "plain": lambda: sum(single() for single in singles) / len(singles),
        "cohort of 16": cohort(mlp, [knobs(seed, mixed[seed % 4]) for seed in range(16)]),
    }
    yield measured("mlp 64-128-128-10, batches 16, 32, 64, 128 side by side", sides, repeats)


def speed_on(device: str, lanes: tuple[int, ...], repeats: int) -> Iterator[list[dict[str, Any]]]:
    """The same on a device, case by case in either precision; only the plain loop is compiled."""
    for case, (objective, fixed) in CASES.items():
        for precision in ("float32", "bfloat16"):
            own = {**fixed, "precision": precision}
            sides = {
                "plain": plain(objective, own, fused=True, device=device),
                "plain, compiled": plain(objective, own, fused=True, device=device, compiled=True),
            }
            for count in lanes:
                every = [knobs(seed, own) for seed in range(count)]
                sides[f"cohort of {count}"] = cohort(objective, every, device)
            yield measured(f"{case}, {precision}", sides, repeats)


def measured(case: str, sides: dict[str, Callable[[], float]], repeats: int) -> list[dict[str, Any]]:
    """Run the sides in turn; ratios are taken within each turn."""
    for side in sides.values():
        side()
    turns = [{name: side() for name, side in sides.items()} for _ in range(repeats)]
    rows = []
    for name in sides:
        ratios = sorted(turn["plain"] / turn[name] for turn in turns)
        seconds = statistics.median(turn[name] for turn in turns)
        rows.append(
            {
                "case": case,
                "side": name,
                "ms_per_epoch": 1000 * seconds,
                "ratio": statistics.median(ratios),
                "range": [ratios[0], ratios[-1]],
            }
        )
    return rows


def busy(lanes: int = 16, trials: int = 120, epochs: int = 27) -> dict[str, float]:
    """Share of lane-epochs at work in a search that stops two of three trials at epochs 1, 3 and 9."""
    executor = make(Task("mlp"), lanes=lanes)
    rungs: dict[int, list[float]] = {1: [], 3: [], 9: []}
    running: set[int] = set()
    started = used = rounds = 0
    while True:
        while len(running) < lanes and started < trials:
            executor.admit(Job(started, {**knobs(started, {"width": 32, "batch_size": 64}), "epochs": epochs}))
            running.add(started)
            started += 1
        if started == trials:
            break  # the tail, in which there is nothing left to start, is the same for any executor
        used, rounds = used + len(running), rounds + 1
        for event in executor.advance():
            if isinstance(event, Point) and event.step in rungs:
                seen = rungs[event.step]
                seen.append(event.metrics["val_loss"])
                if event.metrics["val_loss"] > sorted(seen)[(len(seen) - 1) // 3]:
                    executor.evict(event.number)
                    running.discard(event.number)
            elif isinstance(event, (Finished, Failed)):
                running.discard(event.number)
    executor.close()
    return {"lane_epochs": used, "share": used / (rounds * lanes)}


def memory(lanes: int) -> float:
    """Peak memory of this process after an epoch of a cohort, in MiB."""
    cohort(mlp, [knobs(seed, CASES["mlp 64-128-128-10, batch 32"][1]) for seed in range(lanes)])()
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # getrusage would include what the starting process had before it became this one
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument(
        "--output", type=Path, help="default: results/cohort.json, or cohort-gpu.json, beside this file"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--lanes", type=int, nargs="+", default=GPU_LANES, help="on a GPU (default: 16 to 512)")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.memory:
        print(memory(chosen.memory))
        return
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU here")
    on_gpu = chosen.device == "cuda"
    rows = []
    for case in speed_on(chosen.device, tuple(chosen.lanes), chosen.repeats) if on_gpu else speed(chosen.repeats):
        print(f"\n{case[0]['case']}\n{'':22}{'ms/epoch':>10}{'times plain':>13}   range")
        for row in case:
            low, high = row["range"]
            print(f"{row['side']:22}{row['ms_per_epoch']:10.2f}{row['ratio']:13.2f}   {low:.2f}-{high:.2f}", flush=True)
        rows += case
    result = {**about(chosen.device, chosen.repeats), "speed": rows, **({} if on_gpu else beside())}
    output = chosen.output or HERE / "results" / ("cohort-gpu.json" if on_gpu else "cohort.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def beside() -> dict[str, Any]:
    """Memory by lanes, and how many lanes are at work."""
    peaks = {
        str(lanes): float(subprocess.check_output([sys.executable, __file__, "--memory", str(lanes)], text=True))
        for lanes in (1, 16, 64, 256)
    }
    print("\npeak memory in MiB by lanes, mlp 64-128-128-10:", {lanes: round(peak) for lanes, peak in peaks.items()})
    occupied = busy()
    print(f"lanes at work in a search that prunes: {100 * occupied['share']:.1f} %")
    return {"peak_memory_mib": peaks, "lanes_at_work": occupied}


def about(device: str, repeats: int) -> dict[str, Any]:
    """What measured, and by which command."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    option = "" if device == "cpu" else f"--device {device} "
    cpu = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread"
    card = {"card": torch.cuda.get_device_name(), "cuda": torch.version.cuda} if device == "cuda" else {}
    return {
        "command": f"python benchmarks/cohort.py {option}--repeats {repeats}",
        "commit": commit.stdout.strip(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": cpu,
        **card,
    }


if __name__ == "__main__":
    main()
