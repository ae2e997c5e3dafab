"""Delete a study from the store, with the fresh runs of its finalists."""

from __future__ import annotations

import argparse
import sys

from hpo.search.commands.common import arguments as options
from hpo.search.report.out import ask, say
from hpo.search.terms.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def main(arguments: argparse.Namespace) -> int:
    """Ask, then delete."""
    from hpo.search.engine.checkpoints import drop_folders, drop_kept
    from hpo.search.report.study import report
    from hpo.search.store.names import CONFIRM

    store, name = options.store_of(arguments), options.study_name(arguments)
    found = report(store, name)
    if found.running:
        raise UserError(f"study {name!r} is being run by {found.running}; stop that first")
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UserError(f"deleting {name!r} with its {len(found.trials)} trials needs --yes")
        if not ask(f"delete {name!r} with its {len(found.trials)} trials from {store.display}?"):
            say("kept")
            return 0
    for each in (name, name + CONFIRM):
        if (stored := store.read(each)) is not None:
            store.delete(each)
            drop_folders(store, stored.system_attrs)
            drop_kept(store, each)
    say(f"deleted {name!r} from {store.display}")
    return 0
