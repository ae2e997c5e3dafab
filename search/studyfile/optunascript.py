"""A script written for Optuna as a study: its objective, its ranges, and what it says of its search."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from hpo.search.describe.objective import describe
from hpo.search.describe.source import Source
from hpo.search.describe.trial_plan import Planned, plan_of
from hpo.search.describe.trial_reader import function_of_trial
from hpo.search.store.names import problem_with
from hpo.search.studyfile.suggested import domain_plain
from hpo.search.terms.errors import UserError


def split_reference(study: str) -> tuple[Path, str] | None:
    """File and function of ``script.py`` or ``script.py:objective``; None where it is neither."""
    target, _, function = study.rpartition(":") if study.rpartition(":")[0].endswith(".py") else (study, "", "")
    path = Path(target).expanduser()
    return (path, function) if path.suffix == ".py" and path.is_file() else None


def study_of(path: Path, function: str) -> tuple[dict[str, Any], list[str]] | None:
    """The study that a script is, and what was taken from it or left; None where it has no function of a trial.

    Raises:
        UserError: the function named is none, or nothing is suggested.
    """
    try:
        source = Source(path)
    except (OSError, SyntaxError, ValueError):
        return None
    plan = plan_of(source, function)
    name = function or (plan.function if function_of_trial(source, plan.function) is not None else "objective")
    if function_of_trial(source, name) is None:
        _refuse(source, function, plan)
        return None
    objective = describe(f"{path.resolve()}:{name}", Path())
    told = objective.suggestions
    assert told is not None
    if not told.parameters:
        said = f"its {told.unclear[0][1]} in line {told.unclear[0][0]}: {told.unclear[0][2]}" if told.unclear else ""
        raise UserError(
            f"{name} of {path.name} suggests no knob whose range its text tells{f' ({said})' if said else ''}: "
            f"write a study file with objective: ./{path.name}:{name} and its ranges under search"
        )
    if not plan.directions:
        raise UserError(
            f"{path.name} does not tell what is better: {plan.undirected}; say so in a study file:\n\n"
            f"  objective: ./{path.name}:{name}\n  goal: minimize last value    # or maximize\n\n"
            f"and run that: hpo run {path.stem}.yaml"
        )
    directions = plan.directions
    metrics = ["value"] if len(directions) == 1 else [f"value_{place}" for place in range(len(directions))]
    goals = [f"{direction} last {metric}" for direction, metric in zip(directions, metrics, strict=True)]
    goal: Any = goals[0] if len(goals) == 1 else goals
    study: dict[str, Any] = {"name": _study_name(plan, path), "objective": f"./{path.name}:{name}", "goal": goal}
    grid = {knob: {"choice": values} for knob, values in plan.grid.items() if knob in told.parameters}
    ranges = {knob: domain_plain(parameter.domain) for knob, parameter in told.parameters.items()}
    study |= {"search": grid} if grid else {}
    study |= {key: value for key, value in plan.keys.items() if key != "name"}
    if "prior" in study:
        study["prior"] = {knob: value for knob, value in study["prior"].items() if knob in ranges}
    return study, _notes(path, plan, len(ranges))


def _refuse(source: Source, function: str, plan: Planned) -> None:
    """Say of a script for Optuna why it does not run as it is; of others nothing.

    Raises:
        UserError: it hands something to ``optimize`` that is no function of a trial alone, or has none of that name.
    """
    imports = [ast.unparse(node) for node in ast.walk(source.tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    if plan.handed is None and not any("optuna" in text for text in imports):
        return
    name = source.path.name
    if function and plan.function and function_of_trial(source, plan.function) is not None:
        raise UserError(
            f"{name}: {function} is no function at the top level of the file that takes a trial alone; what it "
            f"optimizes is {plan.function}: hpo run {name}, or hpo run {name}:{plan.function}"
        )
    what = f"{name} hands {plan.handed[1][:60]} to optimize in line {plan.handed[0]}" if plan.handed else name
    raise UserError(
        f"{what}: {function or 'objective'} is no function at the top level of the file that takes a trial alone; "
        "write one there that makes what else yours needs, def objective(trial): return mine(trial, load()), and run "
        f"it with: hpo run {name}:objective"
    )


def _study_name(plan: Planned, path: Path) -> str:
    named = plan.keys.get("name")
    return named if isinstance(named, str) and problem_with(named) is None else path.stem


def _notes(path: Path, plan: Planned, knobs: int) -> list[str]:
    taken = [f"{knobs} knobs", *plan.directions]
    taken += [key for key in ("sampler", "pruner", "budget", "workers", "seed", "prior") if key in plan.keys]
    notes = [f"taken from {path.name}: {', '.join(taken)}"]
    if plan.others:
        others = ", ".join(plan.others)
        notes.append(f"{path.name} optimizes others too ({others}): name one, hpo run {path.name}:{plan.others[0]}")
    if plan.left:
        notes.append(f"not taken from {path.name}: {'; '.join(dict.fromkeys(plan.left))}")
    return notes
