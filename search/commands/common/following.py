"""Following a log as it grows: its lines as they end, and on a terminal how far a progress bar is."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from hpo.search.report import out
from hpo.search.running.log import Tail, screen

_PAUSE = 0.2
"""Seconds between two looks at the log."""
_ASK = 1.0
"""Seconds between two questions whether more may come."""


def follow(path: Path, goes_on: Callable[[], bool]) -> int:
    """Print what is in a log and what comes, until nothing more may come or Ctrl-C; the exit code.

    Args:
        path: of the log, which need not be there yet.
        goes_on: says whether more may come.
    """
    tail, stream = Tail(path), screen()
    room = shutil.get_terminal_size().columns - 1 if stream.isatty() else None
    shown, asked, last = "", 0.0, False
    with contextlib.suppress(KeyboardInterrupt):  # it has been followed for long enough
        while True:
            lines, line = tail.look()
            if lines or line != shown:
                cleared = f"\r{' ' * len(shown)}\r" if shown and stream.isatty() else ""
                stream.write(cleared + "".join(f"{out.clean(one)}\n" for one in lines))
                shown = out.clean(line)[:room]
                stream.write(shown if stream.isatty() else "")
                stream.flush()
            if last:
                break
            if time.monotonic() - asked >= _ASK:
                last, asked = not goes_on(), time.monotonic()  # and one look more, at what it printed before it ended
            if not last:
                time.sleep(_PAUSE)
    if shown:
        stream.write("\n" if stream.isatty() else f"{shown}\n")
    return 0
