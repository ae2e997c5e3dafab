"""The search of a study as a script for plain Optuna, which trains what the study trains."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpo.search.describe.live import LIVE
from hpo.search.describe.trial_plan import PRUNERS, SAMPLERS
from hpo.search.report.study import StudyReport
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms.domain import Choice, Domain, Float
from hpo.search.terms.errors import UserError
from hpo.search.terms.plain_space import space_from
from hpo.search.terms.space import Parameter
from hpo.search.terms.study import Goal

_DEFAULT_PRUNER = "SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)"
_ELSEWHERE = ("executor", "workers", "confirm", "warm_start", "checkpoints", "devices", "repeats")
"""Keys of a study file that a script for Optuna has no counterpart of."""

_TEMPLATE = '''"""{title}

Written by hpo export; python THIS_FILE runs it. It trains by hpo what the study trains{left}.
"""

import optuna

from hpo.search.running.training import Trainer, value_of
from hpo.search.terms.job import Failed, Job, Point, Task
from hpo.search.terms.recipe import derive_seed

TASK = {task}

METRICS = {metrics}
TRAINER = Trainer(Task(**TASK))
FIXED = {fixed}


def suggest(trial):
    """A recipe without its fixed knobs."""
    recipe = {{}}
{suggest}
    return recipe


def objective(trial):
    recipe = {{"seed": derive_seed({seed}, "train", trial.number), **FIXED, **suggest(trial)}}
    job, values = Job(trial.number, recipe), []
    run = TRAINER.start(job)
    try:
        while True:
            event = TRAINER.advance(run, job)
            if isinstance(event, Failed):
                raise RuntimeError(event.reason)
            if not isinstance(event, Point):
                break
            values.append([value_of(event.metrics, metric) for metric in METRICS])
{report}
    finally:
        run.close()
    if not values:
        raise RuntimeError("it told no point")
    {result}


if __name__ == "__main__":
    study = optuna.create_study(
        study_name={name},
        {directions},
        sampler=optuna.samplers.{sampler},
        pruner=optuna.pruners.{pruner},
    )
{prior}    study.optimize(objective, n_trials={trials}, timeout={timeout}, catch=(RuntimeError,))
    for trial in study.best_trials:
        print(trial.number, trial.values, trial.params)
'''

_REPORT = """\
            trial.report(values[-1][0], event.step)
            if trial.should_prune():
                raise optuna.TrialPruned()"""


def script(found: StudyReport) -> str:
    """The script.

    Raises:
        UserError: the study was not made by `hpo run`, or trains a function of another process.
    """
    task = found.task
    if not task:
        raise UserError(f"{found.name} was not made by `hpo run`, so what it trained is not known")
    if str(task.get("objective", "")).startswith(LIVE):
        raise UserError(f"{found.name} trains a function of another process: put it in a file of its own")
    said = parse(found.study_file).plain() if found.study_file.strip() else {}
    goals = [Goal.read(goal) for goal in found.goals]
    budget = said.get("budget") or {}
    fixed = dict(found.definition.get("fixed") or {})
    minutes = budget.get("minutes")
    prior = found.definition.get("prior") or {}
    left = sorted(key for key in _ELSEWHERE if said.get(key) not in (None, 1, False))
    folds = any(trial.aggregate == "mean" for trial in found.trials)
    one = len(goals) == 1 and not folds  # of which Optuna prunes; folds differ by more than recipes do
    left += [f"budget {key}" for key in ("steps", "target") if budget.get(key) is not None]
    sampler, pruner = (
        str(found.definition.get(key) or usual) for key, usual in (("sampler", "tpe"), ("pruner", "none"))
    )
    near = (("sampler", sampler, SAMPLERS), *([("pruner", pruner, PRUNERS)] if one else []))
    left += [
        f"{key} {named} (here the nearest of Optuna's)" for key, named, known in near if named not in known.values()
    ]
    return _TEMPLATE.format(
        title=_plain(f"{found.name}: {found.question or 'its search'}"),
        left=f"; without counterpart: {', '.join(left)}" if left else "",
        task=pprint.pformat(
            {key: value for key, value in task.items() if value is not None}, width=110, sort_dicts=False
        ),
        fixed=pprint.pformat(fixed, width=110, sort_dicts=False),
        suggest="\n".join(_suggested(parameter) for parameter in _ordered(found)) or "    pass",
        seed=int(found.definition.get("seed") or 0),
        report=_REPORT if one else "            # Optuna prunes by the curve of one goal only",
        result=_result([replace(goal, aggregate="mean") for goal in goals] if folds else goals),
        metrics=[goal.metric for goal in goals],
        name=repr(found.name),
        directions=f"direction={goals[0].direction!r}"
        if len(goals) == 1
        else f"directions={[goal.direction for goal in goals]}",
        sampler=_sampler(sampler, int(found.definition.get("seed") or 0), found),
        pruner=_pruner(pruner if one else "none"),
        prior=f"    study.enqueue_trial({dict(prior)!r})\n" if prior else "",
        trials=budget.get("trials", len(found.trials) or None),
        timeout=None if minutes is None else float(minutes) * 60,
    )


def _plain(text: str) -> str:
    """Text that ends no docstring."""
    return json.dumps(text, ensure_ascii=True)[1:-1].replace('\\"', "'")


def _ordered(found: StudyReport) -> list[Parameter]:
    """Parameters, each after those that it depends on."""
    waiting = list(space_from(found.definition.get("space") or {}))
    ordered: list[Parameter] = []
    while waiting:
        names = {parameter.name for parameter in waiting}
        ready = [parameter for parameter in waiting if names.isdisjoint(name for name, _ in parameter.when)] or waiting
        ordered += ready
        waiting = [parameter for parameter in waiting if parameter not in ready]
    return ordered


def _suggested(parameter: Parameter) -> str:
    call = f"recipe[{parameter.name!r}] = trial.{_call(parameter.name, parameter.domain)}"
    if not parameter.when:
        return f"    {call}"
    tests = [f"{{**FIXED, **recipe}}.get({name!r}) in {tuple(values)!r}" for name, values in parameter.when]
    return f"    if {' and '.join(tests)}:\n        {call}"


def _call(name: str, domain: Domain) -> str:
    if isinstance(domain, Choice):
        return f"suggest_categorical({name!r}, {list(domain.values)!r})"
    method = "suggest_float" if isinstance(domain, Float) else "suggest_int"
    further = ", log=True" if domain.log else f", step={domain.step!r}" if domain.step not in (None, 1) else ""
    return f"{method}({name!r}, {domain.low!r}, {domain.high!r}{further})"


def _result(goals: list[Goal]) -> str:
    parts = []
    for place, goal in enumerate(goals):
        column = f"[point[{place}] for point in values]"
        best = "max" if goal.maximize else "min"
        if goal.aggregate == "mean":
            parts.append(f"sum({column}) / len(values)")
        elif goal.aggregate == "last" or (goal.aggregate is None and len(goals) > 1):
            parts.append(f"values[-1][{place}]")
        else:
            parts.append(f"{best}({column})")
    return f"return {', '.join(parts)}"


def _sampler(name: str, seed: int, found: StudyReport) -> str:
    known = {ours: theirs for theirs, ours in reversed(SAMPLERS.items()) if theirs != "BruteForceSampler"}
    theirs = known.get(_first(name), "TPESampler")
    if theirs == "GridSampler":  # every range that a grid takes has steps
        return f"BruteForceSampler(seed={seed})"
    return f"{theirs}(seed={seed})"


def _pruner(name: str) -> str:
    known: Mapping[str, str] = {ours: theirs for theirs, ours in PRUNERS.items()}
    simple = ("MedianPruner", "HyperbandPruner", "NopPruner")
    theirs: Any = known.get(_first(name))
    return f"{theirs}()" if theirs in simple else _DEFAULT_PRUNER


def _first(text: str) -> str:
    """The name of a plug-in as a definition holds it, ``{median: {n: 1}}``."""
    return text.lstrip("{").partition(":")[0].strip()
