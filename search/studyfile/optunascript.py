"""A script written for Optuna as a study: its objective, its ranges, and what it says of its search."""

from __future__ import annotations

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
    plan = plan_of(source)
    name = function or (plan.function if function_of_trial(source, plan.function) is not None else "objective")
    if function_of_trial(source, name) is None:
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
    directions = plan.directions or ["minimize"] * told.values
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
    return study, _notes(path, plan, told.unclear, len(ranges))


def _study_name(plan: Planned, path: Path) -> str:
    named = plan.keys.get("name")
    return named if isinstance(named, str) and problem_with(named) is None else path.stem


def _notes(path: Path, plan: Planned, unclear: list[tuple[int, str, str]], knobs: int) -> list[str]:
    taken = [f"{knobs} knobs", *plan.directions]
    taken += [key for key in ("sampler", "pruner", "budget", "workers", "seed", "prior") if key in plan.keys]
    notes = [f"taken from {path.name}: {', '.join(taken)}"]
    if plan.left:
        notes.append(f"not taken from {path.name}: {'; '.join(dict.fromkeys(plan.left))}")
    for line, name, why in unclear:
        notes.append(
            f"{name} in line {line} is not searched but drawn at random, for {why}: give it a range under search in a "
            "study file"
        )
    return notes
