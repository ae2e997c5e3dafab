"""What judging trials by averaged weights is worth: the same recorded runs stopped by the loss, and by the outlook.

    python benchmarks/outlook.py record --case lr-batch --cache outlook-cache        # and the other cases; minutes each
    python benchmarks/outlook.py record --case "small-gpt, cosine" --data DATASETS --cache outlook-cache
    python benchmarks/outlook.py live --cache outlook-cache                          # whole searches, with and without
    python benchmarks/outlook.py cost --data DATASETS --cache outlook-cache          # of its processor time
    python benchmarks/outlook.py report --cache outlook-cache --output benchmarks/results/outlook.json

``record`` trains random recipes of a study in cohorts, each with three seeds, and keeps after every epoch the loss of
the weights and of their running average on validation rows. ``report`` draws searches of 60 of these recipes from the
first seed, or of half of them where they are few, stops them by successive halving as
``search/pruners/common/halving.py`` does (one trial after another, judged by the best value so far), and scores the
best of its three finalists by the mean of the two other seeds, against the best of the three finalists that the same
recipes have without pruning. So no run that decided anything is part of a score. Draws share their recipes, so their
standard errors are too small; the row over all cases has that over cases. The power of the average was chosen on the
first case; the others are what it was not chosen on.

``live`` runs shipped studies with the default sampler and pruner, judged by the outlook and not, at the same ten study
seeds; a search is worth the mean of its winner over eight fresh runs, each search with seeds of its own.

What the output file has already and the cache has not stays in it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from outlook_cases import CASES, record
from outlook_cost import cost, searched
from outlook_replay import RULES, ranks, scored
from rows import markdown, mean_and_error

import hpo
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry

WAYS = ("loss", "outlook", "better of both", "after a tenth")
"""What trials are judged by; the third alike, but by the loss in the first tenth, is what the suite does."""

LIVE = ("lr-batch", "schedules", "optimizers")
COST = ("lr-batch", "cnn, cosine", "fashion8, cosine", "bank-marketing, cosine", "small-gpt, cosine")


def live(study: str, seed: int, *, ahead: bool) -> dict[str, float]:
    """One search: its winner's mean over fresh runs, and the epochs it took."""
    content: Any = parse(registry.path("study", study).read_text(encoding="utf-8"), study).plain()
    began = time.process_time()
    content["record"] = ["outlook"] if ahead else []
    found = hpo.run(
        content, name=study, seed=seed, confirm={"top": 3, "seeds": 8}, storage=":memory:", progress=False
    ).report  # fmt: skip
    assert found.winner is not None
    return {"fresh": found.winner.first.mean[0], "epochs": found.points, "seconds": time.process_time() - began}


def report(cache: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Print and return the tables of what was recorded, and of what was known before."""
    found: dict[str, Any] = {**known, "versions": {"torch": torch.__version__}, "cases": {**known.get("cases", {})}}
    for path in sorted(cache.glob("*.json")):
        case = json.loads(path.read_text())
        about = {"recipes": len(case["loss"]), "seeds": len(case["loss"][0]), "points": len(case["loss"][0][0])}
        rules = {name: scored(case, *rule) for name, rule in RULES.items()}
        found["cases"][case["case"]] = {**about, "seconds": case["seconds"], "ranks": ranks(case), **rules}
    for case, own in found["cases"].items():
        print(f"\n{case}\n\n{markdown(own['ranks'])}")
    for name in RULES:
        rows = [
            {
                "case": case, **{way: own[name][way][:2] if way in own[name] else None for way in WAYS},
                "by the better": round(own[name]["better of both"][0] - own[name]["loss"][0], 4),
                "epochs saved": own[name]["better of both"][2],
            }
            for case, own in found["cases"].items()
        ]  # fmt: skip
        rows += [_over(label, rows) for label in ("all", "constant", "cosine", "with the last way")]
        print(f"\n{name}: loss of the best finalist against no pruning's\n\n{markdown(rows)}")
    for path in sorted(cache.glob("*.live")):
        searches = json.loads(path.read_text())
        found["live"] = {**found.get("live", {}), searches["study"]: searches["searches"]}
    if found.get("live"):
        rows = [_searches(study, own) for study, own in found["live"].items()]
        print(f"\nwhole searches: winners by fresh runs against those by the loss, and epochs\n\n{markdown(rows)}")
    if (path := cache / "cost").exists():
        found["cost"] = json.loads(path.read_text())
    if found.get("cost"):
        points, searches = (markdown(found["cost"][part]) for part in ("points", "searches"))
        print(f"\nprocessor time with to without, medians of pairs and quartiles\n\n{points}\n\n{searches}")
    return found


def _over(label: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over cases: all, those of such a rate, or those in which every way is known; ± over cases."""
    own = rows
    if label == "with the last way":
        own = [row for row in own if row[WAYS[-1]]]
    elif label != "all":
        own = [row for row in own if row["case"].endswith(f", {label}")]
    means = {
        way: mean_and_error(np.array([row[way][0] for row in own])) if all(row[way] for row in own) else None
        for way in WAYS
    }
    gained = mean_and_error(np.array([row["by the better"] for row in own]))
    return {"case": f"{label}: ± over {len(own)}", **means, "by the better": gained, "epochs saved": None}


def _searches(study: str, searches: list[dict[str, Any]]) -> dict[str, Any]:
    pairs = [search["outlook"]["fresh"] / search["loss"]["fresh"] - 1 for search in searches]
    epochs = {way: round(float(np.mean([each[way]["epochs"] for each in searches]))) for way in ("loss", "outlook")}
    return {
        "study": study, "winner by the outlook": mean_and_error(np.array(pairs)),
        **{f"epochs by the {way}": own for way, own in epochs.items()},
    }  # fmt: skip


def main() -> None:
    """Record, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "live", "cost", "report"])
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--cache", type=Path, default=Path("outlook-cache"))
    parser.add_argument("--data", type=Path, help="folder with the data sets of live.py's harder studies")
    parser.add_argument("--recipes", type=int, help="in place of each case's own number")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True)
    if options.what == "record":
        for case in options.case or CASES:
            study, path = CASES[case].read(options.data), options.cache / f"{case.replace(', ', '-')}.json"
            for found in record(study, options.recipes or CASES[case].recipes, options.seeds):
                path.write_text(json.dumps({"case": case, **found}))
            print(case, f"{found['seconds']:.0f} s", flush=True)
        return
    if options.what == "live":
        for study in LIVE:
            found = [
                {way: live(study, seed, ahead=way == "outlook") for way in ("loss", "outlook")} for seed in range(10)
            ]
            (options.cache / f"{study}.live").write_text(json.dumps({"study": study, "searches": found}))
            print(study, found, flush=True)
        return
    if options.what == "cost":
        rows = []
        for case in options.case or COST:
            rows += cost(case, CASES[case].read(options.data))
            print(markdown(rows[-2:]), flush=True)
        searches = [searched(study) for study in LIVE]
        print(markdown(searches))
        (options.cache / "cost").write_text(json.dumps({"points": rows, "searches": searches}))
        return
    known = json.loads(options.output.read_text()) if options.output and options.output.exists() else {}
    found = report(options.cache, known)
    if options.output:
        options.output.write_text(
            json.dumps({**found, "command": "python benchmarks/outlook.py report"}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
