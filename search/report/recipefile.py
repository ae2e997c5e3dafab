"""What `hpo export` writes of a recipe: YAML with where it comes from, which ``exported`` reads; a run for a tool."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.describe.live import LIVE
from hpo.search.describe.objective import Objective, describe
from hpo.search.report.formats.common.run import Run, run_of
from hpo.search.report.study import StudyReport
from hpo.search.studyfile.yaml12 import dump
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.knobs import Signature
from hpo.search.terms.recipe import canonical, digest
from hpo.search.terms.winner import Candidate


def compose(found: StudyReport, fresh: StudyReport | None, top: int, first: Candidate | None = None) -> str:
    """Text of the file: the winner with what is known of it, then up to ``top - 1`` others (or the Pareto front).

    Args:
        found: the study.
        fresh: its fresh runs.
        top: recipes at most.
        first: of the front, in the winner's place; None for the winner.

    Raises:
        UserError: the study has no result yet.
    """
    task = stored_task(found)
    if not found.winner:
        raise UserError(f"{found.name} has no winner yet; go on with: hpo run --study {shlex.quote(found.name)}")
    leaders, recipe, test = found.winner.candidates, dict(found.winner.recipe), found.winner.test
    if first is not None and first != leaders[0]:
        recipe = {**_fixed(found), **first.point, "seed": recipe["seed"]}
        leaders, test = (first, *(leader for leader in leaders if leader != first)), None
    several = len(found.goals) > 1
    about: dict[str, Any] = {
        "study": found.name,
        "trial": leaders[0].trial,
        "recipe": recipe,
        "digest": digest(recipe),
        "objective": task.objective,
        "data": task.data,
        "split_seed": task.split_seed,
        "start_from": task.start_from,
        "metric": task.metric,
        "memory_limit": task.memory_limit,
        "processes": task.processes if task.processes > 1 else None,
        "folder": task.folder,
        "goal": list(found.goals) if several else found.goals[0],
        "values": _values(found, leaders[0]),
        "test": test,
        "curve": _curve(found, leaders[0].trial, recipe, fresh),
        "data_digest": found.definition.get("data"),
        "start_digest": found.definition.get("start_from"),
        "metric_digest": found.definition.get("metric"),
        "versions": found.definition.get("versions"),
        "machine": found.definition.get("machine"),
        "source": found.definition.get("source"),
        "seal": found.seal,
    }
    content: dict[str, Any] = {
        "recipe": recipe,
        "about": {k: v for k, v in about.items() if v is not None},
    }
    others = [
        _other(leader.trial, _values(found, leader), {**_fixed(found), **leader.point})
        for leader in leaders[1 : None if several else top]
    ]
    known = {leader.trial for leader in leaders}
    if not several:
        for trial in found.ranked():
            if len(others) + 1 < top and trial.number not in known:
                values = {
                    metric: {"searched": value} for metric, value in zip(found.metrics, trial.values, strict=False)
                }
                recipe = {**_fixed(found), **trial.point, "seed": trial.seed}
                others.append(_other(trial.number, values, recipe))
    if found.winner.ensemble is not None and found.winner.ensemble.taken:
        content["ensemble"] = {
            key: value for key, value in found.winner.ensemble.plain().items() if key != "options" and value is not None
        }
    if others:
        content["front" if several else "others"] = others
    title = f"# {found.question or found.name}: the winner; train it with: hpo train THIS_FILE\n"
    return title + dump(_plain(content))


def run_for(
    found: StudyReport, tool: str, *, trial: int | None = None, devices: int = 1, samples: int | None = None
) -> Run:
    """The run that the winner's recipe means on so many devices, or that of a trial.

    Args:
        found: the study.
        tool: in which it is to run.
        trial: number of the trial; None for the winner.
        devices: data-parallel devices.
        samples: training samples of the large run, where the recipe goes by epochs.

    Raises:
        UserError: there is no winner yet or no such trial, or the recipe does not say what the tool must know.
    """
    task = stored_task(found)
    number = trial if trial is not None else found.winner.candidates[0].trial if found.winner else None
    if number is None:
        raise UserError(
            f"{found.name} has no winner yet; finish it with: hpo run --study {found.name}, or name a trial: --trial N"
        )
    chosen = next((known for known in found.trials if known.number == number), None)
    if chosen is None:
        raise UserError(f"{found.name} has no trial {number}; it has {len(found.trials)}, counted from 0")
    if trial is None and found.winner is not None:
        recipe = dict(found.winner.recipe)
    else:
        recipe = {**_fixed(found), **chosen.point} | ({} if chosen.seed is None else {"seed": chosen.seed})
    cut = chosen.metrics.get("micro_batch")
    objective = _objective(task)
    whose = "the winner, " if trial is None else ""
    return run_of(
        objective,
        recipe,
        tool=tool,
        title=f"{found.name}: the recipe of {whose}trial {number} of {objective.label}",
        name=found.name,
        devices=devices,
        samples=samples,
        micro=int(cut) if cut is not None and cut >= 1 else None,
    )


def _objective(task: Task) -> Objective:
    """The objective of a task; a function of another process with the knobs that its recipes name."""
    if task.objective.startswith(LIVE):
        return Objective(task.objective, "live", None, task.objective.removeprefix(LIVE), Signature({}, True))
    return describe(task.objective, Path(task.folder))


def stored_task(found: StudyReport) -> Task:
    """What the trials of a stored study train.

    Raises:
        UserError: the study was not made by `hpo run`.
    """
    if not found.task:
        raise UserError(f"{found.name} was not made by `hpo run`, so what it trained is not known")
    return Task(**found.task)


def _other(number: int, values: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {"trial": number, "digest": digest(recipe), "values": values, "recipe": recipe}


def _values(found: StudyReport, leader: Candidate) -> dict[str, Any]:
    values = {}
    for i, metric in enumerate(found.metrics):
        mean, half = leader.mean[i], leader.halves()[i]
        entry: dict[str, Any] = {"searched": leader.searched[i], "fresh_runs": len(leader.runs)}
        if leader.runs:
            entry = {"mean": mean, **entry}
        if half is not None:
            entry["interval"] = [mean - half, mean + half]
        values[metric] = entry
    return values


def _curve(found: StudyReport, number: int, recipe: Mapping[str, Any], fresh: StudyReport | None) -> Any:
    """The recorded curve of exactly this recipe and seed: of a fresh run, or of the search trial itself."""
    trial = next((t for t in found.trials if t.number == number), None)
    if trial is None:
        return None
    runs = [t for t in fresh.trials if t.recipe == trial.recipe] if fresh is not None else []
    match = next((t for t in [*runs, trial] if t.seed == recipe.get("seed")), None)
    return [[step, value] for step, value in match.curve] if match is not None else None


def _fixed(found: StudyReport) -> dict[str, Any]:
    return dict(found.definition.get("fixed") or {})


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same made plain data, keys in the order given."""
    return {key: _plain(value) if isinstance(value, Mapping) else canonical(value) for key, value in content.items()}
