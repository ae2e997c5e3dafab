"""What can be built without training is built before a search; what can only fail is refused with its reason.

Recipes spread over the space are tried until one can be built. ``hpo check`` does so in a process of its own, and only
where the sources leave a doubt, so that it stays quick and imports nothing heavy itself; ``hpo run`` tries estimators
where it is, before anything is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hpo.search.describe.objective import Objective, describe, import_module
from hpo.search.engine import fitting
from hpo.search.running.training import failure
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice
from hpo.search.terms.errors import DataError, UserError
from hpo.search.terms.job import Task
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.study import Study
from hpo.search.terms.threads import ENVIRONMENT

Build: TypeAlias = "Callable[[Mapping[str, Any]], object]"

LOOKS = 64
"""Recipes that are tried before a study is refused."""

PATIENCE = 60.0
"""Seconds after which a process that tries to build says nothing."""


def rehearse(study: Study, objective: Objective) -> None:
    """Try to build what a built-in objective trains, in this process.

    Raises:
        UserError: every recipe that was tried can only fail.
    """
    if objective.kind == "builtin" and objective.attempts:
        _refuse(problem_of(objective, _recipes(study)))


def rehearse_apart(study: Study, objective: Objective) -> Mapping[str, Any] | None:
    """The same in a process of its own, user's models and doubtful data included; nothing where there is no doubt.

    Returns:
        The summary of a table, as plain data; None of other data.

    Raises:
        UserError: every recipe that was tried can only fail, a part of the search can, or no model can be trained on
            the data.
    """
    build = objective.kind in ("file", "module") and objective.trained_by_suite
    build = build or (objective.attempts and objective.doubtful(study.fixed, study.space))
    load = objective.kind == "builtin" and _doubtful_data(study)
    table = objective.kind == "builtin" and isinstance(study.data, Mapping) and "table" in study.data
    bind = objective.trained_by_suite and fitting.bound(study)
    if not build and not load and not table and not bind:
        return None
    return _apart(study, objective, build=build, bind=bind, load=load, table=table)


def rehearse_bound(study: Study, objective: Objective) -> None:
    """See in a process of its own whether what is searched fits the network; nothing where no such knob is.

    Raises:
        UserError: a part of the search can only fail.
    """
    if objective.trained_by_suite and fitting.searched(study):
        _apart(study, objective, bind=True)


def _apart(
    study: Study, objective: Objective, *, bind: bool, build: bool = False, load: bool = False, table: bool = False
) -> Mapping[str, Any] | None:
    job = {
        "objective": study.objective,
        "folder": str(study.folder),
        "recipes": list(_recipes(study)) if build or bind else [],
        "ranges": fitting.ranges(study) if bind else {},
        "task": asdict(study.task) if bind else None,
        "data": study.data,
        "load": load,
        "table": table,
        "class_weights": _class_weights(study) if table else [],
        "text": objective.text,
        "split_seed": derive_seed(study.seed, "split"),
    }
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer")
        path = [str(entry) for entry in sys.path]
        start = f"from {__name__} import main; main({str(answer)!r})"
        code = f"import sys; sys.path[:] = {path!r}; {start}"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**ENVIRONMENT, **os.environ}, text=True,
        )  # fmt: skip
        try:
            process.communicate(json.dumps(job), timeout=PATIENCE)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what the user's code started too
            process.wait()
        if not answer.is_file():
            return None
        told = json.loads(answer.read_text(encoding="utf-8"))
    _refuse(told["problem"])
    if told["weighed"]:
        raise UserError(told["weighed"])
    if unfit := fitting.message(study, told["unfit"]):
        raise UserError(f"a part of the search can only fail: {unfit}")
    summary: Mapping[str, Any] | None = told["table"]
    return summary


def main(answer: str) -> None:
    """Try what standard input says, as JSON; write what is wrong to the file ``answer``, as JSON too."""
    job = json.load(sys.stdin)
    problem, table, unfit = "", None, dict[str, Any]()
    if job["load"] or job["table"]:
        try:
            if job["table"]:
                table = asdict(registry.part("data").summary(job["data"], job["split_seed"]))
            registry.part("data").notes(job["data"], job["split_seed"], text=job["text"])
        except DataError as error:
            problem = str(error)
    if not problem and job["recipes"]:
        task = None if job["task"] is None else Task(**job["task"])
        filled = {"data": job["data"], "split_seed": job["split_seed"]} if task is None else {}
        recipes = [{**recipe, **filled} for recipe in job["recipes"]]
        objective = describe(job["objective"], Path(job["folder"]))
        problem, unfit = _tried(objective, task, recipes, job["ranges"])
    weighed = _weighed(job["class_weights"], table)
    told = {"problem": problem, "table": table, "unfit": unfit, "weighed": weighed}
    Path(answer).write_text(json.dumps(told), encoding="utf-8")


def _tried(
    objective: Objective, task: Task | None, recipes: Iterable[Mapping[str, Any]], ranges: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Why nothing can be built, and where something can, which values of searched knobs cannot."""
    try:
        build = builder(objective, task)
    except Exception as error:  # of the user's file
        return failure(0, error, objective).reason, {}
    problem = problem_of(objective, recipes, build)
    why = partial(problem_of, objective, build=build)
    return problem, {} if problem else fitting.unfit(ranges, why)


def problem_of(objective: Objective, recipes: Iterable[Mapping[str, Any]], build: Build | None = None) -> str:
    """Why none of these recipes can be built; nothing where one can, or none is given.

    Args:
        objective: what is built.
        recipes: every knob.
        build: how; as ``builder`` gives it for the objective alone where it is None.
    """
    problem = ""
    for recipe in recipes:
        try:
            build = build or builder(objective, None)
            build(recipe)
        except Exception as error:  # the user's own, or the estimator's
            problem = problem or failure(0, error, objective).reason
        else:
            return ""
    return problem


def builder(objective: Objective, task: Task | None) -> Build:
    """What builds a recipe.

    Args:
        objective: what is built.
        task: with the data that a network is bound to, where that decides; None where building is all.
    """
    module = import_module(objective)
    if task is not None:
        bound: Build = registry.part("trainer").Problem(module, task).setup
        return bound
    if objective.trained_by_suite:
        return partial(registry.part("trainer").call, module.build)
    attempt: Build = module.attempt
    return attempt


def _recipes(study: Study) -> Iterator[dict[str, Any]]:
    for number, point in enumerate(study.space.spread(LOOKS, study.fixed)):
        yield study.recipe(point, number)


def _class_weights(study: Study) -> list[str]:
    """Every ``class_weight`` that names classes, whether it is fixed or one of several."""
    searched = study.space["class_weight"].domain if "class_weight" in study.space.names() else None
    values = searched.values if isinstance(searched, Choice) else (study.fixed.get("class_weight"),)
    return [value for value in values if isinstance(value, str) and value.startswith("{")]


def _weighed(written: Iterable[str], table: Mapping[str, Any] | None) -> str:
    """What is wrong with weights of the classes of a table that was read; nothing where nothing is, or none was."""
    classes = [] if table is None else list(table["classes"] or ())
    try:
        for weights in written if classes else ():
            registry.part("data").numbered(weights, classes, len(classes))
    except UserError as error:
        return str(error)
    return ""


def _doubtful_data(study: Study) -> bool:
    if study.data is None:
        return False
    doubtful: bool = registry.part("data").doubtful(study.data)
    return doubtful


def _refuse(problem: str) -> None:
    if problem:
        raise UserError(f"no recipe of the study can be trained: {problem}")
