"""Train an exported recipe: its curve, its test scores, and its weights in a folder.

With the recipe's seed on the machine that exported it the curve equals the recorded one exactly, and the command says
so. With --data it trains on another file of the same columns, with --evaluate it scores the model on one.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.commands.common import consent
from hpo.search.describe.objective import describe
from hpo.search.describe.trained import weights_digest
from hpo.search.report import card, files, modelfolder, text
from hpo.search.report.likeness import verdict
from hpo.search.report.out import say
from hpo.search.running.consent import seal as sealed
from hpo.search.running.scratch import fresh_scratch
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.job import Task
from hpo.search.terms.study import Goal
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from hpo.search.describe.objective import Objective
    from hpo.search.report.exported import RecipeFile
    from hpo.search.terms.ensemble import Ensemble

_LINES = 12
"""Most lines of a look at what a model writes."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `hpo export` wrote")
    parser.add_argument(
        "--pick", type=int, default=1, metavar="N", help="the N-th recipe of the file (default: 1, the winner)"
    )
    parser.add_argument(
        "--alone", action="store_true", help="the winner alone, where the file holds a combination of models"
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
    parser.add_argument("--yes", action="store_true", help="run the code that FILE names, whoever wrote it")


def main(arguments: argparse.Namespace) -> int:
    """Train, measure, save."""
    set_environment()  # before torch and sklearn are imported
    from hpo.search.report import exported as recipes

    exported = recipes.load(arguments.file, arguments.pick, data=arguments.data)
    if arguments.evaluate is not None and not arguments.evaluate.is_file():
        raise UserError(f"there is no file {arguments.evaluate}")
    folder: Path = arguments.output or Path(exported.folder)
    files.clear(folder, itself=True)  # of an earlier run that was killed while it saved
    if os.path.lexists(folder) and not arguments.force:
        raise UserError(f"{folder} exists; choose another with --output, or write into it with --force")
    files.probe_folder(folder)
    if exported.task.start_from is not None:  # weights that are not as they were are told before training
        weights_digest(Path(exported.task.start_from))
    documents = None
    if arguments.evaluate is not None and exported.objective.text:  # what cannot be read is told before training
        documents = registry.load("data", "text").documents_of(exported.task.data, arguments.evaluate)
    if exported.ensemble is not None and arguments.seed is not None and not arguments.alone:
        raise UserError(
            f"{arguments.file} holds a combination of {len(exported.ensemble.members)} models, each with its own seed: "
            "add --alone to train the winner alone with another one"
        )
    seal = exported.about.get("seal")
    consent.allow(exported.task, exported.objective, seal, str(arguments.file), yes=arguments.yes)
    if exported.edited:
        say(f"{arguments.file}: {exported.edited}")
    recipe = dict(exported.recipe)
    if arguments.seed is not None:
        recipe["seed"] = arguments.seed
    same = arguments.data is None and arguments.seed is None
    with _objectives_own(exported.objective, "the recipe cannot be trained"):
        if exported.ensemble is not None and not arguments.alone:
            scored, fitted = _train_members(exported, exported.ensemble, same=same)
            metrics: dict[str, Any] = {"ensemble": exported.ensemble.plain(), "validation": scored}
        else:
            curve, scored, fitted = _train(exported.task, recipe, exported.goals)
            if same and not exported.edited:
                _compare(exported, curve)
            metrics = {"recipe": recipe, "curve": curve, "validation": scored}
    try:
        with _objectives_own(exported.objective, "the model cannot be tested"):
            if hasattr(fitted, "test"):
                metrics["test"] = fitted.test()
                say("test split: " + _scores(metrics["test"], _labels(fitted)))
    except UserError as error:  # what was trained is worth keeping all the same
        say(error)
    if arguments.evaluate is not None:
        with _objectives_own(exported.objective, f"the model cannot be scored on {arguments.evaluate}"):
            metrics["evaluated"] = {str(arguments.evaluate): _evaluate(exported, fitted, arguments.evaluate, documents)}
        say(f"{arguments.evaluate}: " + _scores(next(iter(metrics["evaluated"].values())), _labels(fitted)))
    if hasattr(fitted, "look") and (lines := fitted.look()):
        say("a look at it:")
        say("\n".join(f"  | {line}" for line in lines.splitlines()[:_LINES]))
    before = modelfolder.own_files(folder)
    with files.filled(folder) as made:
        saved = _save(exported.objective, fitted, made)
        files.write(made / "metrics.json", json.dumps(metrics, indent=2, default=str))
        if saved:
            files.write(made / "README.md", card.compose(exported, recipe, metrics, folder.name))
            task, objective = _built_by(exported, fitted)
            if task is not exported.task:  # a model that was opened to be trained on: its code has run here
                seal = sealed(task, objective)
            modelfolder.seal_folder(made, task, objective, _origin(exported, task, seal))
    modelfolder.drop(folder, before)
    if not saved and exported.objective.program is not None:
        say("a program keeps its model itself: what it wrote lies where it writes it")
    elif not saved:
        say("the objective returns no model that can be saved: return one with save(folder) from train")
    shown = [folder / path.relative_to(made) if path.is_relative_to(made) else path for path in saved]
    say(f"wrote {', '.join(map(str, [*shown, folder / 'metrics.json']))}")
    if saved and modelfolder.opens(exported.objective):
        say(f"predict with it: hpo predict {shlex.quote(str(folder))} --data FILE --output predictions.csv")
    return 0


def _built_by(exported: RecipeFile, fitted: Any) -> tuple[Task, Objective]:
    """What opens the model: the recipe's own objective, or the one that a model made of another names."""
    task = getattr(fitted, "task", None)
    if not isinstance(task, Task) or task.objective == exported.task.objective:
        return exported.task, exported.objective
    return task, describe(task.objective, Path(task.folder))


def _origin(exported: RecipeFile, task: Task, seal: object) -> dict[str, Any]:
    """What a model's folder says of where it comes from."""
    from hpo.search.engine.definition import circumstances, versions

    data = circumstances(task, describe(task.objective, Path(task.folder)))["data"]
    known = {"study": exported.study, "digest": exported.origin, "seal": seal, "versions": versions()}
    return {**known, "data_digest": data}


@contextmanager
def _objectives_own(objective: Objective, problem: str) -> Iterator[None]:
    """Tell what the objective's own code raises in one line, with its place in the user's file.

    Raises:
        UserError: anything was raised that is no message already.
    """
    try:
        yield
    except (KeyboardInterrupt, HpoError):
        raise
    except BaseException as error:  # sys.exit() included
        from hpo.search.running.training import failure, line_of

        line, reason = line_of(error, objective), failure(0, error, objective).reason
        place = f"{line} of {objective.label}" if line else ""
        raise UserError(f"{problem}: {reason}{'' if place in reason else place}") from error


def _save(objective: Objective, fitted: Any, folder: Path) -> list[Path]:
    """Files of the model, in a folder; none where it cannot be saved."""
    if not hasattr(fitted, "save"):
        return []
    with _objectives_own(objective, "the model cannot be saved"):
        try:
            return [Path(path) for path in fitted.save(folder) or ()]
        except Exception as error:
            if (failed := files.disk_error(error)) is None:
                raise
            raise files.unwritable(folder, failed) from error


def _train(
    task: Task, recipe: dict[str, Any], goals: Sequence[Goal]
) -> tuple[list[tuple[int, float]], Mapping[str, float], Any]:
    """Train; gives the curve, and the model that its value stands for with the metrics of its point."""
    from hpo.search.executors.common.peers import together
    from hpo.search.running.training import Trainer, kept, value_of
    from hpo.search.terms.job import Job

    metric = goals[0].metric
    curve: list[tuple[int, float]] = []
    points: list[tuple[int, Mapping[str, float]]] = []
    with fresh_scratch() as scratch, together(task, job := Job(0, recipe, checkpoints=scratch), goals):
        run = Trainer(task).start(job)
        for point in run:
            step = run.step
            point.pop("step", None)
            value = value_of(point, metric)
            if value is None:
                if not curve:
                    raise UserError(f"the objective yields no metric {metric!r}, only {', '.join(point)}")
                continue  # measured every few steps only: not a point of the curve
            curve.append((step, value))
            points.append((step, point))
            shown = ", ".join(f"{name} {text.short(number)}" for name, number in point.items())
            say(f"step {step}: {shown}", flush=True)
        fitted, scored = kept(run.fitted, goals, points)
    if fitted is not run.fitted:
        step = next(step for step, point in points if point is scored)
        say(f"keeping the model as it was at step {step}, its best point")
    return curve, scored, fitted


def _train_members(exported: RecipeFile, ensemble: Ensemble, *, same: bool) -> tuple[Mapping[str, float], Any]:
    """Train every model of a combination; gives what they score together on the validation part, and all as one."""
    models = []
    for place, member in enumerate(ensemble.members, 1):
        say(f"model {place} of {len(ensemble.members)}, trial {member.trial}:", flush=True)
        models.append(_train(exported.task, dict(member.recipe), exported.goals)[2])
    fitted = registry.part("ensembles").Combined(ensemble.combination, models)
    scored = fitted.validated()
    now, recorded = scored.get(ensemble.metric), ensemble.value
    if same and now is not None:
        like = "as recorded" if now == recorded else f"recorded was {text.short(recorded)}"
        say(f"combined, on the validation part that chose the weights: {ensemble.metric} {text.short(now)}, {like}")
    return scored, fitted


def _compare(exported: RecipeFile, curve: list[tuple[int, float]]) -> None:
    """Say whether the curve is the recorded one, and where it is not, what of all that is recorded differs."""
    if not exported.curve:
        return
    from hpo.search.engine.definition import circumstances

    about = exported.about
    recorded = {
        **{part: about.get(part) for part in ("machine", "versions", "source")},
        "data": about.get("data_digest"),
        "start_from": about.get("start_digest"),
        "metric": about.get("metric_digest"),
    }
    now = circumstances(exported.task, exported.objective)
    alone, doubtful = exported.objective.trained_by_suite, exported.origin is None
    say(verdict(exported.curve, curve, recorded, now, alone=alone, doubtful=doubtful))


def _evaluate(exported: RecipeFile, fitted: Any, path: Path, documents: Sequence[str] | None) -> dict[str, float]:
    if not hasattr(fitted, "evaluate"):
        raise UserError("the objective returns no model that can be evaluated on other data")
    if documents is not None:
        found: dict[str, float] = fitted.evaluate(documents)
        return found
    data, (task, _) = registry.part("data"), _built_by(exported, fitted)
    part = data.apply(data.load(task.data, task.split_seed), path)
    scores: dict[str, float] = fitted.evaluate(part)
    return scores


def _labels(fitted: Any) -> Sequence[Any]:
    """Names of a model's classes, where it knows them."""
    return tuple(getattr(fitted, "labels", ()))


def _scores(scores: Mapping[str, Any], labels: Sequence[Any] = ()) -> str:
    shown = [f"{name} {text.short(value)}" for name, value in scores.items() if isinstance(value, (int, float))]
    matrix = scores.get("confusion_matrix")
    return ", ".join(shown) + (f"\n{text.confusion(matrix, labels)}" if matrix else "")
