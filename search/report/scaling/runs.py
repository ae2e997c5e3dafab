"""Trials of stored studies as runs of a known size: what `hpo scale` fits, or what is missing for it. Pure.

Parameters, tokens and tokens per step are taken from knobs that the user names, else from the last point of the curve,
else from the objective's ``size(recipe)``; tokens per step at last from the knobs of a batch, in samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeGuard

from hpo.search.describe.size import Size
from hpo.search.report.plots import ACCUMULATIONS, BATCHES, EFFECTIVE, RATES
from hpo.search.report.study import StudyReport
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.trial import Trial

Sizing: TypeAlias = "Callable[[Mapping[str, Any]], Size]"

SIZES = ("parameters", "tokens", "tokens_per_step")
_TEXT = ("tokenizer", "vocabulary")
"""Knobs that say what a token is."""


@dataclass(frozen=True)
class Run:
    """One complete trial.

    Attributes:
        n: parameters without embeddings; ``d`` tokens trained on; ``batch`` tokens per step; None where unknown.
        rate: its learning rate.
        cost: its final value, lower is better.
        recipe: every knob that is known, defaults included.
    """

    study: str
    number: int
    n: float
    d: float | None
    batch: float | None
    rate: float
    cost: float
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class Runs:
    """What the studies hold.

    Attributes:
        goal: theirs, as in the study file.
        rate: name of the knob that is the learning rate.
        runs: complete trials with a finite value.
        left_out: number of other trials, by why they are.
        unit: of a batch: ``tokens`` or ``samples``.
        origin: where N comes from, in words.
        running: studies that are being run.
    """

    goal: str
    rate: str
    runs: tuple[Run, ...]
    left_out: Mapping[str, int]
    unit: str
    origin: str
    studies: tuple[str, ...]
    running: tuple[str, ...] = ()

    @property
    def maximize(self) -> bool:
        """Whether larger values are better."""
        return self.goal.startswith("maximize")

    @property
    def metric(self) -> str:
        """Name of what is measured."""
        return self.goal.split()[-1]


@dataclass(frozen=True)
class Source:
    """A stored study with what its objective's source adds.

    Attributes:
        defaults: of the objective's knobs.
        size: the objective's ``size(recipe)``; None where it has none.
        label: what messages call the objective.
    """

    found: StudyReport
    defaults: Mapping[str, Any] = field(default_factory=dict)
    size: Sizing | None = None
    label: str = "the objective"

    def stated(self, trial: Trial) -> dict[str, Any]:
        """The knobs that the study gives a trial."""
        fixed = self.found.definition.get("fixed") or {}
        seed = {} if trial.seed is None else {"seed": trial.seed}
        return {**seed, **fixed, **trial.point}

    def recipe(self, trial: Trial) -> dict[str, Any]:
        """Every knob of a trial that is known."""
        return {**self.defaults, **self.stated(trial)}


def complete(found: StudyReport) -> list[Trial]:
    """Trials whose value is final."""
    return [trial for trial in found.trials if trial.state == "complete" and trial.values]


def lacking(found: StudyReport, named: Mapping[str, str]) -> list[str]:
    """Which of ``SIZES`` neither a named knob nor the curves of the complete trials say."""
    trials = complete(found)
    return [name for name in SIZES if name not in named and not all(_counts(t.metrics.get(name)) for t in trials)]


def gather(sources: Sequence[Source], named: Mapping[str, str]) -> Runs:
    """Read runs out of studies.

    Args:
        sources: the studies, each once.
        named: knobs that say ``parameters``, ``tokens`` or ``tokens_per_step``, as the user has them.

    Raises:
        UserError: the studies do not go together, or do not say what is needed.
    """
    _alike(sources)
    rate = _rate(sources)
    runs: list[Run] = []
    left = Counter[str]()
    for source in sources:
        if not complete(source.found):
            raise UserError(
                f"{source.found.name} has no complete trial, and only those have final values: "
                f"run it again without stopping any: hpo run ... --pruner none"
            )
        left += Counter(t.state for t in source.found.trials if t.state in ("pruned", "failed"))
        size = source.size if lacking(source.found, named) else None
        for trial in complete(source.found):
            run = _run(source, trial, named, rate, size)
            if math.isfinite(run.cost):
                runs.append(run)
            else:
                left["not finite"] += 1
    if not runs:
        raise UserError("no trial has a finite value: search lower learning rates")
    runs, unit = _batches(_tokens(runs))
    if named.get("parameters"):
        origin = f"the knob {named['parameters']}"
    elif not any("parameters" in lacking(source.found, {}) for source in sources):
        origin = "the curves' parameters"
    else:
        origin = f"size(recipe) of {sources[0].label}"
    return Runs(
        sources[0].found.goals[0], rate, tuple(runs), dict(left), unit, origin,
        tuple(source.found.name for source in sources),
        tuple(source.found.name for source in sources if source.found.running),
    )  # fmt: skip


def _alike(sources: Sequence[Source]) -> None:
    """Refuse studies whose values cannot be compared."""
    first = sources[0].found
    for other in (source.found for source in sources[1:]):
        if other.goals[:1] != first.goals[:1]:
            raise UserError(
                f"{first.name} would {first.goals[0]}, {other.name} {other.goals[0]}: scale studies of one goal"
            )
        for name, what in (("objective", "objectives"), ("data", "data")):
            ours, theirs = first.definition.get(name), other.definition.get(name)
            if ours != theirs:
                shown = f" ({ours} and {theirs})" if name == "objective" else ""
                raise UserError(
                    f"{first.name} and {other.name} are of different {what}{shown}, so their values do not compare: "
                    "scale studies that differ in size only"
                )
    for name in _TEXT:
        values = {repr(source.recipe(trial).get(name)) for source in sources for trial in complete(source.found)}
        if len(values) > 1:
            raise UserError(
                f"{name} differs between trials ({', '.join(sorted(values))}), so a token is not the same: "
                f"fix it, for example with: hpo run ... --set {name}={sorted(values)[0]}"
            )


def _rate(sources: Sequence[Source]) -> str:
    """The knob that is the learning rate, searched in every study."""
    first = sources[0].found
    names = {name for trial in first.trials for name in trial.point} or set(first.definition.get("space") or {})
    rate = next((name for name in RATES if name in names), None)
    for found in (source.found for source in sources):
        values = {trial.point.get(rate) for trial in found.trials} if rate else set()
        if rate is None or len(values - {None}) < 2:
            searched = ", ".join(sorted({name for trial in found.trials for name in trial.point})) or "nothing"
            raise UserError(
                f"{found.name} does not search a learning rate ({', '.join(RATES)}) but {searched}: the best rate of a "
                f"size is read from trials at many rates; search {rate or RATES[0]}: {{float: [1e-4, 1e-1], log: true}}"
            )
    assert rate is not None
    return rate


def _run(source: Source, trial: Trial, named: Mapping[str, str], rate: str, size: Sizing | None) -> Run:
    recipe, found = source.recipe(trial), source.found
    told = size(source.stated(trial)) if size is not None else None
    known: dict[str, float | None] = {}
    for name in SIZES:
        if name in named:
            known[name] = _knob(recipe, named[name], found.name)
        elif _counts(trial.metrics.get(name)):
            known[name] = float(trial.metrics[name])
        else:
            known[name] = getattr(told, name, None)
    n = known["parameters"]
    if n is None:
        raise UserError(
            f"how large are the models of {found.name}? add to {source.label} a function size(recipe) that returns "
            '{"parameters": N, "tokens": D, "tokens_per_step": B}, or name a knob that says it: --parameters-knob KNOB'
        )
    value = recipe.get(rate)
    if not _counts(value):
        raise UserError(f"trial {trial.number} of {found.name} has {rate} {value!r}: rates are fitted in logarithms")
    sign = -1.0 if found.goals[0].startswith("maximize") else 1.0
    cost = sign * trial.values[0]
    return Run(found.name, trial.number, n, known["tokens"], known["tokens_per_step"], float(value), cost, recipe)


def _knob(recipe: Mapping[str, Any], name: str, study: str) -> float:
    value = recipe.get(name)
    if not _counts(value):
        hint = did_you_mean(name, [known for known, held in recipe.items() if _counts(held)])
        what = f"is {value!r}, no number above 0" if name in recipe else "is no knob of it"
        raise UserError(f"{name} {what} in {study}: {hint}")
    return float(value)


def _tokens(runs: Sequence[Run]) -> list[Run]:
    """The same runs; without tokens where only some have them, since laws over both do not mix."""
    if all(run.d is not None for run in runs) or not any(run.d is not None for run in runs):
        return list(runs)
    lost = next(run for run in runs if run.d is None)
    raise UserError(
        f"tokens are known for some trials and not for trial {lost.number} of {lost.study}: say them for all"
    )


def _batches(runs: Sequence[Run]) -> tuple[list[Run], str]:
    """Runs with their batch, in tokens where all say so, else in samples by the knobs."""
    if all(run.batch is not None for run in runs):
        return list(runs), "tokens"
    samples = [_samples(run.recipe) for run in runs]
    if any(value is None for value in samples):
        samples = [None] * len(runs)
    fields = [{**vars(run), "batch": value} for run, value in zip(runs, samples, strict=True)]
    return [Run(**known) for known in fields], "samples"


def _samples(recipe: Mapping[str, Any]) -> float | None:
    """Samples of an optimizer step by the knobs that say it."""
    effective = recipe.get(EFFECTIVE)
    if _counts(effective):
        return float(effective)
    size = next((recipe[name] for name in BATCHES if _counts(recipe.get(name))), None)
    steps = next((recipe[name] for name in ACCUMULATIONS if _counts(recipe.get(name))), 1)
    return None if size is None else float(size * steps)


def _counts(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
