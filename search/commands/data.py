"""Tell what a table is: how each column is read and why, and what looks wrong; trains nothing.

With --target also the parts, the classes, columns that give the target away and rows that several parts share, each
with the option under `data: {table: ...}` that changes it.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from hpo.search.report import tabletext
from hpo.search.report.out import say
from hpo.search.report.plain import to_json
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.errors import Mistake, StudyFileError, UserError
from hpo.search.terms.recipe import derive_seed


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("file", metavar="FILE", help="a CSV or Parquet file")
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict")
    parser.add_argument(
        "--options", metavar="OPTIONS", help="further options of the table: '{groups: patient, missing: [unknown]}'"
    )
    parser.add_argument("--json", action="store_true", help="everything as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Read the table, print."""
    mistakes: list[Mistake] = []
    node = parse(arguments.options or "{}", "--options", mistakes)
    if mistakes:
        raise StudyFileError(mistakes)
    options = node.plain()
    if not isinstance(options, dict):
        raise UserError(f"--options is a mapping such as {{groups: patient}}, got {node.kind}")
    data = registry.part("data")
    options |= {"path": arguments.file} | ({} if arguments.target is None else {"target": arguments.target})
    found = asdict(data.summary({"table": options}, derive_seed(0, "split")))
    say(to_json(found, indent=2) if arguments.json else "\n".join(tabletext.lines(found)))
    return 0
