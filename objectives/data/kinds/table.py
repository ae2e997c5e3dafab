"""A table of the user's: CSV (also .gz, .bz2, .xz, .zip) or Parquet, one row an example.

Options: ``path``; ``target``, the column to predict; ``drop``, columns to leave out; ``categorical``, columns of
numbers that name categories; ``task``, when the target alone does not tell; ``groups``, a column whose values must
not be shared between parts (patients, users); ``time``, a column to split by in order of time; ``validation`` and
``test``, shares of the rows (0.2 each); ``separator`` (guessed from the header); ``decimal``, the decimal mark where
numbers have commas (guessed column by column); ``text``, columns of free text; ``missing``, further marks of missing
values; ``not_missing``, those of the usual marks that are values, such as NA. ``groups`` and ``time`` decide the split
and are no features. ``?``, empty cells and pandas' usual marks (NA, NaN, null, ...) are missing values; in a target of
texts such marks are texts as any other, as NA may be Namibia.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.dataset import Piece, Source
from hpo.objectives.data.frame import (
    COLUMNS,
    MISSING,
    PARQUET,
    UNREADABLE,
    duplicates,
    frames,
    from_frame,
    marked,
    missing_columns,
    open_text,
    raw_frames,
    read_frame,
    read_header,
    without,
)
from hpo.objectives.data.numerals import parse
from hpo.objectives.data.options import file_digest, marks, missing_file, mistakes, names
from hpo.objectives.data.schema import Schema, lacking
from hpo.objectives.data.target import cleaned, form_of
from hpo.objectives.data.thousands import doubtful as doubtful_thousands
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 500
"""Rows at the beginning of a table that are looked at without loading it."""

OPTIONS = {"path": "text", "target": "text", "separator": "text", "missing": "marks", "not_missing": "marks", **COLUMNS}


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


def doubtful(options: Mapping[str, Any]) -> bool:
    """Whether the first rows leave it open that there are a target to learn and a feature to learn it from."""
    path = Path(options["path"]).expanduser()
    if path.suffix in PARQUET:
        return False  # its types say more than a look at its text, and reading it takes pandas
    try:
        header, used = read_header(path, options.get("separator"))
        with open_text(path) as file:
            lines = itertools.islice(csv.reader(file, delimiter=used), 1, 1 + LOOKED_AT)
            rows = [row for row in lines if len(row) == len(header)]
    except DataError:
        return True
    except UNREADABLE:
        return True
    left_out = {"", options["target"], options.get("groups"), options.get("time"), *names(options.get("drop"))}
    columns = {name: [row[place].strip() for row in rows] for place, name in enumerate(header)}
    kept = (*names(options.get("categorical")), *names(options.get("text")))
    telling = (
        len(set(values)) > 1 and (name in kept or _varies(values))
        for name, values in columns.items()
        if name not in left_out
    )
    return len(set(columns[options["target"]])) < 2 or not any(telling)


def _varies(values: list[str]) -> bool:
    """Whether these are numbers for the most part, or texts that come again."""
    present = [value for value in values if value]
    return len(set(present)) <= len(present) / 2 or sum(map(_is_number, present)) > len(present) / 2


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the file."""
    return file_digest(Path(options["path"]).expanduser())


def read(options: Mapping[str, Any]) -> Source:
    """Read the file.

    Raises:
        DataError: unreadable, empty, duplicate or missing columns, no usable target.
    """
    path = Path(options["path"]).expanduser()
    categories = [name for name in names(options.get("categorical")) if name != options["target"]]
    kept, separator = marks(options.get("not_missing")), options.get("separator")
    frame = read_frame(path, separator, options["target"], categories, kept)
    notes = []
    if options.get("decimal") != ".":
        left_out = {*categories, *_no_numbers(options)}
        for found in doubtful_thousands(path, separator, frame, left_out, said=options.get("decimal") == ","):
            if options.get("decimal") == ",":
                frame[found.values.name] = found.values
            else:
                notes.append(found.note)
    source = from_frame(frame, options, path.name)
    notes += [
        f"{count} cells of {name!r} are {mark!r} and count as missing; not_missing: [{mark}] makes them a value"
        for name, mark, count in marked(path, separator, source.X)
    ]
    source = replace(source, notes=(*source.notes, *notes))
    X = without(source.X, marks(options.get("missing")))
    return replace(source, X=X, y=_target(source.y, options))


def _target(y: pd.Series[Any], options: Mapping[str, Any]) -> pd.Series[Any]:
    """The target without the marks of missing values: the user's, and of numbers the usual ones."""
    import pandas as pd

    task, decimal = options.get("task"), options.get("decimal") or ""
    cleared = without(y.to_frame(), marks(options.get("missing")))[y.name]
    if task == "classification" or pd.api.types.is_numeric_dtype(cleared):
        return cleared
    usual = cleared.mask(cleared.isin([mark for mark in MISSING if mark not in marks(options.get("not_missing"))]))
    if usual.notna().sum() in (0, y.notna().sum()):  # nothing to tell by, or nothing that is told
        return cleared
    numbers = pd.to_numeric(usual, errors="coerce")
    if numbers.notna().sum() == usual.notna().sum():  # it was a column of texts for its marks alone
        return numbers
    return usual if task == "regression" or form_of(cleaned(usual), decimal) else cleared


def _no_numbers(options: Mapping[str, Any]) -> set[str]:
    """Columns that are not read as numbers, whatever they hold."""
    classes = [options["target"]] if options.get("task") == "classification" else []
    return {*names(options.get("text")), *names(options.get("drop")), *classes} | {
        options[role] for role in ("groups", "time") if options.get(role)
    }


def pieces(schema: Schema, path: Path, size: int | None, labelled: bool) -> Iterator[Piece]:
    """Another file's rows, some at a time; see ``another.read_pieces``. Cells of a CSV file are read one by one.

    Raises:
        DataError: missing columns, or a file that cannot be read.
    """
    import pandas as pd

    plain = path.suffix in PARQUET
    found = frames(path, size=size) if plain else raw_frames(path, schema.options.get("separator"), size)
    first = True
    for frame in found:
        there = [str(name).strip() for name in frame.columns]
        frame.columns = pd.Index(there)
        if first:
            lacking([schema.target, *schema.needed] if labelled else schema.needed, there, path.name)
            first = False
        read = frame[list(schema.needed)]
        if not plain:
            kept = marks(schema.options.get("not_missing"))
            read = read.where(~read.isin([mark for mark in MISSING if mark not in kept]))
        read = without(read, marks(schema.options.get("missing")))
        X = schema.rows(read)
        rest = frame[[name for name in there if name and name not in schema.needed]]
        yield Piece(X, _labels(schema, frame, plain), rest, schema.odd(read, X))


def _labels(schema: Schema, frame: pd.DataFrame, plain: bool) -> Any:
    """The target as the file has it; in a CSV file a mark such as NA may be a class, if classes are texts."""
    if schema.target not in frame.columns:
        return None
    y = without(frame[[schema.target]], marks(schema.options.get("missing")))[schema.target]
    if plain:
        return y
    texts = any(isinstance(label, str) for label in schema.classes)
    y = y.where(~y.isin(("", "?") if texts else MISSING), None)
    if schema.classes and not texts:  # whole numbers, or true and false
        numbers = parse(y.map(lambda value: value.strip() if isinstance(value, str) else value))
        truths = all(isinstance(label, bool) for label in schema.classes)
        whole = numbers.map(lambda value: bool(value) if truths else int(value) if value % 1 == 0 else value, "ignore")
        y = whole.astype(object).where(numbers.notna(), y)
    return y
