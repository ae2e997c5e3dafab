"""What a stored study was, so that running it again continues it, or says why that would mix unlike things.

Old trials are carried over when a range was widened or a choice added; they are incomparable when the objective, a
goal, a fixed knob, the data or the seed changed.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, create_trial

from hpo.search.describe.fingerprint import imports_of, source_of
from hpo.search.describe.metric import digest_of
from hpo.search.describe.objective import Objective
from hpo.search.describe.trained import weights_digest
from hpo.search.engine.machine import machine
from hpo.search.engine.plugins import judged_of, pruner_of, sampler_and_policy
from hpo.search.store.distributions import to_distribution
from hpo.search.terms import registry
from hpo.search.terms.domain import Domain, Float, Scalar
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.plain_space import domain_from, space_from, space_plain
from hpo.search.terms.space import Space
from hpo.search.terms.study import Study

_PACKAGES = ("hpo-suite", "optuna", "numpy", "scikit-learn", "torch")


def definition(
    study: Study,
    objective: Objective,
    taken: Mapping[str, int],
    lanes: int | None = None,
    unnamed: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything about a study that its trials depend on, as plain data.

    ``taken`` says how many trials of each earlier study it was given as evidence, ``lanes`` how many of the executor's
    are filled where that is not all of them, ``unnamed`` which of its plug-ins are those it has where it names none.
    """
    sampler, policy = sampler_and_policy(study)
    return {
        "objective": portable(objective, study.folder),
        "goals": [str(goal) for goal in study.goals],
        "fixed": dict(study.fixed),
        "data": data_digest(study.data, study.folder, objective),
        "start_from": start_digest(study.start_from),
        "metric": digest_of(study.metric),
        "seed": study.seed,
        "space": space_plain(study.space),
        "sampler": str(study.sampler or sampler) if policy.name == "straight" else str(study.sampler),
        "prior": dict(study.prior),
        "warm_start": dict(taken),
        "pruner": str(pruner_of(study)),
        "unnamed": list(unnamed),
        "judged": study.goals[judged_of(study)].metric,
        "lanes": lanes,
        "processes_per_trial": study.processes_per_trial,
        **code_of(objective, study.folder),
        "versions": versions(),
        "machine": machine(study.device),
    }


def versions() -> dict[str, str]:
    """Versions of what results depend on."""
    found = {package: _version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), **{package: told for package, told in found.items() if told}}


@cache
def _version(package: str) -> str | None:
    """Version of an installed package, of which this process keeps what it has imported."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def data_digest(data: Any, folder: Path, objective: Objective) -> str | None:
    """Digest of the data that a study names; None where it names none, or the objective reads its own."""
    if objective.kind == "builtin":
        spec = data if data is not None else objective.default_data
        if spec is None:
            return None
        digest: str = registry.part("data").digest(spec)
        return digest
    path = folder / data if isinstance(data, str) else None
    if path is not None and path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return None


def start_digest(path: str | None) -> str | None:
    """Digest of the weights that trials start from; None where they start fresh.

    Raises:
        UserError: they are not there, or in a model's folder that is not as it was written.
    """
    return None if path is None else weights_digest(Path(path))


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], trials: Sequence[FrozenTrial]
) -> tuple[list[str], list[str]]:
    """What changed: first what makes old trials incomparable, then what is only worth saying."""
    breaks, notes = [], []
    for key, word in (
        ("objective", "objective"),
        ("goals", "goal"),
        ("data", "data"),
        ("start_from", "start_from"),
        ("metric", "metric"),
        ("seed", "seed"),
    ):
        told = key != "goals" or any(trial.intermediate_values or trial.values for trial in trials)
        if old.get(key) != new.get(key) and told:  # a goal that no trial has met yet was misspelt
            breaks.append(f"{word}: {_show(old.get(key))} -> {_show(new.get(key))}")
    before, after = old.get("fixed", {}), new["fixed"]
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            breaks.append(f"fixed {name}: {_show(before.get(name, 'default'))} -> {_show(after.get(name, 'default'))}")
    breaks += _space_breaks(old.get("space", {}), new["space"], trials)
    for key in ("sampler", "prior", "warm_start", "pruner", "processes_per_trial"):
        before, after = _named(old.get(key)), _named(new.get(key))
        if key in old and before != after:  # an older version may not have recorded it
            notes.append(f"{key}: {before} before, {after} from now on")
    return breaks, notes


def code_of(objective: Objective, folder: Path) -> dict[str, Any]:
    """What tells the objective's code, as in a definition."""
    return {"source": source_of(objective), "imports": imports_of(objective, folder)}


def circumstances(task: Task, objective: Objective) -> dict[str, Any]:
    """What a training depends on beside its recipe, here and now; of a recorded one its definition has the same."""
    return {
        "machine": machine(task.device),
        "versions": versions(),
        "source": source_of(objective),
        "data": data_digest(task.data, Path(task.folder), objective),
        "start_from": start_digest(task.start_from),
        "metric": digest_of(task.metric),
    }


def retrained(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the objective's code, or the user's files that it imports, are others than those of earlier trials.

    What an older version of the suite did not record, or another version of Python compiled, is not held against it.
    """
    if old.get("source") is None and new.get("source") is not None:
        return False
    before, now = str(old.get("source")), str(new.get("source"))
    compiled = ":" in before and ":" in now
    if before != now and not (compiled and before.partition(":")[0] != now.partition(":")[0]):
        return True
    return "imports" in old and old["imports"] != new["imports"]


def carry_over(trials: Sequence[FrozenTrial], space: Space) -> list[FrozenTrial]:
    """The same trials with the distributions of the new space."""
    carried = []
    for trial in trials:
        new = create_trial(
            state=trial.state, values=trial.values, params=trial.params, user_attrs=trial.user_attrs,
            distributions={name: _holding(space[name].domain, value) for name, value in trial.params.items()},
            system_attrs=trial.system_attrs, intermediate_values=trial.intermediate_values,
        )  # fmt: skip
        new.number = trial.number
        new.datetime_start, new.datetime_complete = trial.datetime_start, trial.datetime_complete
        carried.append(new)
    return carried


def _holding(domain: Domain, value: Scalar) -> BaseDistribution:
    """The domain in Optuna's terms, widened to hold a value that stands for one of its own but for rounding."""
    known = to_distribution(domain)
    if isinstance(domain, Float) and isinstance(value, float) and not known._contains(value):
        return FloatDistribution(min(domain.low, value), max(domain.high, value))
    return known


def refuse(name: str, breaks: Sequence[str]) -> UserError:
    """The message for a study that cannot be continued."""
    listed = "\n".join(f"  {line}" for line in breaks)
    return UserError(
        f"study {name!r} exists, and its trials cannot be compared with what the study file says now:\n{listed}\n"
        f"give the new study a name of its own (--name {name}-2), or start over with --fresh"
    )


def _space_breaks(old: Mapping[str, Any], new: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> list[str]:
    breaks = []
    old, new = space_plain(space_from(old)), space_plain(space_from(new))  # conditions in the words of the domains
    for name in sorted({*old, *new}):
        if name not in new:
            breaks.append(f"{name} is no longer searched")
        elif name not in old:
            breaks.append(f"{name} is searched now and was not before")
        elif old[name] != new[name]:
            domain = domain_from(new[name]["domain"])
            outside = [t.number for t in trials if name in t.params and not domain.contains(t.params[name])]
            if old[name]["domain"]["kind"] != new[name]["domain"]["kind"] or old[name]["when"] != new[name]["when"]:
                breaks.append(f"{name}: {_show(old[name])} -> {_show(new[name])}")
            elif outside:
                shown = ", ".join(map(str, outside[:5])) + (" ..." if len(outside) > 5 else "")
                breaks.append(f"{name}: {len(outside)} trials lie outside the new range (trial {shown})")
    return breaks


def portable(objective: Objective, folder: Path) -> str:
    """The reference without the machine's folders, so that a study can be moved with its files."""
    if objective.kind != "file" or objective.path is None:
        return objective.reference
    _, separator, function = objective.reference.removeprefix(str(objective.path)).partition(":")
    try:
        shown = str(objective.path.relative_to(folder))
    except ValueError:
        shown = objective.path.name
    return f"./{shown}{separator}{function}"


def _named(setting: Any) -> str:
    """A plug-in, a prior, or the trials that were taken of each earlier study, in words.

    >>> _named({"lr-batch": 40, "first try": 12}), _named({})
    ('lr-batch 40, first try 12', 'none')
    """
    if isinstance(setting, Mapping):
        setting = ", ".join(f"{name} {value}" for name, value in setting.items())
    return str(setting or "none")


def _show(value: Any) -> str:
    """A setting, or a searched knob as the study file has it, in words."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, Mapping) or "domain" not in value:
        return str(value)
    domain = value["domain"]
    if domain["kind"] == "choice":
        shown = f"choice of {_show(domain['values'])}"
    else:
        shown = f"{domain['kind']} from {domain['low']} to {domain['high']}"
        steps = domain["step"] is not None and (domain["kind"], domain["step"]) != ("int", 1)
        shown += (", log" if domain["log"] else "") + (f", step {domain['step']}" if steps else "")
    return shown + "".join(f", when {name} is {_show(values)}" for name, values in value["when"])
