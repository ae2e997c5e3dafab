"""Predict with a trained model's folder on a table or on arrays, of any size, row by row in their order.

The output is CSV: the columns of the file that the model does not read, such as ids, then `prediction` and, of classes,
a column `probability of CLASS` each. Where the file holds the target, the scores on it are told too.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hpo.search.report import files, modelfolder
from hpo.search.report.out import data, say
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.threads import set_environment


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("model", type=Path, metavar="FOLDER", help="what `hpo train` wrote")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="rows: a table (CSV, Parquet), or arrays (.npz)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="a CSV file instead of standard output")
    parser.add_argument(
        "--keep", action="append", metavar="COLUMN", help="copy this column, and no other but those named; repeatable"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--yes", action="store_true", help="run the code that builds the model, whoever wrote it")


def main(arguments: argparse.Namespace) -> int:
    """Load, predict, write."""
    set_environment()  # before torch and sklearn are imported
    if arguments.data is None:
        raise UserError("on which rows? name a table or arrays: --data FILE")
    output: Path | None = arguments.output
    if output is not None:
        if os.path.lexists(output) and not arguments.force:
            raise UserError(f"{output} exists; --force replaces it")
        files.probe(output)
    model = modelfolder.load(arguments.model, trust=arguments.yes)
    found = registry.part("models").Predictions(model, arguments.data.expanduser(), arguments.keep)
    if output is None:
        for text in found.csv():
            data(text)
    else:
        with files.opened(output) as file:
            for text in found.csv():
                file.write(text.encode("utf-8", errors="surrogateescape"))
    for note in found.notes:
        say(note, file=sys.stderr)
    if output is not None:
        say(f"wrote {found.count} predictions to {output}")
    return 0
