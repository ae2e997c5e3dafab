"""Copy a study to another store, or under another name, where it goes on as it would have here.

Its trials, curves and attributes are copied with its fresh runs, checkpoints and logs, and read back before they count:
after a crash there is the whole copy or none, and the same command makes it. The original stays until `hpo delete`.
"""

from __future__ import annotations

import argparse

from hpo.search.commands.common import arguments as options
from hpo.search.report.out import say
from hpo.search.terms.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--to", metavar="PLACE", help="the store that takes the copy, spelled like --storage")
    parser.add_argument("--name", metavar="NAME", help="the copy's name (default: the study's own)")


def main(arguments: argparse.Namespace) -> int:
    """Copy, and say what was copied."""
    name = options.study_name(arguments)
    if arguments.to is None:
        raise UserError("copy it to which store? such as: --to postgresql://user:password@host/name")
    from hpo.search.engine.copying import copy
    from hpo.search.store import open_store

    source, target = options.store_of(arguments), open_store(arguments.to)
    if not target.keeps_files:
        raise UserError("a store in memory ends with this command; copy to a .db or .journal file, or to PostgreSQL")
    new = name if arguments.name is None else arguments.name
    study, *fresh = copy(source, name, target, new)
    runs = f" and {len(fresh[0].trials)} fresh runs" if fresh else ""
    called = f" as {new!r}" if new != name else ""
    say(f"copied {name!r} with {len(study.trials)} trials{runs} from {source.display} to {target.display}{called}")
    return 0
