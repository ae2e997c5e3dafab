"""How far a running search is, in words and numbers: what every view of it shows."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hpo.search.engine.confirm import FreshRuns
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import ENDS
from hpo.search.engine.loop import Loop
from hpo.search.report import text
from hpo.search.running import log
from hpo.search.store.names import CONFIRM
from hpo.search.terms.budget import Spent
from hpo.search.terms.changed import Reader


class Limit(NamedTuple):
    """A limit of the budget: what of, the share of it that is spent (0 to 1), and both in words."""

    word: str
    share: float
    shown: str


class Best(NamedTuple):
    """The best value so far: in words, its trial, and how far that is where it still trains."""

    values: str
    trial: int
    where: str
    recipe: str


class Standing:
    """One loop, looked at again and again."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._at_start = loop.study.budget.fraction(spent(loop))
        self._reader: Reader[Entry] = Reader(lambda entry: entry.state in ENDS)
        self._full, self._trained = 0.0, 0  # steps of the ended trials, had none been pruned, and those they took

    @property
    def title(self) -> str:
        """The study's name."""
        name = self.loop.study.name
        return name.removesuffix(CONFIRM) if isinstance(self.loop.rules.policy, FreshRuns) else name

    def limits(self) -> list[Limit]:
        """The limits that the budget has, the first the one to show where only one is."""
        paid, budget, plan = spent(self.loop), self.loop.study.budget, self.loop.rules.policy
        known: list[tuple[str, float, float | None, Callable[[Any], str]]] = [
            ("trials", paid.trials, budget.trials, str),
            ("steps", paid.steps, budget.steps, str),
            ("time", paid.seconds, None if budget.minutes is None else budget.minutes * 60, text.duration),
        ]
        if isinstance(plan, FreshRuns):
            known[0] = ("fresh runs", plan.done, plan.total, str)
        return [
            Limit(word, min(used / limit, 1.0), f"{show(used)} of {show(limit)}")
            for word, used, limit, show in known
            if limit
        ]

    def passed(self) -> str:
        """What is spent where nothing limits it."""
        paid = spent(self.loop)
        return f"{paid.trials} trials, {text.duration(paid.seconds)}"

    def left(self) -> str:
        """How long it may take; empty while that cannot be told."""
        done = self.loop.study.budget.fraction(spent(self.loop)) - self._at_start
        if done <= 0.02:
            return ""
        left = 1.0 - self._at_start - done
        return f"about {text.duration(self.loop.elapsed * left / done)} left"

    def counts(self) -> str:
        """Trials by state, and what pruning saved."""
        shown = ", ".join(f"{count} {state}" for state, count in self.loop.ledger.counts.items() if count)
        return f"{shown}{self._saved()}"

    def best(self) -> Best | None:
        """The best value so far, also of a trial that still trains; None before the first point."""
        ledger, goals = self.loop.ledger, self.loop.study.goals
        sign = -1.0 if goals[0].maximize else 1.0
        found = [entry for entry in list(ledger.open.values()) if entry.values]
        found += [] if ledger.best is None else [ledger.best]
        if not found:
            return None
        best = min(found, key=lambda entry: (sign * entry.values[0], entry.number))
        values = ", ".join(f"{g.metric} {text.short(v)}" for g, v in zip(goals, best.values, strict=True))
        where = "" if best.state == "complete" else f"{best.state} at step {best.step}"
        return Best(values, best.number, where, text.recipe(best.point))

    def others(self, shown: Iterable[Entry]) -> str:
        """Trials that train beside the shown ones, summed up; empty where there are none."""
        named = {entry.number for entry in shown}
        left = [e for e in list(self.loop.ledger.open.values()) if e.state == "running" and e.number not in named]
        if not left:
            return ""
        low, high = min(entry.step for entry in left), max(entry.step for entry in left)
        at = f"step {low}" if low == high else f"steps {low} to {high}"
        values = sorted(entry.values[0] for entry in left if entry.values)
        goal = self.loop.study.goals[0].metric
        span = f", {goal} {text.short(values[0])} to {text.short(values[-1])}" if len(values) > 1 else ""
        count = f"and {len(left)} more running" if named else f"{len(left)} running"
        return f"{count}, at {at}{span}"

    def printed(self, among: Iterable[Entry]) -> str:
        """The newest line that one of these trials has printed."""
        newest, latest = "", 0.0
        for entry in among:
            place = self.loop.rules.log(entry.number)
            if place is None or not os.path.isfile(place) or (age := os.stat(place).st_mtime) < latest:
                continue
            if line := log.newest(Path(place)):
                newest, latest = f"trial {entry.number}: {line}", age
        return newest

    def _saved(self) -> str:
        loop, entries = self.loop, self.loop.ledger.entries
        numbers, afresh = self._reader.news(entries, loop.ledger.log)
        if afresh:
            self._full, self._trained = 0.0, 0
        for number in numbers:
            if (entry := entries[number]).state in ("complete", "pruned"):
                self._full += loop.rules.horizon(entry.recipe) or math.inf
                self._trained += len(entry.curve)
        saved = 0.0 if not self._full or math.isinf(self._full) else 1 - self._trained / self._full
        return f" - {saved:.0%} of epochs saved by pruning" if saved >= 0.005 else ""


def spent(loop: Loop) -> Spent:
    """What is spent, trials counted when they end, each with its retry as one: one that runs has its cost ahead."""
    return replace(loop.ledger.spent(loop.elapsed), trials=loop.ledger.settled)
