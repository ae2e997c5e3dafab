"""What many lanes cost in decisions and save in time: winners by fresh runs, and processor seconds, by lanes.

    python benchmarks/lanes.py run --cache lanes --budget steps=320 --budget trials=60 --lanes 4 --lanes 16
    python benchmarks/lanes.py report --cache lanes --output benchmarks/results/lanes.json

Each search is ``lr-batch`` as shipped, or the study that ``--study`` names, under a budget, a sampler and so many
lanes, with the same study seeds. Its best three recipes get two fresh runs each, the winner by these eight more, which
decided nothing: their mean is what the search is worth. Processor seconds are those of the search alone. Errors
are over study seeds, of differences in pairs of the same seed against sixteen lanes.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rows import markdown, mean_and_error

import hpo
from hpo.search import studyfile
from hpo.search.describe.objective import describe, import_module
from hpo.search.report.study import StudyReport
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.job import Job, Point
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.study import Study

_CHOOSING, _SCORING, _TOP = 2, 8, 3
_MOST = 16
"""Lanes that the others are compared with."""


def search(content: dict[str, Any], seed: int) -> tuple[StudyReport, float]:
    """A search without fresh runs, and its processor seconds."""
    began = time.process_time()
    done = hpo.run({**content, "seed": seed, "confirm": "none", "storage": ":memory:"}, progress=False)
    return done.report, time.process_time() - began


def best_of_runs(study: Study, recipes: Sequence[dict[str, Any]], seeds: Sequence[int]) -> list[float]:
    """The mean over the seeds of each recipe's best point, all runs trained as one cohort."""
    objective = describe(study.objective, study.folder)
    trainer = registry.part("trainer")
    executor = trainer.open_lanes(import_module(objective), study.task, objective, _MOST, 1 << 29)
    sign = -1.0 if study.goal.maximize else 1.0
    jobs = [Job(i, recipe | {"seed": seed}) for i, (recipe, seed) in enumerate((r, s) for r in recipes for s in seeds)]
    best, waiting, running = [math.inf] * len(jobs), jobs[::-1], set[int]()
    while waiting or running:
        while waiting and len(running) < executor.lanes:
            running.add(waiting[-1].number)
            executor.admit(waiting.pop())
        for event in executor.advance():
            if isinstance(event, Point):
                best[event.number] = min(best[event.number], sign * event.metrics[study.goal.metric])
            else:
                running.discard(event.number)
    executor.close()
    return [sign * float(np.mean(best[i : i + len(seeds)])) for i in range(0, len(jobs), len(seeds))]


def best_seen(study: Study, found: StudyReport) -> float:
    """The best value that any trial had."""
    return (max if study.goal.maximize else min)(trial.values[0] for trial in found.trials if trial.values)


def worth(study: Study, found: StudyReport) -> float:
    """The mean of eight fresh runs of the winner, which another two of each finalist chose."""
    seeds = [derive_seed(study.seed, "fresh", i) for i in range(_CHOOSING + _SCORING)]
    sign = -1.0 if study.goal.maximize else 1.0
    ranked = sorted((t for t in found.trials if t.values), key=lambda trial: (sign * trial.values[0], trial.number))
    distinct = {json.dumps(dict(trial.point), sort_keys=True): study.recipe(trial.point, 0) for trial in ranked}
    finals = list(distinct.values())[:_TOP]  # whoever was stopped competes by the best that it had, as in a study
    chosen = best_of_runs(study, finals, seeds[:_CHOOSING])
    winner = finals[min(range(len(finals)), key=lambda i: sign * chosen[i])]
    return best_of_runs(study, [winner], seeds[_CHOOSING:])[0]


def cell(study: str, sampler: str, budget: str, lanes: int) -> str:
    """The name of a condition."""
    return f"{study}, {sampler}, {budget}, {lanes}"


def run(options: argparse.Namespace) -> None:
    """Run what is missing, seed by seed, so that all conditions have equally many."""
    path = options.cache / "searches.json"
    for seed in range(options.seeds):
        for sampler in options.sampler or ["default"]:
            for budget in options.budget or ["steps=320"]:
                for lanes in options.lanes or [1, 2, 4, 8, 16]:
                    found = json.loads(path.read_text()) if path.exists() else {}
                    runs = found.setdefault(cell(Path(options.study).stem, sampler, budget, lanes), {})
                    if str(seed) in runs:
                        continue
                    kind, _, amount = budget.partition("=")
                    place = Path(options.study)
                    text = place if place.suffix else registry.path("study", options.study)
                    content: Any = parse(text.read_text(encoding="utf-8"), options.study).plain()
                    content |= {
                        "budget": {kind: int(amount)},
                        "executor": {"cohort": {"lanes": lanes}},
                        "name": "lanes",
                    }
                    if sampler != "default":
                        content["sampler"] = sampler
                    report, seconds = search(content, seed)
                    study = studyfile.read({**content, "seed": seed})
                    runs[str(seed)] = {
                        "worth": worth(study, report),
                        "searched": best_seen(study, report),
                        "seconds": seconds,
                        "trials": len(report.trials),
                        "steps": sum(len(trial.curve) for trial in report.trials),
                    }
                    path.write_text(json.dumps(found, indent=1))
                    print(cell(options.study, sampler, budget, lanes), seed, runs[str(seed)], flush=True)


def report(options: argparse.Namespace) -> dict[str, Any]:
    """Print and return what the winners are worth and what the searches took, by lanes."""
    found = json.loads((options.cache / "searches.json").read_text())
    rows = []
    for name, runs in found.items():
        study, sampler, budget, lanes = name.split(", ")
        sixteen = found.get(cell(study, sampler, budget, _MOST), {})
        pairs = [seed for seed in runs if seed in sixteen]
        logs = [math.log(runs[seed]["worth"] / sixteen[seed]["worth"]) for seed in pairs]
        rows.append({
            "study": study, "sampler": sampler, "budget": budget, "lanes": lanes, "seeds": len(runs),
            "worth": mean_and_error(np.array([each["worth"] for each in runs.values()])),
            "log worth / at 16": mean_and_error(np.array(logs)) if logs else None,
            "CPU s": mean_and_error(np.array([each["seconds"] for each in runs.values()])),
            "steps": round(float(np.mean([each["steps"] for each in runs.values()]))),
            "trials": round(float(np.mean([each["trials"] for each in runs.values()]))),
        })  # fmt: skip
    rows.sort(key=lambda row: (row["study"], row["sampler"], row["budget"], int(row["lanes"])))
    print(markdown(rows))
    return {"searches": found, "rows": rows}


def main() -> None:
    """Run searches, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--study", default="lr-batch", help="shipped, or a file")
    parser.add_argument("--budget", action="append", metavar="KIND=NUMBER")
    parser.add_argument("--sampler", action="append", help="default: the study's own")
    parser.add_argument("--lanes", action="append", type=int)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--cache", type=Path, default=Path("lanes"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    if options.what == "run":
        run(options)
        return
    found = report(options)
    if options.output:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        about = {
            "command": "python benchmarks/lanes.py run, report",
            "commit": commit.stdout.strip(),
            "versions": {"python": platform.python_version(), **{p: version(p) for p in ("optuna", "torch", "numpy")}},
        }
        options.output.write_text(json.dumps({**about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
