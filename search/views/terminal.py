"""What a running search shows: a live view in a terminal, a line a trial elsewhere, JSON lines for machines."""

from __future__ import annotations

import math
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, TextIO

from hpo.search.engine.confirm import FreshRuns
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.engine.loop import Loop
from hpo.search.report import out, text
from hpo.search.report.plain import to_json
from hpo.search.views.standing import Standing, spent

if TYPE_CHECKING:
    from rich.console import RenderableType

_RECENT = 6


class Lines(Progress):
    """One plain line for each ended trial."""

    def opened(self, loop: Loop, phase: str) -> None:
        """Say what begins, and what stands from earlier runs."""
        self.loop = loop
        ledger, plan = loop.ledger, loop.rules.policy
        self._ended = spent(loop).trials
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
        self._standing: Standing | None = None
        self._recent: deque[Entry] = deque(maxlen=_RECENT)
        self._live = Live(console=self.console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def opened(self, loop: Loop, phase: str) -> None:
        """Show this loop from now on."""
        self._standing = Standing(loop)
        self._recent.clear()
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

        standing = self._standing
        if standing is None:
            return Text("loading ...")
        lines: list[RenderableType] = [self._budgets(standing), Text(standing.counts())]
        lines += [Text(text.node(node), "dim") for node in standing.loop.executor.nodes()]
        if (best := standing.best()) is not None:
            where = f" ({best.where})" if best.where else ""
            told = f"  trial {best.trial}{where}: {best.recipe}"
            lines.append(Text.assemble(("best ", "bold"), (best.values, "bold green"), told))
        shown = [entry for entry in self._recent if entry.curve]
        lines.append(self._curves(shown))
        for line in (standing.others(shown), standing.printed(self._recent)):
            if line:
                lines.append(Text(line, "dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _budgets(self, standing: Standing) -> RenderableType:
        from rich.markup import escape
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        grid = Table.grid(padding=(0, 1))
        title = escape(standing.title)
        for limit in standing.limits():
            bar = ProgressBar(total=1.0, completed=limit.share, width=30)
            grid.add_row(title, limit.word, bar, limit.shown, standing.left() if title else "")
            title = ""
        if title:
            grid.add_row(title, "", "", standing.passed(), "Ctrl-C to stop")
        return grid

    def _curves(self, shown: list[Entry]) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
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
