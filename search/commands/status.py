"""Say how far the stored studies are; with --watch again and again, as long as any of them is run."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpo.search.commands.common import arguments as options
from hpo.search.report import out
from hpo.search.report.out import say
from hpo.search.report.plain import to_json
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from hpo.search.report.study import StudyReport

_PAUSE = 2.0
"""Seconds between two looks."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--watch", action="store_true", help="again every two seconds, until nobody runs one any more")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print one line a study."""
    from hpo.search.report import study as report

    store = options.store_of(arguments)
    given = arguments.study or arguments.given
    name = options.study_name(arguments) if given else None

    def look() -> list[StudyReport]:
        return [report.report(store, one) for one in ([name] if name is not None else store.names())]

    found = look()
    if arguments.json:
        say(to_json([_plain(one) for one in found], indent=2))
        return 0
    if not found:
        raise UserError(f"{store.display} holds no study; start one with: hpo run --study lr-batch")
    if arguments.watch:
        with contextlib.suppress(KeyboardInterrupt):  # it has been watched for long enough
            _watch(look)
        return 0
    say("\n".join(_lines(found)))
    return 0


def _watch(look: Callable[[], list[StudyReport]]) -> None:
    """Show the lines in place on a terminal, else each time that they have changed."""
    from rich.live import Live
    from rich.text import Text

    console, told = out.console(wrap=True), ""
    with Live(console=console, auto_refresh=False) if console.is_terminal else contextlib.nullcontext() as live:
        while True:
            found = look()
            lines = "\n".join(_lines(found))
            if live is not None:
                live.update(Text(lines), refresh=True)
            elif lines != told:
                say(lines, flush=True)
            told = lines
            if not any(one.running for one in found):
                return
            time.sleep(_PAUSE)


def _plain(one: StudyReport) -> dict[str, Any]:
    from hpo.search.report import show

    return {**show.result(one), "running": one.running, "nodes": [asdict(node) for node in one.nodes]}


def _lines(found: list[StudyReport]) -> list[str]:
    """One line a study, and below it one for each machine that trains it."""
    from hpo.search.report import text
    from hpo.search.store.names import CONFIRM

    lines = []
    for one in found:
        counts = ", ".join(f"{count} {state}" for state, count in one.counts.items() if count) or "no trials"
        open_ = one.counts["running"] + one.counts["paused"]
        rest = "fresh runs" if one.name.endswith(CONFIRM) else "done" if one.winner and not open_ else "stopped"
        state = f"running ({one.running})" if one.running else rest
        best = one.ranked()[:1]
        value = f", best {', '.join(map(text.short, best[0].values))} (trial {best[0].number})" if best else ""
        if one.winner and one.winner.candidates and len(one.goals) == 1:
            first = one.winner.candidates[0]
            value = f", winner {text.short(first.mean[0])} (trial {first.trial})"
        lines.append(f"{one.name}: {state}; {counts}{value}")
        lines += [f"  {text.node(node)}" for node in one.nodes]
    return lines
