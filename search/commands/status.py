"""Say how far the stored studies are."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from hpo.search.commands.common import arguments as options
from hpo.search.report.out import say
from hpo.search.report.plain import to_json
from hpo.search.terms.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print one line a study."""
    from hpo.search.report import show, text
    from hpo.search.report import study as report
    from hpo.search.store.names import CONFIRM

    store = options.store_of(arguments)
    given = arguments.study or arguments.given
    names = [options.study_name(arguments)] if given else store.names()
    found = [report.report(store, name) for name in names]
    if arguments.json:
        say(
            to_json(
                [
                    {**show.result(one), "running": one.running, "nodes": [asdict(node) for node in one.nodes]}
                    for one in found
                ],
                indent=2,
            )
        )
        return 0
    if not found:
        raise UserError(f"{store.display} holds no study; start one with: hpo run --study lr-batch")
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
        say(f"{one.name}: {state}; {counts}{value}")
        for node in one.nodes:
            say(f"  {text.node(node)}")
    return 0
