"""A table of the user's: CSV (also .gz, .bz2, .xz, .zip) or Parquet, one row an example.

Options: ``path``; ``target``, the column to predict; ``drop``, columns to leave out; ``categorical``, columns of
numbers that name categories; ``task``, when the target alone does not tell; ``groups``, a column whose values must
not be shared between parts (patients, users); ``time``, a column to split by in order of time; ``validation`` and
``test``, shares of the rows (0.2 each); ``separator`` (guessed from the header). ``groups`` and ``time`` decide the
split and are no features. ``?``, empty cells and pandas' usual marks (NA, NaN, null, ...) are missing values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.objectives.data.dataset import Source
from hpo.objectives.data.frame import (
    COLUMNS,
    PARQUET,
    duplicates,
    from_frame,
    missing_columns,
    read_frame,
    read_header,
)
from hpo.objectives.data.options import file_digest, missing_file, mistakes
from hpo.search.terms.errors import DataError

OPTIONS = {"path": "text", "target": "text", "separator": "text", **COLUMNS}


def check(options: Mapping[str, Any], base: Path) -> list[str]:
    """Mistakes in the options, a missing file, and columns that a CSV's header does not have."""
    found = mistakes("table", options, OPTIONS, ("path", "target"))
    if found:
        return found
    path = base / Path(options["path"]).expanduser()
    problem = missing_file(path)
    if problem:
        return [f"data table: {problem}"]
    if path.suffix in PARQUET:
        return []
    try:
        header = read_header(path, options.get("separator"))[0]
        duplicates(path.name, header)
    except DataError as error:
        return [f"data table: {error}"]
    return [f"data table: {problem}" for problem in missing_columns(path.name, header, options)]


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the file."""
    return file_digest(Path(options["path"]).expanduser())


def read(options: Mapping[str, Any]) -> Source:
    """Read the file.

    Raises:
        DataError: unreadable, empty, duplicate or missing columns, no usable target.
    """
    path = Path(options["path"]).expanduser()
    return from_frame(read_frame(path, options.get("separator")), options, path.name)
