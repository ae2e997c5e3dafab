"""A study: what a study file says, validated and immutable. Pure: no optuna, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hpo.search.terms.budget import Budget
from hpo.search.terms.devices import Devices
from hpo.search.terms.domain import Scalar
from hpo.search.terms.job import Task
from hpo.search.terms.keeping import Keeping
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.space import Space
from hpo.search.terms.trial import Aggregate

AGGREGATES: tuple[Aggregate, ...] = ("best", "last", "mean")
"""What of a curve may count as the trial's value."""


@dataclass(frozen=True)
class Goal:
    """A metric, its direction, and what of the curve counts as the trial's value.

    ``best`` takes the best point so far, ``last`` the last one, ``mean`` the mean of all. None chooses ``mean`` where
    the points are folds of a cross-validation and ``best`` elsewhere.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    aggregate: Aggregate | None = None

    @property
    def maximize(self) -> bool:
        """Whether larger is better."""
        return self.direction == "maximize"

    @classmethod
    def read(cls, written: str) -> Goal:
        """Read back what ``str`` gave.

        >>> Goal.read("maximize mean acc")
        Goal(metric='acc', direction='maximize', aggregate='mean')
        """
        words = written.split()
        aggregate = next((known for known in AGGREGATES if known in words[1:-1]), None)
        return cls(words[-1], "maximize" if words[0] == "maximize" else "minimize", aggregate)

    def __str__(self) -> str:
        return " ".join(filter(None, [self.direction, self.aggregate, self.metric]))


@dataclass(frozen=True)
class Plugin:
    """A sampler, pruner or executor by name, with options; an option may itself be a Plugin.

    Attributes:
        goal: metric of the goal that a pruner prunes by, where the study names one of several.

    >>> str(Plugin("patient", {"of": Plugin("median"), "patience": 3}))
    '{patient: {of: median, patience: 3}}'
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    goal: str | None = None

    def plain(self) -> Any:
        """As in a study file: a name, or {name: options}."""
        written = self._written()
        if not written:
            return self.name
        return {self.name: {k: v.plain() if isinstance(v, Plugin) else v for k, v in written.items()}}

    def __str__(self) -> str:
        written = self._written()
        if not written:
            return self.name
        return "{" + self.name + ": {" + ", ".join(f"{key}: {value}" for key, value in written.items()) + "}}"

    def _written(self) -> dict[str, Any]:
        """What stands behind its name."""
        return {**({"goal": self.goal} if self.goal is not None else {}), **self.options}


@dataclass(frozen=True)
class Confirm:
    """How the winner is chosen: the ``top`` recipes are retrained with ``seeds`` fresh seeds each.

    Attributes:
        ensemble: models of these fresh runs that may be combined; 0 where none are.
    """

    top: int = 3
    seeds: int = 2
    ensemble: int = 0


@dataclass(frozen=True)
class Study:
    """Everything a study file says.

    Attributes:
        name: name in the store; the file's stem unless the file says otherwise.
        question: the file's first comment line.
        objective: canonical reference (see ``hpo.search.describe.objective``).
        goals: one, or several for a Pareto front.
        space: what may vary.
        fixed: knobs with one value.
        prior: the user's guess of good values, for any of the searched knobs.
        warm_start: names of earlier studies in the store whose trials count as evidence.
        start_from: safetensors file (absolute) with the weights that trials start from; None for fresh ones.
        metric: the user's own, ``/x/mine.py:profit``, measured of what the models predict; None for none.
        data: name or ``{kind: options}`` with absolute paths; None for the objective's default.
        checkpoints: folder (absolute) or location for checkpoints; None for beside the store.
        keeping: how often they are kept, and up to which size.
        devices: GPUs that workers are given; None leaves every worker to see all of them.
        processes_per_trial: processes that train a trial together, each a part of every batch.
        record: what is kept of training beside its metrics, of ``statistics.RECORDS``.
        folder: folder of the study file, to which its paths are relative.
        text: the study file's text, overrides applied, for the record.
        notes: what was settled beyond the study's own words, a sentence each.
    """

    name: str
    objective: str
    goals: tuple[Goal, ...]
    space: Space
    question: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    sampler: Plugin | None = None
    prior: Mapping[str, Scalar] = field(default_factory=dict)
    warm_start: tuple[str, ...] = ()
    start_from: str | None = None
    metric: str | None = None
    pruner: Plugin | None = None
    executor: Plugin | None = None
    workers: int = 1
    confirm: Confirm | None = field(default_factory=Confirm)
    seed: int = 0
    data: Any = None
    device: str = "cpu"
    devices: Devices | None = None
    processes_per_trial: int = 1
    memory_limit: int | None = None
    storage: str | None = None
    checkpoints: str | None = None
    keeping: Keeping = field(default_factory=Keeping)
    repeats: bool = False
    record: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path)
    text: str = ""
    notes: tuple[str, ...] = ()

    @property
    def goal(self) -> Goal:
        """The first goal; the only one of most studies."""
        return self.goals[0]

    @property
    def directions(self) -> tuple[str, ...]:
        """Direction of each goal, as Optuna spells them."""
        return tuple(goal.direction for goal in self.goals)

    @property
    def task(self) -> Task:
        """What every trial of it trains."""
        split = derive_seed(self.seed, "split")
        return Task(
            self.objective, self.data, split, str(self.folder), self.device, self.memory_limit,
            processes=self.processes_per_trial, start_from=self.start_from, metric=self.metric,
            metrics=tuple(goal.metric for goal in self.goals), directions=self.directions, record=self.record,
        )  # fmt: skip

    def recipe(self, point: Mapping[str, Any], number: int, *path: str | int) -> dict[str, Any]:
        """The complete recipe of a trial: fixed knobs, its point, and its seed unless that is fixed.

        ``path`` names a purpose other than the search (``"confirm"``), which gets seeds of its own.
        """
        seed = derive_seed(self.seed, *(path or ("train",)), number)
        return {"seed": seed, **self.fixed, **point}
