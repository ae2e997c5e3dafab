"""Delete a study from the store, with the fresh runs of its finalists."""

from __future__ import annotations

import argparse
import sys

from hpo.search import cli
from hpo.search.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    cli.add_study(parser, stored=True)
    cli.add_store(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def main(arguments: argparse.Namespace) -> int:
    """Ask, then delete."""
    from hpo.search.phase import drop_scratch
    from hpo.search.report.study import report
    from hpo.search.winner import CONFIRM

    store, name = cli.store_of(arguments), cli.study_name(arguments)
    found = report(store, name)
    if found.running:
        raise UserError(f"study {name!r} is being run by {found.running}; stop that first")
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UserError(f"deleting {name!r} with its {len(found.trials)} trials needs --yes")
        if input(f"delete {name!r} with its {len(found.trials)} trials from {store.display}? [y/N] ").lower() not in (
            "y",
            "yes",
        ):
            print("kept")
            return 0
    for each in (name, name + CONFIRM):
        if each in store.names():
            store.delete(each)
            drop_scratch(each)
    print(f"deleted {name!r} from {store.display}")
    return 0
