"""One search of live.py: what it trained, point by point, and whom it would have handed over when.

The suite's methods train as ``hpo run`` does: networks in cohorts of 16 lanes, anything else inline. The Optuna scripts
train the same model on the same split by a plain loop, one trial after another, in memory, where Optuna is fastest.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import optuna
from live_cases import Case

import hpo
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.engine.loop import Loop
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.errors import Interrupted

Point: TypeAlias = "dict[str, Any]"

KINDS = ("epochs", "cpu", "trials")
"""What a budget counts: points of curves, processor seconds, trials started."""

_ENDLESS = 10**6


@dataclass
class Search(Progress):
    """A search as it goes on, and what is kept of it.

    Attributes:
        kind: of the budget.
        amount: of the budget.
        rows: for each point, in order: its trial, its value, the processor seconds since the search began.
        points: the searched knobs of each trial.
        complete: trials that were trained to their end.
        failed: trials that no search hands over.
    """

    kind: str
    amount: float
    rows: list[tuple[int, float, float]] = field(default_factory=list)
    points: dict[int, Point] = field(default_factory=dict)
    complete: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began = time.process_time()

    def opened(self, loop: Loop, phase: str) -> None:
        """Note what searches, so that it can be told to stop."""
        self._loop = loop

    def started(self, entry: Entry) -> None:
        """Note a trial of the suite."""
        self.points[entry.number] = dict(entry.point)

    def moved(self, entry: Entry) -> None:
        """Note a point of the suite; once the processor seconds are spent, its search ends with the round."""
        self.note(entry.number, entry.curve[-1][1])
        if self.kind == "cpu" and self.spent:
            self._loop.stop = True

    def ended(self, entry: Entry) -> None:
        """Note how a trial of the suite ended."""
        if entry.state == "failed":
            self.failed.add(entry.number)
        elif entry.state == "complete":
            self.complete.add(entry.number)

    def note(self, trial: int, value: float) -> None:
        """Note a point."""
        self.rows.append((trial, value, time.process_time() - self._began))

    @property
    def spent(self) -> bool:
        """Whether no further point belongs to the budget; of trials, whether no further one may start."""
        if self.kind == "trials":
            return len(self.points) >= self.amount
        return (len(self.rows) if self.kind == "epochs" else time.process_time() - self._began) >= self.amount

    def until(self, share: float) -> int:
        """Number of the first points that a share of the budget pays for; a trial is paid for when it starts."""
        limit = share * self.amount + 1e-9
        if self.kind == "epochs":
            return min(len(self.rows), int(limit))
        seen: set[int] = set()
        for place, (trial, _, cpu) in enumerate(self.rows):
            seen.add(trial)
            if (cpu if self.kind == "cpu" else len(seen)) > limit:
                return place
        return len(self.rows)

    def incumbent(self, count: int, *, complete_only: bool) -> int | None:
        """The trial that stands first after so many points; None before any could be handed over.

        The suite ranks trials, complete or not, by their best value; a script asks for ``study.best_trial``, the best
        of those that are complete, and where none is takes what it saw lowest.
        """
        last = {trial: place for place, (trial, _, _) in enumerate(self.rows)}
        best: dict[int, float] = {}
        for trial, value, _ in self.rows[:count]:
            if trial not in self.failed and math.isfinite(value):
                best[trial] = min(value, best.get(trial, math.inf))
        whole = {trial: value for trial, value in best.items() if trial in self.complete and last[trial] < count}
        ranked = whole if complete_only and whole else best
        return min(ranked, key=lambda trial: (ranked[trial], trial)) if ranked else None

    def used(self, count: int) -> dict[str, float]:
        """What the first points took, by each kind of budget."""
        return {
            "epochs": count,
            "cpu": self.rows[count - 1][2] if count else 0.0,
            "trials": len({trial for trial, _, _ in self.rows[:count]}),
        }

    def write(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: getattr(self, name) for name in ("kind", "amount", "rows", "points")}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({**kept, "complete": sorted(self.complete), "failed": sorted(self.failed)}))
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Search:
        """Read what was kept."""
        kept = json.loads(path.read_text())
        points = {int(trial): point for trial, point in kept.pop("points").items()}
        sets = {name: set(kept.pop(name)) for name in ("complete", "failed")}
        return cls(**{**kept, **sets, "points": points})


Method: TypeAlias = "Callable[[Case, int, Search], None]"


def _suite(**settings: Any) -> Method:
    """A study of this suite; the settings are its sampler and pruner."""

    def run(case: Case, seed: int, search: Search) -> None:
        budget = {
            "epochs": {"steps": int(search.amount)},
            "cpu": {"minutes": _ENDLESS},
            "trials": {"trials": int(search.amount)},
        }[search.kind]
        content = {**case.content, "budget": budget, "seed": seed, "confirm": "none", "storage": ":memory:"}
        try:
            hpo.run(content, progress=search, **settings)
        except Interrupted:
            if search.kind != "cpu" or not search.spent:
                raise

    return run


def _script(
    sampler: Callable[[int], optuna.samplers.BaseSampler], pruner: Callable[[int], optuna.pruners.BasePruner]
) -> Method:
    """A plain Optuna script: a sampler, a pruner, a loop over epochs."""

    def run(case: Case, seed: int, search: Search) -> None:
        parts = case.parts(seed)
        study = optuna.create_study(sampler=sampler(seed), pruner=pruner(case.steps), study_name=f"seed {seed}")
        while not search.spent:
            trial = study.ask()
            search.points[trial.number] = point = _suggested(case, trial)
            knobs = {**case.study.fixed, **point, "seed": 1000 * seed + trial.number}
            knobs.pop("estimator", None)
            _train(study, trial, case.train(parts, **knobs), search, case.steps)

    return run


def _train(study: optuna.Study, trial: optuna.Trial, losses: Iterator[float], search: Search, steps: int) -> None:
    """Train a trial of so many steps to its end, until it is pruned, or until epochs or seconds are spent."""
    best = math.inf
    for step, value in enumerate(losses, 1):
        search.note(trial.number, value)
        if not math.isfinite(value):
            search.failed.add(trial.number)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        best = min(best, value)
        trial.report(value, step)
        if search.kind != "trials" and search.spent and step < steps:
            return
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    search.complete.add(trial.number)
    study.tell(trial, best)


def _suggested(case: Case, trial: optuna.Trial) -> Point:
    """A value for each knob that is active under those before it, asked for as scripts do."""
    known = dict(case.study.fixed)
    point: Point = {}
    for knob in case.study.space:
        if not knob.active(known):
            continue
        name, wanted = knob.name, to_distribution(knob.domain)
        value: Any
        if isinstance(wanted, optuna.distributions.IntDistribution):
            value = trial.suggest_int(name, wanted.low, wanted.high, step=wanted.step, log=wanted.log)
        elif isinstance(wanted, optuna.distributions.FloatDistribution):
            value = trial.suggest_float(name, wanted.low, wanted.high, step=wanted.step, log=wanted.log)
        else:
            assert isinstance(wanted, optuna.distributions.CategoricalDistribution)
            value = trial.suggest_categorical(name, wanted.choices)
        known[name] = point[name] = value
    return point


NONE = "hpo tpe, none"
DEFAULT = "hpo default"

METHODS: Mapping[str, Method] = {
    DEFAULT: _suite(),
    "hpo freeze-thaw": _suite(sampler="freeze-thaw"),
    "hpo hedge": _suite(sampler="hedge"),
    "hpo tpe, learning-curve": _suite(sampler="tpe", pruner="learning-curve"),
    NONE: _suite(sampler="tpe", pruner="none"),
    "optuna tuned": _script(  # for recorded curves, see optuna_methods.py
        lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, multivariate=True),
        lambda steps: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4, bootstrap_count=2),
    ),
    "optuna tpe, hyperband": _script(
        lambda seed: optuna.samplers.TPESampler(seed=seed), lambda steps: optuna.pruners.HyperbandPruner(1, steps, 3)
    ),
    "optuna tpe, none": _script(
        lambda seed: optuna.samplers.TPESampler(seed=seed), lambda steps: optuna.pruners.NopPruner()
    ),
}
"""Searches by name; what begins with ``optuna`` is a script."""


def is_script(method: str) -> bool:
    """Whether a method is an Optuna script."""
    return method.startswith("optuna")


def search(case: Case, method: str, kind: str, amount: float, seed: int, path: Path | None) -> Search:
    """One search; from its file if that is there, else kept in it."""
    if path is not None and path.exists():
        return Search.read(path)
    case.parts(seed)  # what is loaded once for all methods of a seed is loaded before any clock runs
    found = Search(kind, amount)
    METHODS[method](case, seed, found)
    if path is not None:
        found.write(path)
    return found
