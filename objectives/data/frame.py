"""Tables as data frames: CSV or Parquet files, and what the options that name their columns make of them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.columns import Asked
from hpo.objectives.data.dataset import Source
from hpo.objectives.data.options import BROKEN, SPLIT, missing_file, names
from hpo.search.terms.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "drop": "names", "categorical": "names", "text": "names", "groups": "text", "time": "text", "decimal": "decimal",
    **SPLIT,
}  # fmt: skip
"""Options of everything that has named columns."""

PARQUET = (".parquet", ".pq")
UNREADABLE: tuple[type[Exception], ...] = (csv.Error, lzma.LZMAError, *BROKEN)
"""What reading a file that is not what it says may raise."""

_SEPARATORS = ",;\t|"


def from_frame(frame: pd.DataFrame, options: Mapping[str, Any], name: str) -> Source:
    """Take target, groups and time out of a frame; what is left and not dropped are the features.

    Raises:
        DataError: a named column is missing, or a time that cannot be read.
    """
    problems = missing_columns(name, [str(column) for column in frame.columns], options)
    if problems:
        raise DataError("\n".join(problems))
    target, groups, time = options["target"], options.get("groups"), options.get("time")
    left_out = {"", target, groups, time, *names(options.get("drop"))}
    features = [column for column in frame.columns if column not in left_out]
    if groups and frame[groups].isna().any():
        raise DataError(f"{name}: {int(frame[groups].isna().sum())} rows have no group in {groups!r}: fill them in")
    return Source(
        name=Path(name).name.split(".")[0],
        X=frame[features],
        y=frame[target],
        target=target,
        features=tuple(features),
        task=options.get("task"),
        groups=frame[groups].to_numpy() if groups else None,
        time=_times(frame[time], name) if time else None,
        asked=Asked(names(options.get("categorical")), names(options.get("text")), options.get("decimal") or ""),
        notes=("a column without a name, such as a saved index, is dropped",) if "" in frame.columns else (),
    )


def missing_columns(file: str, columns: list[str], options: Mapping[str, Any]) -> list[str]:
    """One message per column that the options name and the table does not have, or use twice."""
    wanted = {
        role: names(options.get(role))
        for role in ("target", "groups", "time", "drop", "categorical", "text")
        if options.get(role)
    }
    found = [
        f"{file} has no column {name!r} ({role}): {did_you_mean(name, columns) or f'it has {len(columns)} others'}"
        for role, asked in wanted.items()
        for name in asked
        if name not in columns
    ]
    for role, asked in wanted.items():
        if role != "target" and options["target"] in asked:
            found.append(f"{file}: the target {options['target']!r} cannot also be {role}")
    return found


def duplicates(file: str, columns: list[str]) -> None:
    """Refuse column names that occur twice; several may have none.

    Raises:
        DataError: some do.
    """
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise DataError(f"{file} has several columns called {', '.join(map(repr, twice))}: rename all but one")


MISSING = (
    "", "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""Cells of a CSV file that hold nothing: pandas' own marks, and ``?``."""


def without(frame: pd.DataFrame, marks: Sequence[str]) -> pd.DataFrame:
    """The same with cells missing that hold one of these marks, a number however it is written."""
    import pandas as pd

    if not marks:
        return frame
    numbers = pd.to_numeric(pd.Series(marks), errors="coerce").dropna().tolist()

    def cleared(values: pd.Series[Any]) -> pd.Series[Any]:
        if pd.api.types.is_numeric_dtype(values):
            return values.mask(values.isin(numbers))
        return values.mask(values.astype(str).str.strip().isin(marks))

    return frame.apply(cleared)


def raw_frames(path: Path, separator: str | None, size: int | None) -> Iterator[pd.DataFrame]:
    """Read a CSV file as texts, piece by piece: what one cell means does not depend on any other.

    Args:
        path: the file.
        separator: of its columns; None guesses it from the header.
        size: rows of a piece; None reads the whole as one.

    Raises:
        DataError: missing, empty, not text, or with lines that have more or fewer cells than the header.
    """
    import pandas as pd

    if problem := missing_file(path):
        raise DataError(problem)
    header, used = read_header(path, separator)
    duplicates(path.name, header)
    with _csv_told(path, used), open_text(path) as file:
        rows = csv.reader(file, delimiter=used)
        next(rows)
        while True:
            taken = [row for row in itertools.islice(rows, size) if row]
            for row in taken:
                if len(row) != len(header):
                    raise DataError(
                        f"{path.name}: a line with {len(row)} cells, {used.join(row)[:60]!r}, but the header names "
                        f"{len(header)}: is the file cut short?"
                    )
            if taken or size is None:
                yield pd.DataFrame(taken, columns=pd.Index(header), dtype=object)
            if size is None or not taken:
                return


def read_frame(
    path: Path, separator: str | None = None, target: str = "", texts: Sequence[str] = (), kept: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV or Parquet file whole; a target of texts keeps all but empty cells and ``?``.

    ``texts`` are columns of a CSV file that are categories, in which 01 is not 1; ``kept`` marks that are values.

    Raises:
        DataError: missing, empty, not text, ragged, or Parquet without pyarrow.
    """
    if path.suffix in PARQUET:
        (frame,) = frames(path)
        return frame
    (frame,) = frames(path, separator, texts=texts, kept=kept)
    if target in frame.columns and _was_text(frame[target]):
        (again,) = frames(path, separator, texts=[target], marks=False)
        frame[target] = again[target]
    return frame


def marked(path: Path, separator: str | None, frame: pd.DataFrame) -> Iterator[tuple[str, str, int]]:
    """Cells of a CSV file's columns of text that are read as missing although they hold a mark: column, mark, how many.

    ``frame`` is the file as it was read. In columns of numbers such a mark can mean nothing else, and an empty cell
    or ``?`` nowhere.
    """
    if path.suffix in PARQUET:
        return
    doubtful = [str(name) for name in frame.columns if name and frame[name].isna().any() and _was_text(frame[name])]
    if not doubtful:
        return
    (again,) = frames(path, separator, texts=doubtful, marks=False)
    for name in doubtful:
        held = again[name][frame[name].isna().to_numpy()]
        for mark, count in held[held.isin(MISSING)].value_counts().items():
            yield name, str(mark), int(count)


def frames(
    path: Path,
    separator: str | None = None,
    *,
    texts: Sequence[str] = (),
    marks: bool = True,
    kept: Sequence[str] = (),
    size: int | None = None,
) -> Iterator[pd.DataFrame]:
    """Read a CSV or Parquet file piece by piece.

    A column of a CSV file is numbers only where all of a piece's cells are, so those that are text elsewhere are to be
    named: pieces then hold what the whole would.

    Args:
        path: the file.
        separator: of a CSV file; None guesses it from the header.
        texts: columns of a CSV file to read as text.
        marks: whether NA, null and the like are missing in these columns, as an empty cell is.
        kept: those of such marks that are values.
        size: rows of a piece; None reads the whole as one.

    Raises:
        DataError: missing, empty, not text, ragged, or Parquet without pyarrow.
    """
    problem = missing_file(path)
    if problem:
        raise DataError(problem)
    return _parquet(path, size) if path.suffix in PARQUET else _csv(path, separator, texts, marks, kept, size)


def _parquet(path: Path, size: int | None) -> Iterator[pd.DataFrame]:
    import pandas as pd

    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"reading {path.name} needs pyarrow: pip install 'hpo-suite[parquet]'") from None
    broken: tuple[type[Exception], ...] = (pyarrow.ArrowException, *BROKEN)
    try:
        duplicates(path.name, list(pyarrow.parquet.read_schema(path).names))
        if size is None:
            yield pd.read_parquet(path)
            return
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(size):
                yield batch.to_pandas()
    except broken as error:
        told = " ".join(str(error).split())[:300]
        raise DataError(f"{path.name} cannot be read as Parquet: {told}") from None


def _csv(
    path: Path, separator: str | None, texts: Sequence[str], marks: bool, kept: Sequence[str], size: int | None
) -> Iterator[pd.DataFrame]:
    import pandas as pd

    header, used = read_header(path, separator)
    duplicates(path.name, header)
    places = [header.index(name) for name in texts if name in header]
    options: dict[str, Any] = {"dtype": dict.fromkeys(places, str), "low_memory": False}  # else types go by the buffer
    missing = [mark for mark in MISSING if mark not in kept] if marks else ["?"]
    if not marks:
        options |= {"usecols": places, "dtype": str}
    with _csv_told(path, used):
        read = pd.read_csv(
            path,
            sep=used,
            na_values=missing,
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            chunksize=size,
            **options,
        )
    names = pd.Index(header if marks else [header[place] for place in sorted(places)])
    with nullcontext([read]) if size is None else read as pieces:
        rest: Iterator[Any] = iter(pieces)
        while True:
            with _csv_told(path, used):
                frame = next(rest, None)
            if frame is None:
                return
            frame.columns = names
            yield frame if marks else frame.replace("", None)


@contextmanager
def _csv_told(path: Path, separator: str) -> Iterator[None]:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DataError(f"{path.name}, read with separator {separator!r}: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise DataError(_not_text(path, f"byte {error.start}")) from None
    except UNREADABLE as error:
        raise DataError(f"{path.name} cannot be read: {error}") from None


def _was_text(values: pd.Series[Any]) -> bool:
    """Whether a column has texts; one without any value may have had marks alone, such as NA and None."""
    import pandas as pd

    known = values.dropna()
    truths = known.map(lambda value: isinstance(value, bool)).all()
    return known.empty or not (pd.api.types.is_numeric_dtype(values) or truths)


def read_header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """Column names of a CSV file as written (pandas would rename duplicates), and the separator.

    Raises:
        DataError: not text, no header, or a separator of several characters.
    """
    try:
        with open_text(path) as file:
            line = file.readline()
            used = separator or _guess(line)
            if len(used) != 1:
                raise DataError(f"{path.name}: a separator is one character, got {used!r}")
            # a quoted name may run over several lines
            first = next(csv.reader(itertools.chain([line], file), delimiter=used), [])
    except UnicodeDecodeError as error:
        raise DataError(_not_text(path, f"byte {error.start}")) from None
    except UNREADABLE as error:
        raise DataError(f"{path.name} cannot be read: {error}") from None
    if "\0" in line:
        raise DataError(_not_text(path, "zero bytes, as in UTF-16"))
    if not line.strip():
        raise DataError(f"{path.name} has no header: its first line must name the columns")
    return [name.strip() for name in first], used


def _guess(line: str) -> str:
    unquoted = "".join(line.split('"')[::2])
    return max(_SEPARATORS, key=unquoted.count)


def open_text(path: Path) -> io.TextIOWrapper:
    """Open a CSV as text, unpacked where its name says that it is packed."""
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        return io.TextIOWrapper(archive.open(archive.namelist()[0]), encoding="utf-8-sig")
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)
    opened: io.TextIOWrapper = opener(path, "rt", encoding="utf-8-sig", newline="")
    return opened


def _not_text(path: Path, where: str) -> str:
    return f"{path.name} is not UTF-8 text ({where}): save it as UTF-8, or as Parquet with a .parquet suffix"


def _times(column: pd.Series[Any], file: str) -> Any:
    """Sortable numbers: the values themselves, or seconds of dates."""
    import numpy as np
    import pandas as pd

    from hpo.objectives.data.columns import date_format, dates

    if pd.api.types.is_numeric_dtype(column):
        times = column.to_numpy(dtype="float64", na_value=np.nan)
    else:
        style = date_format(column)
        if style is None:
            raise DataError(f"{file}: the time column {column.name!r} holds neither numbers nor dates of one form")
        times = dates(column, style).to_numpy(dtype="datetime64[s]").astype("float64")
        times[column.isna().to_numpy()] = np.nan
    if np.isnan(times).any():
        raise DataError(
            f"{file}: {int(np.isnan(times).sum())} rows have no time in {column.name!r}: fill them in or drop them"
        )
    return times
