"""Stop a study that is being run, on this machine or another; what is recorded stands, and running it again goes on.

The process that runs it hears of this within seconds, by the store, and stops as at Ctrl-C: after its round is
recorded, and by its --grace whatever the step does.
"""

from __future__ import annotations

import argparse
import time

from hpo.search.commands.common import arguments as options
from hpo.search.report.out import say
from hpo.search.terms.errors import Busy, UserError

_LOOK = 0.2
"""Seconds between two looks at whether it has stopped."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument(
        "--patience",
        type=options.seconds,
        default=120.0,
        metavar="SECONDS",
        help="wait so long for its end (default: 120)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Ask, and wait until nobody runs the study, or somebody else does."""
    from hpo.search.report.study import report
    from hpo.search.store.names import shown

    store, name = options.store_of(arguments), options.study_name(arguments)
    report(store, name)  # a message with the likely name where there is none
    who = store.running(name)
    if who is None:
        say(f"nobody runs {name}")
        return 0
    say(f"asking {who} to stop {name}", flush=True)
    until, now = time.monotonic() + arguments.patience, who
    try:
        with store.ask_to_stop(name):
            while (now := store.running(name) or "") == who:
                if time.monotonic() > until:
                    raise UserError(
                        f"{who} still runs {shown(name)} after {arguments.patience:g} s: a step that a notebook or "
                        "script runs ends only by itself; ending that process loses nothing that is recorded"
                    )
                time.sleep(_LOOK)
    except Busy:
        raise UserError(f"another hpo stop waits for {shown(name)} already") from None
    if now:
        say(f"stopped there; {now} has taken it over, having stood by")
        return 0
    found = report(store, name)
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count) or "no trials"
    say(f"stopped: {counts}; the command that ran it goes on from there")
    return 0
