"""What stopping trials costs where the number of trials is given: winners by fresh runs, against no pruning's.

    python benchmarks/trials_budget.py run --study lr-batch --cache trials-budget    # minutes a study
    python benchmarks/trials_budget.py report --cache trials-budget --output benchmarks/results/trials_budget.json

Each search runs as shipped but for its pruner, with the same ten study seeds. Its finalists get ten fresh runs each:
the winner is chosen by the first two, as a study does by default, and is worth the mean of the other eight, which
decided nothing. Errors are over study seeds in pairs; over studies in the last row.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import markdown, mean_and_error

import hpo
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry

WAYS: dict[str, Any] = {
    "none": "none",
    "default": None,
    "later, with slack": {"successive-halving": {"min_resource": 0.1, "slack": 0.3}},
}
"""Pruners; None leaves the study as it is."""

_CHOOSING, _SCORING = 2, 8


def search(study: str, seed: int, pruner: Any) -> dict[str, float]:
    """One search: what its winner is worth, its best value, and the share of epochs saved."""
    content: Any = parse(registry.path("study", study).read_text(encoding="utf-8"), study).plain()
    if pruner is not None:
        content["pruner"] = pruner
    began = time.process_time()
    found = hpo.run(
        content, name=study, seed=seed, confirm={"top": 3, "seeds": _CHOOSING + _SCORING}, storage=":memory:",
        progress=False,
    ).report  # fmt: skip
    assert found.winner is not None
    sign = -1.0 if found.goals[0].startswith("maximize") else 1.0

    def mean(runs: Any) -> float:
        return float(np.mean([run[0] for run in runs]))

    winner = min(found.winner.candidates, key=lambda candidate: sign * mean(candidate.runs[:_CHOOSING]))
    return {
        "worth": mean(winner.runs[_CHOOSING:]), "searched": found.ranked()[0].values[0], "saved": found.saved,
        "seconds": time.process_time() - began,
    }  # fmt: skip


def report(cache: Path) -> dict[str, Any]:
    """Print and return how much worse the winners of each way are than those without pruning."""
    found: dict[str, Any] = {"searches": {}}
    rows, lost = [], dict[str, list[float]]()
    for path in sorted(cache.glob("*.json")):
        searches = json.loads(path.read_text())
        found["searches"][path.stem] = searches
        row: dict[str, Any] = {"study": path.stem, "searches": len(searches)}
        for way in WAYS:
            if way == "none":
                continue
            logs = [math.log(each[way]["worth"] / each["none"]["worth"]) for each in searches]
            row[f"{way}: worse by"] = mean_and_error(np.array(logs))
            row[f"{way}: saved"] = round(float(np.mean([each[way]["saved"] for each in searches])), 2)
            lost.setdefault(way, []).append(float(np.mean(logs)))
        row["none: best value seen / worth"] = round(
            float(np.mean([each["none"]["searched"] / each["none"]["worth"] for each in searches])), 2
        )
        rows.append(row)
    over = {f"{way}: worse by": mean_and_error(np.array(values)) for way, values in lost.items()}
    rows.append({**dict.fromkeys(rows[0]), "study": "all, ± over studies", **over})
    print(markdown(rows))
    return {**found, "rows": rows}


def main() -> None:
    """Run searches, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--study", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=Path("trials-budget"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    for study in options.study if options.what == "run" else ():
        path = options.cache / f"{study}.json"
        searches = json.loads(path.read_text()) if path.exists() else []
        for seed in range(len(searches), options.seeds):
            searches.append({way: search(study, seed, pruner) for way, pruner in WAYS.items()})
            path.write_text(json.dumps(searches))
            print(study, seed, {way: round(each["worth"], 4) for way, each in searches[-1].items()}, flush=True)
    if options.what == "report":
        found = report(options.cache)
        if options.output:
            about = {
                "command": "python benchmarks/trials_budget.py run, report",
                "versions": {"torch": torch.__version__},
            }
            options.output.write_text(json.dumps({**about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
