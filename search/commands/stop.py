"""Stop a study that is being run, on this machine or another; what is recorded stands, and running it again goes on.

The process that runs it hears of this within seconds, by the store, and stops as at Ctrl-C: after its round is
recorded, and by its --grace whatever the step does. So do those that stand by for it (`hpo run --wait`).
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
    """Ask, and wait until nobody runs the study, nor takes it over, having stood by."""
    from hpo.search.engine.standby import LOOK
    from hpo.search.report.study import report
    from hpo.search.store.names import shown

    store, name = options.store_of(arguments), options.study_name(arguments)
    report(store, name)  # a message with the likely name where there is none
    who = store.running(name)
    if who is None:
        say(f"nobody runs {name}")
        return 0
    say(f"asking {who} to stop {name}", flush=True)
    until, since = time.monotonic() + arguments.patience, time.monotonic()
    try:
        with store.ask_to_stop(name):
            while time.monotonic() - since < LOOK + _LOOK:  # whoever stands by hears of it meanwhile
                now = store.running(name)
                who, since = (now, time.monotonic()) if now is not None else (who, since)
                if now is not None and time.monotonic() > until:
                    raise UserError(
                        f"{who} still runs {shown(name)} after {arguments.patience:g} s: a step that a notebook or "
                        "script runs ends only by itself; ending that process loses nothing that is recorded"
                    )
                time.sleep(_LOOK)
    except Busy:
        raise UserError(f"another hpo stop waits for {shown(name)} already") from None
    found = report(store, name)
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count) or "no trials"
    say(f"stopped: {counts}; the command that ran it goes on from there")
    return 0
