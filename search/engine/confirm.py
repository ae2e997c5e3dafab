"""Choosing the winner honestly: the best recipes are trained again with fresh seeds, the same seeds for all.

The best of many single runs is best partly by luck: on the digits MLP the winning trial's loss was reported 26 % too
low, and three recipes with two fresh seeds each brought that to 7 %. The winner is chosen by the mean of its fresh runs
alone; ``spread`` says how wide its interval is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hpo.search.contracts.policy import Continue, Policy, Resume, Start, Turn, Verdict, View, Wait
from hpo.search.contracts.sampler import TRIES
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.spread import average, half_width
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.study import Study
from hpo.search.terms.trial import Aggregate, State
from hpo.search.terms.winner import Candidate

ENOUGH = 2
"""Fresh seeds under which every finalist must do as in the search for further ones to be left out."""


def finalists(ledger: Ledger, top: int) -> list[Entry]:
    """The best distinct recipes: by value, or the Pareto front of several goals (at most ``top``).

    Where a trial's value is its best point, one that was pruned or left paused ranks by the best it had reached. Where
    it is the last point or the mean of folds, that would compare unlike things: pruned trials come after complete ones.
    """
    study = ledger.study
    several = len(study.goals) > 1  # only a complete trial has a value for each of them
    ended = [_Ended(e.number, e.key, e.state, e.values, e.aggregate) for e in ledger.entries if e.curve and e.key]
    alike = study.goal.aggregate in (None, "best") and not any(entry.aggregate == "mean" for entry in ended)
    rounds = [("complete",)] if several else [("complete", "pruned")] if alike else [("complete",), ("pruned",)]
    best: dict[str, int] = {}
    for states in rounds:
        for trial in _ranked([trial for trial in ended if trial.state in states], study):
            if len(best) < top:
                best.setdefault(trial.key, trial.number)
    return [ledger.entries[number] for number in best.values()]


class _Ended(NamedTuple):
    """What trials are ranked by: of a long study not all can be held in full."""

    number: int
    key: str
    state: State
    values: tuple[float, ...]
    aggregate: Aggregate


def _ranked(trials: list[_Ended], study: Study) -> list[_Ended]:
    signs = [-1.0 if goal.maximize else 1.0 for goal in study.goals]

    def losses(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sign * value for sign, value in zip(signs, values, strict=True))

    if len(signs) > 1:
        costs = [losses(trial.values) for trial in trials]
        trials = [
            trial for trial, cost in zip(trials, costs, strict=True)
            if not any(other != cost and all(o <= c for o, c in zip(other, cost, strict=True)) for other in costs)
        ]  # fmt: skip
    return sorted(trials, key=lambda trial: (losses(trial.values), trial.number))


def fresh_seeds(study: Study) -> list[int]:
    """Seeds of the fresh runs, the same for every finalist so that they are compared in pairs."""
    count = study.confirm.seeds if study.confirm is not None else 0
    return [derive_seed(study.seed, "confirm", i) for i in range(count)]


class FreshRuns(Policy):
    """Trains every finalist with every fresh seed once; what failed is tried once more, as what time cut short is.

    Where two seeds gave every finalist the same curves, the others are left out: nothing depends on them.
    """

    def __init__(self, finals: Sequence[Entry], seeds: Sequence[int]) -> None:
        self._finals, self._seeds = finals, seeds
        self._jobs = [(entry, seed) for seed in seeds for entry in finals]
        self._ledger: Ledger | None = None
        self._now: tuple[Entry, int] | None = None

    def place(self, ledger: Ledger) -> None:
        """Take note of where the fresh runs are kept; those of earlier runs are not trained again."""
        self._ledger = ledger

    def recipe(self, point: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Recipe of the run just started: the finalist's, with its fresh seed; of an earlier run, all but its seed."""
        if self._now is not None:
            entry, seed = self._now
            return {**entry.recipe, "seed": seed}
        some = self._jobs[0][0] if self._jobs else None
        fixed = {} if some is None else {name: value for name, value in some.recipe.items() if name not in some.point}
        return {"seed": 0, **fixed, **point}

    @property
    def seeds(self) -> list[int]:
        """Seeds that tell anything, in their order."""
        alike = len(self._seeds) > ENOUGH and all(map(self._indifferent, self._finals))
        return list(self._seeds[:ENOUGH] if alike else self._seeds)

    @property
    def total(self) -> int:
        """Number of fresh runs."""
        return len(self._finals) * len(self.seeds)

    def _indifferent(self, finalist: Entry) -> bool:
        """Whether the first seeds gave a finalist the curve that it had in the search, and the same last metrics.

        A metric of few values comes out equal by chance too, so all that is recorded has to be equal to the last digit.
        """
        assert self._ledger is not None, "place comes first"
        told = {
            run.recipe["seed"]: (list(run.curve), run.metrics)
            for run in self._ledger.entries
            if run.key == finalist.key and run.state == "complete"
        }
        first, *others = (told.get(seed) for seed in self._seeds[:ENOUGH])
        searched = list(finalist.curve)
        return first is not None and first[0][: len(searched)] == searched and all(one == first for one in others)

    @property
    def done(self) -> int:
        """How many of them have ended; runs of earlier finalists do not count."""
        assert self._ledger is not None, "place comes first"
        seeds = self.seeds
        wanted = {(entry.key, seed) for entry, seed in self._jobs if seed in seeds}
        failures = Counter((run.key, run.recipe["seed"]) for run in self._ledger.entries if run.state == "failed")
        ended = {(run.key, run.recipe["seed"]) for run in self._ledger.entries if run.state in ("complete", "pruned")}
        return len(wanted & (ended | {pair for pair, count in failures.items() if count >= TRIES}))

    def next(self, view: View) -> Turn:
        """Take up an interrupted pair, or start the next one."""
        assert self._ledger is not None, "place comes first"
        paused = [trial.number for trial in view.trials if trial.state == "paused"]
        if paused:
            return Resume(min(paused))
        failures: Counter[tuple[str, int]] = Counter()
        placed = set()
        for run in self._ledger.entries:
            pair = run.key, run.recipe["seed"]
            failures[pair] += run.state == "failed"
            if run.state not in ("failed", "pruned") or failures[pair] >= TRIES:
                placed.add(pair)
        seeds = self.seeds
        for entry, seed in self._jobs:
            if seed in seeds and (entry.key, seed) not in placed:
                self._now = entry, seed
                return Start(entry.point)
        return Wait()

    def judge(self, view: View, number: int) -> Verdict:
        """Go on: fresh runs are never stopped."""
        return Continue()


def candidates(
    finals: Sequence[Entry], seeds: Sequence[int], fresh: Sequence[Entry], search: Ledger
) -> list[Candidate]:
    """Finalists with what their fresh runs gave, best first. A finalist with a failed fresh run comes last."""
    goals = range(len(search.study.goals))
    values: dict[str, list[tuple[float, ...]]] = {entry.key: [] for entry in finals}
    for run in fresh:
        if run.state == "complete" and run.key in values and run.recipe["seed"] in seeds:
            values[run.key].append(run.values)
    found = []
    for entry in finals:
        runs = values[entry.key]
        mean, spread = entry.values, None
        if runs:
            others = [values[other.key] for other in finals if other is not entry]
            spread = [half_width([run[i] for run in runs], [[run[i] for run in o] for o in others]) for i in goals]
            mean = tuple(average([run[i] for run in runs]) for i in goals)
        known = [width for width in spread or () if width is not None]
        half = tuple(width for width, _ in known) if spread and len(known) == len(goals) else None
        pooled = tuple(count for _, count in known) if half else ()
        found.append(Candidate(entry.number, entry.point, entry.values, tuple(runs), mean, half, pooled))
    sign = -1.0 if search.study.goal.maximize else 1.0
    return sorted(found, key=lambda c: (len(c.runs) < len(seeds), sign * c.mean[0], c.trial))
