"""The YAML that `hpo export` writes: a recipe, and apart from it where it comes from; ``exported`` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.search.report.study import StudyReport
from hpo.search.studyfile.yaml12 import dump
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.recipe import canonical
from hpo.search.terms.winner import Candidate


def compose(found: StudyReport, fresh: StudyReport | None, top: int) -> str:
    """Text of the file: the winner with what is known of it, then up to ``top - 1`` others (or the Pareto front).

    Raises:
        UserError: the study has no result yet.
    """
    if not found.winner:
        raise UserError(f"{found.name} has no winner yet; finish it with: hpo run --study {found.name}")
    task = stored_task(found)
    leaders = found.winner.candidates
    several = len(found.goals) > 1
    about: dict[str, Any] = {
        "study": found.name,
        "trial": leaders[0].trial,
        "objective": task.objective,
        "data": task.data,
        "split_seed": task.split_seed,
        "memory_limit": task.memory_limit,
        "folder": task.folder,
        "goal": list(found.goals) if several else found.goals[0],
        "values": _values(found, leaders[0]),
        "test": found.winner.test,
        "curve": _curve(found, leaders[0].trial, found.winner.recipe, fresh),
        "data_digest": found.definition.get("data"),
        "versions": found.definition.get("versions"),
        "machine": found.definition.get("machine"),
        "source": found.definition.get("source"),
        "seal": found.seal,
    }
    content: dict[str, Any] = {
        "recipe": found.winner.recipe,
        "about": {k: v for k, v in about.items() if v is not None},
    }
    others = [
        {"trial": leader.trial, "values": _values(found, leader), "recipe": {**_fixed(found), **leader.point}}
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
                others.append({"trial": trial.number, "values": values, "recipe": recipe})
    if others:
        content["front" if several else "others"] = others
    title = f"# {found.question or found.name}: the winner; train it with: hpo train THIS_FILE\n"
    return title + dump(_plain(content))


def stored_task(found: StudyReport) -> Task:
    """What the trials of a stored study train.

    Raises:
        UserError: the study was not made by `hpo run`.
    """
    if not found.task:
        raise UserError(f"{found.name} was not made by `hpo run`, so what it trained is not known")
    return Task(**found.task)


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
