"""What combining the fresh runs' models is worth on the test part, and whether the choice by validation finds it.

Each study searches the recipe of a network by random search, then trains the best four again with two seeds each and
combines what of these eight models helps. Every way to combine is scored on the test part, which decided nothing.

    python benchmarks/ensembles.py [--first 10] [--splits 5] [--table-splits 3] [--output ...]
        [--table online_shoppers.csv.gz:Revenue ...]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from rows import markdown

from hpo.objectives.ensembles import measured
from hpo.objectives.ensembles.combinations import KINDS, fit
from hpo.search import studyfile
from hpo.search.engine import run as engine
from hpo.search.engine.predictions import Predictions
from hpo.search.running.held_out import predictions_on
from hpo.search.store import open_store
from hpo.search.store.names import CONFIRM
from hpo.search.terms.ensemble import SINGLE
from hpo.search.terms.winner import Winner

TOP, MOST, TRIALS = 4, 8, 12


def study_of(data: Any, seed: int) -> Any:
    """The search of a network's recipe."""
    plain = {
        "name": "ensembles", "objective": "mlp", "data": data, "goal": "minimize val_loss", "seed": seed,
        "search": {
            "learning_rate": {"float": [3e-4, 3e-2], "log": True}, "width": {"choice": [32, 64, 128]},
            "dropout": {"float": [0.0, 0.5]}, "batch_size": {"choice": [32, 64, 128]},
        },
        "fixed": {"epochs": 12}, "sampler": "random", "pruner": "successive-halving", "budget": {"trials": TRIALS},
        "confirm": {"top": TOP, "seeds": 2, "ensemble": MOST},
    }  # fmt: skip
    return studyfile.read(plain, [])


def scored(data: Any, seed: int, folder: Path) -> dict[str, Any]:
    """Log loss on the test part of the winner alone, of the best model alone, of every way, and of what was chosen."""
    study = study_of(data, seed)
    store = engine.run(study, store=open_store(str(folder / f"{seed}.journal")))
    snapshot = store.read(study.name)
    assert snapshot is not None
    winner = Winner.read(snapshot.user_attrs["winner"])
    assert winner is not None
    assert winner.ensemble is not None
    kept, again = Predictions.beside(store, study.name + CONFIRM, study.goals), store.read(study.name + CONFIRM)
    assert again is not None
    seeds = sorted({trial.user_attrs["seed"] for trial in again.trials})
    recipes = [{**study.fixed, **one.point, "seed": number} for one in winner.candidates for number in seeds]
    pool = [kept.of(recipe) for recipe in recipes]
    tests = [predictions_on(study.task, recipe, study.goals, "test")[0] for recipe in recipes]
    validation, test = [one for one in pool if one is not None], [one for one in tests if one is not None]
    assert len(validation) == len(test) == len(recipes)
    found: dict[str, Any] = {"chosen": winner.ensemble.options[0].kind if winner.ensemble.taken else SINGLE}
    own = recipes.index(dict(winner.recipe))
    found |= {"winner alone": measured(test[own].targets, test[own].values)["log_loss"]}
    for kind in KINDS:
        way = fit(kind, validation, MOST)
        if way is not None:
            made = way.of([test[place].values for place in way.members])
            found[kind] = measured(test[0].targets, made)["log_loss"]
    options = {option.kind: option for option in winner.ensemble.options}
    taken = found["chosen"]
    found["what was chosen"] = found["winner alone"] if taken == SINGLE else found[taken]
    found["times the latency"] = options[taken].milliseconds / options[SINGLE].milliseconds
    found["validation, crossed"] = {kind: option.value for kind, option in options.items()}
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5, help="study seeds, each with a split of its own")
    parser.add_argument("--first", type=int, default=10, help="the first of them; the rule was chosen on 0 to 5")
    parser.add_argument("--table-splits", type=int, default=3, help="the same for tables")
    parser.add_argument("--table", action="append", default=[], metavar="FILE:TARGET[:DROP]", help="beside digits")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    sets: dict[str, Any] = {"digits": "digits"}
    for given in arguments.table:
        path, target, *drop = given.split(":")
        options = {"path": str(Path(path).resolve()), "target": target} | ({"drop": drop} if drop else {})
        sets[Path(path).name.partition(".")[0]] = {"table": options}
    results, table = {}, []
    for name, data in sets.items():
        splits = arguments.splits if name == "digits" else arguments.table_splits
        with tempfile.TemporaryDirectory() as folder:
            results[name] = []
            for seed in range(arguments.first, arguments.first + splits):
                results[name].append(scored(data, seed, Path(folder)))
                print(name, seed, json.dumps(results[name][-1]), flush=True)
        for seed, one in enumerate(results[name], arguments.first):
            row = {"data": name, "split": seed, "chosen": one["chosen"]}
            row |= {key: f"{one[key]:.4f}" for key in ("winner alone", *KINDS, "what was chosen") if key in one}
            table.append(row | {"latency": f"{one['times the latency']:.1f}x"})
        gain = statistics.fmean(1 - one["what was chosen"] / one["winner alone"] for one in results[name])
        print(f"{name}: test log loss {gain:+.1%} lower on average with what was chosen", flush=True)
    print(markdown(table))
    if arguments.output is not None:
        about = {
            "command": "python benchmarks/ensembles.py "
            f"--first {arguments.first} --splits {arguments.splits} --table-splits {arguments.table_splits}",
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "torch", "scikit-learn", "optuna")},
        }
        arguments.output.write_text(json.dumps({"about": about, "data sets": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
