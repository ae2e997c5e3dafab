"""Write a study as one HTML file: the answer with its interval, what it cost, figures, how to repeat it.

The file needs nothing else: no network, no script. It is light or dark as the reader's system is, and can be printed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hpo.search.commands.common import arguments as options
from hpo.search.report import files
from hpo.search.report.out import say
from hpo.search.store.names import safe_name
from hpo.search.terms.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: STUDY.html)")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def main(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from hpo.search.report import study as report
    from hpo.search.report.page.html import page

    name = options.study_name(arguments)
    output: Path = arguments.output or Path(f"{safe_name(name)}.html")
    if os.path.lexists(output) and not arguments.force:
        raise UserError(f"{output} exists; choose another with --output, or replace it with --force")
    found = report.report(options.store_of(arguments), name)
    files.probe(output)
    files.write(output, page(found))
    say(f"wrote {output}")
    return 0
