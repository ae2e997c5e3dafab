"""What a running search shows in a notebook: one bar under its cell, updated in place, with the last notes below it."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from html import escape
from typing import Any

from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.engine.loop import Loop
from hpo.search.report import text
from hpo.search.report.out import clean
from hpo.search.report.page.cell import PLACE
from hpo.search.report.page.style import within
from hpo.search.views.standing import Standing

_PAUSE = 0.5
"""Seconds between two updates."""
_NOTES = 6
"""Notes that are shown, the newest; warnings stay."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Cell(Progress):
    """One output of the running cell; a context manager, which shows the end as the last state."""

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._drawing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="hpo-cell", daemon=True)
        self._handle: Any = None

    def __enter__(self) -> Cell:
        from IPython.display import display

        self._handle = display(self._bundle(), raw=True, display_id=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._draw()

    def opened(self, loop: Loop, phase: str) -> None:
        """Show this loop from now on."""
        if phase == "search" and loop.ledger.entries:
            self.say(f"going on with {loop.study.name}: {len(loop.ledger.entries)} trials stand")
        self._standing = Standing(loop)

    def ended(self, entry: Entry) -> None:
        """Tell of a failed trial."""
        if entry.state == "failed":
            self.say(f"trial {entry.number} failed: {entry.reason}")

    def say(self, message: str) -> None:
        """Put a note under the bar."""
        self._notes.append(message)
        del self._notes[:-_NOTES]

    def warn(self, message: str) -> None:
        """Put a note under the bar that stays."""
        if message not in self._warnings:
            self._warnings.append(message)

    def _work(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._draw()

    def _draw(self) -> None:
        with self._drawing, contextlib.suppress(RuntimeError):  # the loop goes on while it is looked at
            self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        lines = self._lines()
        parts = [f"<div>{escape(clean(line))}</div>" for line in lines]
        if self._standing is not None and (limits := self._standing.limits()):
            share = max(limit.share for limit in limits)
            bar = f'<div class="track"><div class="done" style="width:{100 * share:.1f}%"></div></div>'
            parts.insert(1, bar)
        html = f'<div class="{PLACE}"><style>{within(PLACE)}</style>{"".join(parts)}</div>'
        return {"text/plain": "\n".join(map(clean, lines)), "text/html": html}

    def _lines(self) -> list[str]:
        """The state in words: what and how far, trials, the best, notes."""
        standing = self._standing
        if standing is None:
            return ["loading ...", *self._warnings, *self._notes]
        limits = ", ".join(f"{limit.word} {limit.shown}" for limit in standing.limits()) or standing.passed()
        left = "" if self._ended.is_set() else standing.left()
        took = text.duration(time.monotonic() - self._began)
        lines = [", ".join(filter(None, [f"{standing.title}: {limits}", took, left])), standing.counts()]
        if (best := standing.best()) is not None:
            where = f", {best.where}" if best.where else ""
            lines.append(f"best {best.values} (trial {best.trial}{where}): {best.recipe}")
        return [line for line in (*lines, *self._warnings, *self._notes) if line]
