"""Search on live training, scored by fresh runs: this suite against plain Optuna scripts at equal budgets.

    python benchmarks/live.py run --study lr-batch --budget epochs trials --cache live-cache      # minutes a study
    python benchmarks/live.py run --study fashion8 --data DATASETS --seeds 4 --cache live-cache
    python benchmarks/live.py report --cache live-cache --output benchmarks/results/live.json

The best value that a search saw is no score: who looks more often at noise sees lower. So each search is asked whom it
would hand over after 1/6, 1/3, 1/2 and all of its budget, by its own rule (see live_search.py), and each such recipe is
trained again with eight seeds that no search used, on the same split (live_worth.py). Its worth is the mean of these
runs, on the validation part, by which nothing was chosen any more, and on the test part.

A budget counts ``epochs`` (16 complete trials), ``cpu`` seconds or ``trials``. Searches of one study seed share split
and fresh seeds, and are compared in pairs; all run in one thread. The cache keeps each search and each recipe's runs
by themselves, so that a stopped benchmark goes on; to measure a method again, delete its files there.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from live_cases import NAMES, Case, case
from live_search import KINDS, METHODS, NONE, Search, is_script, search
from live_summary import FRACTIONS, Scores, over_studies
from live_worth import Worths, key_of, read, worth
from rows import markdown
from threadpoolctl import threadpool_limits

from hpo.search.terms.errors import Interrupted


def run(found: Case, methods: Sequence[str], budgets: Mapping[str, float], seeds: int, cache: Path) -> None:
    """All searches of a study and the fresh runs of their winners, seed by seed, so that what slows the machine meets
    every method.
    """
    warm = False
    for seed in range(seeds):
        wanted = []
        for kind, amount in budgets.items():
            for method in methods:
                path = _file(cache / found.name / f"{kind}-{amount:g}", method, seed)
                if not path.exists() and not warm:  # what the first search of a process costs is no method's
                    for each in methods:
                        search(found, each, "epochs", found.steps, 0, None)
                    warm = True
                done = search(found, method, kind, amount, seed, path)
                places = [_winner(done, method, share)[1] for share in FRACTIONS.values()]
                wanted += [done.points[place] for place in places if place is not None]
        worths = Worths(found, seed, cache / found.name / f"worth-{seed}.json")
        worths.train(wanted)
        print(f"{found.name}, seed {seed}: {len(worths.runs)} recipes", flush=True)


def scores(folder: Path) -> Scores | None:
    """What the cache holds of a study under a budget, of the seeds whose winners were trained; None without any."""
    kind, amount = folder.name.split("-")
    runs = {int(path.stem.rpartition("-")[2]): read(path) for path in sorted(folder.parent.glob("worth-*.json"))}
    methods = [method for method in METHODS if any(_file(folder, method, seed).exists() for seed in runs)]
    if NONE not in methods:
        return None
    shape = len(runs), len(FRACTIONS)
    validation, test, seen = ({method: np.full(shape, np.nan) for method in methods} for _ in range(3))
    used = {method: {what: np.full(shape, np.nan) for what in KINDS} for method in methods}
    for row, (seed, known) in enumerate(sorted(runs.items())):
        for method in methods:
            if not _file(folder, method, seed).exists():
                continue
            done = Search.read(_file(folder, method, seed))
            winners = [_winner(done, method, share) for share in FRACTIONS.values()]
            if not all(trial is None or key_of(done.points[trial]) in known for _, trial in winners):
                continue  # it was stopped before their fresh runs
            for at, (count, trial) in enumerate(winners):
                for what, number in done.used(count).items():
                    used[method][what][row, at] = number
                validation[method][row, at], test[method][row, at] = (
                    (np.inf, np.inf) if trial is None else worth(known[key_of(done.points[trial])])
                )
                seen[method][row, at] = min((v for own, v, _ in done.rows[:count] if own == trial), default=np.nan)
    return Scores(folder.parent.name, kind, float(amount), validation, test, seen, used)


def report(cache: Path) -> dict[str, Any]:
    """Print and return the tables of all that the cache holds."""
    found = [known for folder in sorted(cache.glob("*/*-*")) if folder.is_dir() and (known := scores(folder))]
    content: dict[str, Any] = {"logarithms of ratios to": f"{NONE}, at the end"}
    for kind in KINDS:
        known = [each for each in found if each.kind == kind]
        for each in known:
            print(f"\n{each.study}, {each.amount:g} {kind}\n\n{markdown(each.rows())}", flush=True)
            content.setdefault(kind, {})[each.study] = {
                "amount": each.amount, "rows": each.rows(),
                "worth at the end": {method: _digits(worths[:, -1]) for method, worths in each.validation.items()},
                "on the test part": {method: _digits(worths[:, -1]) for method, worths in each.test.items()},
            }  # fmt: skip
        if len(known) > 1:
            rows = over_studies(known)
            print(f"\nall {len(known)} studies, {kind}; ± over studies\n\n{markdown(rows)}", flush=True)
            content[kind]["all"] = rows
    return content


def main() -> None:
    """Run what is not in the cache, or report what is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--study", nargs="+", choices=NAMES, default=["lr-batch"])
    parser.add_argument("--budget", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--amount", type=float, help="of the budget, in place of each study's own; with one --budget")
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10, help="study seeds, from 0 on (default: 10)")
    parser.add_argument("--data", type=Path, help="folder with the data sets of the harder studies")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.amount is not None and len(options.budget) != 1:
        parser.error("--amount is of one kind of budget: name it with --budget")
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    threadpool_limits(1)
    if options.what == "run":
        for name in options.study:
            found = case(name, options.data)
            budgets = {kind: options.amount or found.budgets[kind] for kind in options.budget}
            try:
                run(found, options.method, budgets, options.seeds, options.cache)
            except Interrupted as error:
                raise SystemExit(str(error)) from None
        return
    content = report(options.cache)
    if options.output:
        about = {
            "command": "python benchmarks/live.py run, report",
            "commit": _commit(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("hpo-suite", "optuna", "scikit-learn", "torch")},
        }
        options.output.write_text(json.dumps({**about, **content}, indent=1) + "\n")


def _file(folder: Path, method: str, seed: int) -> Path:
    return folder / f"{method}-{seed}.json"


def _winner(found: Search, method: str, share: float) -> tuple[int, int | None]:
    """Points up to a share of the budget, and the trial that would be handed over then."""
    count = found.until(share)
    return count, found.incumbent(count, complete_only=is_script(method))


def _digits(values: Any) -> list[float | None]:
    """Seed by seed; None where there is none."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]


def _commit() -> str:
    command, here = ["git", "describe", "--always", "--dirty"], Path(__file__).parent
    return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
