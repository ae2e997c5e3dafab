"""Train an exported recipe: its curve, its test scores, and its weights in a folder.

With the recipe's seed on the machine that exported it the curve equals the recorded one exactly, and the command says
so. With --data it trains on another file of the same columns, with --evaluate it scores the model on one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.report import text
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.study import Goal
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from hpo.search.report.recipefile import RecipeFile


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `hpo export` wrote")
    parser.add_argument(
        "--pick", type=int, default=1, metavar="N", help="the N-th recipe of the file (default: 1, the winner)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="another seed than the recorded one")
    parser.add_argument("--data", type=Path, metavar="FILE", help="train on another file of the same columns")
    parser.add_argument(
        "--evaluate", type=Path, metavar="FILE", help="score the trained model on a file of the same columns"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where weights and metrics go (default: STUDY-model)"
    )
    parser.add_argument("--force", action="store_true", help="write into the folder although it exists")


def main(arguments: argparse.Namespace) -> int:
    """Train, measure, save."""
    set_environment()  # before torch and sklearn are imported
    from hpo.search.report import recipefile

    exported = recipefile.load(arguments.file, arguments.pick)
    folder: Path = arguments.output or Path(f"{exported.study}-model".replace(" ", "-"))
    if folder.exists() and not arguments.force:
        raise UserError(f"{folder} exists; choose another with --output, or write into it with --force")
    recipe = dict(exported.recipe)
    if arguments.seed is not None:
        recipe["seed"] = arguments.seed
    task = exported.task if arguments.data is None else _other_data(exported, arguments.data)
    curve, scored, fitted = _train(task, recipe, [Goal.read(goal) for goal in exported.goals])
    if arguments.data is None and arguments.seed is None:
        _compare(exported, curve)
    metrics: dict[str, Any] = {"recipe": recipe, "curve": curve, "validation": scored}
    if hasattr(fitted, "test"):
        metrics["test"] = fitted.test()
        print("test split: " + _scores(metrics["test"]))
    if arguments.evaluate is not None:
        metrics["evaluated"] = {str(arguments.evaluate): _evaluate(exported, fitted, arguments.evaluate)}
        print(f"{arguments.evaluate}: " + _scores(next(iter(metrics["evaluated"].values()))))
    folder.mkdir(parents=True, exist_ok=True)
    saved = list(fitted.save(folder)) if hasattr(fitted, "save") else []
    if not saved:
        print("the objective returns no model that can be saved: return one with save(folder) from train")
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    print(f"wrote {', '.join(str(path) for path in [*saved, folder / 'metrics.json'])}")
    return 0


def _train(
    task: Any, recipe: dict[str, Any], goals: Sequence[Goal]
) -> tuple[list[tuple[int, float]], Mapping[str, float], Any]:
    """Train; gives the curve, and the model that its value stands for with the metrics of its point."""
    from hpo.search.running.training import VALUE, Trainer, kept
    from hpo.search.terms.job import Job

    metric = goals[0].metric
    run = Trainer(task).start(Job(0, recipe))
    curve: list[tuple[int, float]] = []
    points: list[tuple[int, Mapping[str, float]]] = []
    for point in run:
        step = run.step
        point.pop("step", None)
        value = point.get(metric, point.get(VALUE))
        if value is None:
            raise UserError(f"the objective yields no metric {metric!r}")
        curve.append((step, value))
        points.append((step, point))
        print(
            f"step {step}: " + ", ".join(f"{name} {text.short(number)}" for name, number in point.items()), flush=True
        )
    fitted, scored = kept(run.fitted, goals, points)
    if fitted is not run.fitted:
        step = next(step for step, point in points if point is scored)
        print(f"keeping the model as it was at step {step}, its best point")
    return curve, scored, fitted


def _compare(exported: RecipeFile, curve: list[tuple[int, float]]) -> None:
    recorded = list(exported.curve)
    if not recorded:
        return
    if curve[: len(recorded)] == recorded:
        stopped = f", which was stopped at step {recorded[-1][0]}" if len(curve) > len(recorded) else ""
        print(f"the curve equals the recorded one exactly{stopped}")
        return
    pairs = zip(recorded, curve, strict=False)
    first = next((ours for ours, theirs in pairs if ours != theirs), None)
    where = f"from step {first[0]} on" if first else "in length"
    versions = exported.about.get("versions") or {}
    made = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"the curve differs from the recorded one {where}: another machine, code or data? It was made with {made}")


def _other_data(exported: RecipeFile, path: Path) -> Any:
    from dataclasses import replace

    if not path.is_file():
        raise UserError(f"there is no file {path}")
    data = exported.task.data
    if not isinstance(data, dict) or "path" not in next(iter(data.values())):
        raise UserError(
            f"this recipe was found on {data or 'its objective'}'s own data, not on a file; --data cannot replace it"
        )
    kind, options = next(iter(data.items()))
    return replace(exported.task, data={kind: {**options, "path": str(path.resolve())}})


def _evaluate(exported: RecipeFile, fitted: Any, path: Path) -> dict[str, float]:
    if not hasattr(fitted, "evaluate"):
        raise UserError("the objective returns no model that can be evaluated on other data")
    data = registry.part("data")
    part = data.apply(data.load(exported.task.data, exported.task.split_seed), path)
    scores: dict[str, float] = fitted.evaluate(part)
    return scores


def _scores(scores: dict[str, Any]) -> str:
    shown = [f"{name} {text.short(value)}" for name, value in scores.items() if isinstance(value, (int, float))]
    matrix = scores.get("confusion_matrix")
    rows = "\n".join("  " + " ".join(f"{count:>5}" for count in row) for row in matrix) if matrix else ""
    return ", ".join(shown) + (f"\nconfusion matrix (rows: true class):\n{rows}" if rows else "")
