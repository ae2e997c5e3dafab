"""Export the winner of a study as YAML, or its trials as a table.

The YAML holds the recipe by knob name, and apart from it the study, trial, values with interval, seed, data digest and
versions. `hpo train FILE` trains it again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.commands.common import arguments as options
from hpo.search.report import files
from hpo.search.report.out import data, say
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from hpo.search.report.study import StudyReport
    from hpo.search.store import Store


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument(
        "--top", type=int, default=1, metavar="K", help="the best K recipes (default: 1; several goals: the front)"
    )
    parser.add_argument(
        "--format", choices=("yaml", "csv", "parquet"), help="by default the output's ending says, else yaml"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file instead of standard output")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def main(arguments: argparse.Namespace) -> int:
    """Write the export."""
    from hpo.search.report import study as report

    if arguments.top < 1:
        raise UserError(f"--top counts recipes from 1, got {arguments.top}")
    output: Path | None = arguments.output
    endings = {".csv": "csv", ".parquet": "parquet"}
    kind = arguments.format or (endings.get(output.suffix, "yaml") if output is not None else "yaml")
    if output is not None:
        if os.path.lexists(output) and not arguments.force:
            raise UserError(f"{output} exists; --force replaces it")
        files.probe(output)
    store, name = options.store_of(arguments), options.study_name(arguments)
    found = report.report(store, name)
    if kind == "yaml":
        text = _yaml(store, found, arguments.top)
        if output is None:
            data(text)
        else:
            files.write(output, text)
    else:
        _table(report.table(found), kind, output)
    if output is not None:
        say(f"wrote {output}" + (f"; train it with: hpo train {output}" if kind == "yaml" else ""))
    return 0


def _yaml(store: Store, found: StudyReport, top: int) -> str:
    from hpo.search.report import recipefile
    from hpo.search.report import study as report
    from hpo.search.store.names import CONFIRM

    fresh_name = found.name + CONFIRM
    fresh = report.report(store, fresh_name) if fresh_name in store.names() else None
    return recipefile.compose(found, fresh, top)


def _table(frame: object, kind: str, output: Path | None) -> None:
    import pandas

    assert isinstance(frame, pandas.DataFrame)
    if kind == "csv":
        if output is None:
            data(frame.to_csv())
        else:
            files.write(output, frame.to_csv())
        return
    if output is None:
        raise UserError("parquet is binary: name a file with --output")
    try:
        files.write(output, frame.to_parquet())
    except ImportError:
        raise UserError("parquet needs pyarrow: pip install 'hpo-suite[parquet]'") from None
