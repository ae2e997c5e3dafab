"""Plug-ins as a study names them, made ready: nested ones first, each by its file's ``make``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.contracts.policy import Policy
from hpo.search.contracts.pruner import PrunerContext
from hpo.search.contracts.sampler import SamplerContext
from hpo.search.describe import live
from hpo.search.describe.objective import Objective
from hpo.search.executors.common.logged import Logged
from hpo.search.executors.common.places import places_of
from hpo.search.running.log import captured
from hpo.search.studyfile.plugins import file_kind, options_of, requires
from hpo.search.terms import registry
from hpo.search.terms.devices import Devices
from hpo.search.terms.job import Task
from hpo.search.terms.study import Plugin, Study

_TPE = Plugin("tpe")
DEFAULT_SAMPLER = Plugin("tpe", {"unpruned": 0.2})
_FOLDS = Plugin("wilcoxon")
_HALVING = (
    Plugin("successive-halving", {"min_resource": 2, "reduction_factor": 2}),
    Plugin("successive-halving", {"bootstrap_count": 2}),
)
DEFAULT_PRUNERS = tuple(
    Plugin("by-points", {"curves": Plugin("hedged", {"of": halving}), "folds": _FOLDS}) for halving in _HALVING
)
"""Where the number of trials is bounded, so that what is saved may buy nothing and less is stopped, and where not. See
decision 2, also for the sampler."""
_FORMER = Plugin("successive-halving"), _HALVING[1]
_BEGUN = [
    *DEFAULT_PRUNERS,
    *_FORMER,
    *(Plugin("by-points", {"curves": halving, "folds": _FOLDS}) for halving in _FORMER),
    Plugin("by-points", {"curves": Plugin("hedged", {"of": _FORMER[0]}), "folds": _FOLDS}),
]
"""Defaults that a study may have begun with, also those of earlier versions."""
_FEW = 1000
"""Recipes of a space that a search may run through."""
_LARGE = 1_000_000
"""Bytes of a function with all that it uses from which on its size is told."""


def build(kind: str, plugin: Plugin, context: Any) -> Any:
    """Make a sampler, pruner or policy for a context; options that are plug-ins themselves are made first."""
    options = {
        key: build(kind, value, context) if isinstance(value, Plugin) else value
        for key, value in plugin.options.items()
    }
    return registry.load(file_kind(kind, plugin.name), plugin.name).make(context, **options)


def sampler_and_policy(study: Study) -> tuple[Plugin, Plugin]:
    """The plug-in that proposes recipes and the one that decides what trains next."""
    named = study.sampler or DEFAULT_SAMPLER
    if file_kind("sampler", named.name) == "sampler":
        return named, Plugin("straight")
    inner = [value for value in named.options.values() if isinstance(value, Plugin)]
    rest = {key: value for key, value in named.options.items() if not isinstance(value, Plugin)}
    return (inner[0] if inner else _TPE), Plugin(named.name, rest)


def pruner_of(study: Study) -> Plugin:
    """The study's pruner: as named, none where several goals leave open what to prune by, else the default."""
    if study.pruner is not None:
        return study.pruner
    several = len(study.goals) > 1
    replaced = study.sampler is not None and file_kind("sampler", study.sampler.name) == "policy"
    if several or replaced:
        return Plugin("none")
    bounded = study.budget.trials is not None or study.space.size(study.fixed, _FEW) is not None
    return DEFAULT_PRUNERS[not bounded]


def as_begun(study: Study, definition: Mapping[str, Any]) -> Study:
    """The study with the default sampler and pruner that its first trials had, so that it goes on as it began.

    Args:
        study: to go on.
        definition: that it is stored with; empty where there is no such study. One that does not tell what was named
            is of an earlier version.
    """
    unnamed = definition.get("unnamed", ["sampler", "pruner"])
    pruner = next((plugin for plugin in _BEGUN if str(plugin) == definition.get("pruner")), None)
    if pruner_of(study) in DEFAULT_PRUNERS and pruner is not None and "pruner" in unnamed:
        study = replace(study, pruner=pruner)
    if study.sampler is None and definition.get("sampler") == str(_TPE) and "sampler" in unnamed:
        study = replace(study, sampler=_TPE)
    return study


def unnamed(study: Study) -> list[str]:
    """Which of sampler and pruner the study leaves to the suite."""
    return [key for key, named in (("sampler", study.sampler), ("pruner", study.pruner)) if named is None]


def judged_of(study: Study) -> int:
    """Which of the study's goals its curves are judged by: the one that the pruner names, else the first."""
    goal = pruner_of(study).goal
    return next((i for i, known in enumerate(study.goals) if known.metric == goal), 0)


def check_plugins(study: Study) -> None:
    """See whether what searches takes the options that the study gives it.

    What is not named, and a sampler without options, are not made: their libraries take long to import.

    Raises:
        UserError: one is out of range, or they do not go together.
    """
    sampler, policy = sampler_and_policy(study)
    if policy.options:
        build_policy(policy, study)
    if study.sampler is not None and sampler.options:
        context = SamplerContext(study.space, study.fixed, 0, study.seed, 0, study.directions, study.repeats)
        build("sampler", sampler, context)
    if study.pruner is not None:
        build("pruner", study.pruner, PrunerContext(seed=study.seed))


def build_policy(plugin: Plugin, study: Study) -> Policy:
    """Make the policy."""
    policy: Policy = registry.load("policy", plugin.name).make(study, **plugin.options)
    return policy


def executor_of(study: Study, *, trained_by_suite: bool) -> Plugin:
    """The study's executor: as named, else cohorts where the suite trains, processes for several workers, inline.

    What is given GPUs, or trained by several processes, is never trained in this one.
    """
    if study.executor is not None:
        return study.executor
    if trained_by_suite and "cohort" in registry.names("executor"):
        return Plugin("cohort", {"workers": study.workers})
    apart = study.workers > 1 or study.devices is not None or study.processes_per_trial > 1
    return Plugin("processes", {"workers": study.workers}) if apart else Plugin("inline")


def build_executor(
    plugin: Plugin, task: Task, workers: int, log: str | None = None, devices: Devices | None = None
) -> Executor:
    """Make the executor; ``workers`` goes to one whose ``make`` takes it, unless the study names it there.

    What the objective prints when it is imported goes to ``log``, what trials print to their own; ``devices`` are given
    out to the workers.
    """
    options = with_workers(plugin, workers)
    task = replace(task, places=_places(options, devices, task.processes))
    with captured(log):
        return Logged(registry.load("executor", plugin.name).make(task, **options))


def check_devices(study: Study, *, trained_by_suite: bool) -> None:
    """See whether the GPUs that a study gives to its workers are here.

    Raises:
        UserError: one is not, or there are too few.
    """
    options = with_workers(executor_of(study, trained_by_suite=trained_by_suite), study.workers)
    _places(options, study.devices, study.processes_per_trial)


def sent(study: Study, objective: Objective) -> tuple[Task, str]:
    """What the study trains as other processes take it, and what to tell of that; both as they are where none do.

    Raises:
        UserError: the objective is a function of this process that cannot be sent.
    """
    plugin = executor_of(study, trained_by_suite=objective.trained_by_suite)
    elsewhere = "other processes" in requires("executor", plugin.name) or study.processes_per_trial > 1
    if objective.kind != "live" or not elsewhere:
        return study.task, ""
    packed, used = live.pack(objective.reference), live.uses(objective.reference)
    what = f", with {', '.join(used)}" if used else ""
    size = f" ({len(packed) / 1e6:.3g} MB)" if len(packed) > _LARGE else ""
    return replace(study.task, packed=packed), f"{objective.function} is sent to the worker processes{what}{size}"


def with_workers(plugin: Plugin, workers: int) -> dict[str, Any]:
    """An executor's options, the study's workers among them where it takes some."""
    options = dict(plugin.options)
    if "workers" in options_of("executor", plugin.name).knobs:
        options.setdefault("workers", workers)
    return options


def _places(options: Mapping[str, Any], devices: Devices | None, processes: int) -> tuple[str, ...]:
    return places_of(devices, processes, options.get("workers", 1))
