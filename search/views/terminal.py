"""What a running search shows: a live view in a terminal, a line a trial elsewhere, JSON lines for machines."""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hpo.search.engine.confirm import FreshRuns
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import ENDS
from hpo.search.engine.loop import Loop
from hpo.search.report import out, text
from hpo.search.report.plain import to_json
from hpo.search.running import log
from hpo.search.store.names import CONFIRM
from hpo.search.terms.budget import Spent
from hpo.search.terms.changed import Reader

if TYPE_CHECKING:
    from rich.console import RenderableType

_RECENT = 6


class Lines(Progress):
    """One plain line for each ended trial."""

    def opened(self, loop: Loop, phase: str) -> None:
        """Say what begins, and what stands from earlier runs."""
        self.loop = loop
        ledger, plan = loop.ledger, loop.rules.policy
        self._ended = _ended(loop).trials
        if isinstance(plan, FreshRuns):
            stand = f", {plan.done} of them done" if plan.done else ""
            self.say(f"confirming with fresh seeds ({plan.total} runs{stand})")
        elif ledger.entries:
            self.say(f"going on with {ledger.study.name}: {len(ledger.entries)} trials stand")

    def ended(self, entry: Entry) -> None:
        """Print the trial."""
        study = self.loop.study
        if entry.state == "failed":
            result = f"failed: {entry.reason}"
        else:
            named = [f"{goal.metric} {text.short(v)}" for goal, v in zip(study.goals, entry.values, strict=False)]
            reached = (
                f"{', '.join(named)} after {len(entry.curve)} steps"
                if named
                else f"before its first point: {entry.reason}"
            )
            result = f"{entry.state} {reached}"
        self._ended += entry.retry_of is None
        plan = self.loop.rules.policy
        done, total = (plan.done, plan.total) if isinstance(plan, FreshRuns) else (self._ended, study.budget.trials)
        of = f" [{done}/{total}]" if total else ""
        word = "fresh run" if isinstance(plan, FreshRuns) else "trial"
        out.say(f"{word} {entry.number}{of}: {result} ({text.recipe(entry.point)})", flush=True)

    def say(self, message: str) -> None:
        """Print a message."""
        out.say(message, flush=True)

    def warn(self, message: str) -> None:
        """Print it like any other."""
        self.say(message)


class Json(Progress):
    """One JSON object a line for every start, point, end and message."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def opened(self, loop: Loop, phase: str) -> None:
        """Print the phase."""
        self.phase = phase
        self._print(event="phase", phase=phase, study=loop.study.name, trials=len(loop.ledger.entries))

    def started(self, entry: Entry) -> None:
        """Print the recipe."""
        self._print(event="start", phase=self.phase, trial=entry.number, recipe=entry.recipe)

    def moved(self, entry: Entry) -> None:
        """Print the point."""
        step, value = entry.curve[-1]
        self._print(event="point", phase=self.phase, trial=entry.number, step=step, value=value, metrics=entry.metrics)

    def ended(self, entry: Entry) -> None:
        """Print the end."""
        self._print(
            event="end", phase=self.phase, trial=entry.number, state=entry.state, values=list(entry.values),
            steps=len(entry.curve), seconds=round(entry.seconds, 4), reason=entry.reason,
        )  # fmt: skip

    def say(self, message: str) -> None:
        """Print a message."""
        self._print(event="message", message=message)

    def warn(self, message: str) -> None:
        """Print it like any other."""
        self.say(message)

    def _print(self, **fields: Any) -> None:
        self._out.write(to_json(fields) + "\n")
        self._out.flush()


class Screen(Progress):
    """A live view: budgets, counts, the best so far, the latest curves."""

    def __init__(self) -> None:
        from rich.live import Live

        self.console = out.console(wrap=True)
        self._loop: Loop | None = None
        self._recent: deque[Entry] = deque(maxlen=_RECENT)
        self._at_start = 0.0
        self._reader: Reader[Entry] = Reader(lambda entry: entry.state in ENDS)
        self._full, self._trained = 0.0, 0  # steps of the ended trials, had none been pruned, and those they took
        self._live = Live(console=self.console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def opened(self, loop: Loop, phase: str) -> None:
        """Show this loop from now on."""
        self._loop = loop
        self._recent.clear()
        self._at_start = loop.study.budget.fraction(_ended(loop))
        if phase == "search" and loop.ledger.entries:
            self.say(f"going on with {loop.study.name}: {len(loop.ledger.entries)} trials stand")

    def started(self, entry: Entry) -> None:
        """Show the trial among the latest."""
        if entry in self._recent:
            self._recent.remove(entry)
        self._recent.append(entry)

    def say(self, message: str) -> None:
        """Print above the live view."""
        self.console.print(message, markup=False)

    def warn(self, message: str) -> None:
        """Print it like any other."""
        self.say(message)

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if self._loop is None:
            return Text("loading ...")
        loop, ledger = self._loop, self._loop.ledger
        lines: list[RenderableType] = [self._budgets(loop)]
        counts = {state: count for state, count in ledger.counts.items() if count}
        shown = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines.append(Text(f"{shown}{self._saved(loop)}"))
        lines += [Text(text.node(node), "dim") for node in loop.executor.nodes()]
        best = ledger.best
        if best is not None:
            named = zip(loop.study.goals, best.values, strict=True)
            values = ", ".join(f"{goal.metric} {text.short(value)}" for goal, value in named)
            lines.append(
                Text.assemble(
                    ("best ", "bold"), (values, "bold green"), f"  trial {best.number}: {text.recipe(best.point)}"
                )
            )
        lines.append(self._curves(loop))
        if printed := self._printed(loop):
            lines.append(Text(printed, "dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _printed(self, loop: Loop) -> str:
        """The newest line that one of the latest trials has printed."""
        newest, latest = "", 0.0
        for entry in self._recent:
            place = loop.rules.log(entry.number)
            if place is None or not os.path.isfile(place) or (age := os.stat(place).st_mtime) < latest:
                continue
            if line := log.newest(Path(place)):
                newest, latest = f"trial {entry.number}: {line}", age
        return newest

    def _budgets(self, loop: Loop) -> RenderableType:
        from rich.markup import escape
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        grid = Table.grid(padding=(0, 1))
        spent, budget = _ended(loop), loop.study.budget
        plan = loop.rules.policy
        title = escape(loop.study.name.removesuffix(CONFIRM) if isinstance(plan, FreshRuns) else loop.study.name)
        limits: list[tuple[str, float, float | None, Callable[[Any], str]]] = [
            ("trials", spent.trials, budget.trials, str),
            ("steps", spent.steps, budget.steps, str),
            ("time", spent.seconds, None if budget.minutes is None else budget.minutes * 60, text.duration),
        ]
        if isinstance(plan, FreshRuns):
            limits[0] = ("fresh runs", plan.done, plan.total, str)
        for word, used, limit, show in limits:
            if limit:
                bar = ProgressBar(total=limit, completed=min(used, limit), width=30)
                grid.add_row(title, word, bar, f"{show(used)} of {show(limit)}", self._eta(loop) if title else "")
                title = ""
        if title:
            grid.add_row(title, "", "", f"{spent.trials} trials, {text.duration(spent.seconds)}", "Ctrl-C to stop")
        return grid

    def _eta(self, loop: Loop) -> str:
        done = loop.study.budget.fraction(_ended(loop)) - self._at_start
        left = 1.0 - self._at_start - done
        if done <= 0.02:
            return ""
        return f"about {text.duration(loop.elapsed * left / done)} left"

    def _saved(self, loop: Loop) -> str:
        entries = loop.ledger.entries
        numbers, afresh = self._reader.news(entries, loop.ledger.log)
        if afresh:
            self._full, self._trained = 0.0, 0
        for number in numbers:
            if (entry := entries[number]).state in ("complete", "pruned"):
                self._full += loop.rules.horizon(entry.recipe) or math.inf
                self._trained += len(entry.curve)
        if not self._full or math.isinf(self._full):
            return ""
        return f" - {max(0.0, 1 - self._trained / self._full):.0%} of epochs saved by pruning"

    def _curves(self, loop: Loop) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        shown = [entry for entry in self._recent if entry.curve]
        values = [value for entry in shown for _, value in entry.curve if math.isfinite(value)]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        colours = {"complete": "green", "pruned": "yellow", "failed": "red", "running": "cyan", "paused": "blue"}
        for entry in shown:
            curve = text.sparkline([value for _, value in entry.curve], 24, low, high)
            grid.add_row(
                f"{entry.number}", f"[{colours[entry.state]}]{entry.state}", f"[cyan]{curve}",
                text.short(entry.values[0]), Text(text.recipe(entry.point), "dim"),
            )  # fmt: skip
        return grid


def _ended(loop: Loop) -> Spent:
    """What is spent, trials counted when they end, each with its retry as one: one that runs has its cost ahead."""
    return replace(loop.ledger.spent(loop.elapsed), trials=loop.ledger.settled)
