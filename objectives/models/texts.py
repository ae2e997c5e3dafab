"""What a language model gives for a file of text, a row for each document, one document in memory at a time."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hpo.objectives.data.texts import FIELD, is_json_lines
from hpo.objectives.models.base import TextModel
from hpo.search.terms.errors import DataError, did_you_mean

_SCORES = {"bits_per_byte": "bpb", "nats_per_token": "loss", "accuracy": "accuracy"}
"""Columns, and what ``TextModel.score`` calls them."""


class TextScores:
    """Scores of the documents of a file, each on its own, so that none depends on its neighbours.

    Attributes:
        count: documents scored so far.
        notes: what the user should know, complete when all are scored.
    """

    def __init__(self, model: TextModel, path: Path, keep: Sequence[str] | None, field: str | None) -> None:
        """Look at nothing yet.

        Args:
            model: what scores.
            path: plain text, gzipped text or JSON Lines.
            keep: fields of JSON Lines to copy.
            field: of JSON Lines, with the text; None for the one trained on.

        Raises:
            DataError: fields are named, and the file has none.
        """
        for option, named in (("--keep", keep), ("--field", field)):
            if named and not is_json_lines(path):
                raise DataError(f"{path.name} is plain text, which has no fields: drop {option}, or give JSON Lines")
        self.count = 0
        self._model, self._path, self._keep = model, path, list(keep or ())
        self._field = field
        self._bytes, self._bits, self._empty = 0, 0.0, 0

    def csv(self) -> Iterator[str]:
        """A CSV file in pieces, its header first: what is kept, ``document``, ``bytes``, and the scores.

        A document without a score, such as a blank one, has empty cells. ``document`` counts from 1; of JSON Lines it
        is the number of the line.

        Raises:
            DataError: no document, or a file that cannot be read as text.
        """
        yield _line([*self._keep, "document", "bytes", *_SCORES])
        for number, text, kept in self._documents():
            size = len(text.encode())
            found, measured = self._model.measured(text) if text.strip() else ({}, 0)
            values = [found.get(name, math.nan) for name in _SCORES.values()]
            if math.isnan(values[0]):
                self._empty += 1
            else:
                self._bytes += measured
                self._bits += values[0] * measured
            yield _line([*kept, number, size, *("" if math.isnan(value) else repr(value) for value in values)])
            self.count += 1
        if not self.count:
            raise DataError(f"{self._path.name} has no documents")

    @property
    def notes(self) -> list[str]:
        """See the class."""
        found = []
        if self._empty:
            found.append(f"{self._empty} documents are blank, or too short to hide a token of: they have no score")
        if self._bytes:
            found.append(f"{self._bits / self._bytes:.4g} bits per byte over {self._bytes:,} bytes")
        return found

    def _documents(self) -> Iterator[tuple[int, str, list[Any]]]:
        """Number, text and what is kept of each document."""
        for number, text, line in documents(self._model, self._path, self._field):
            fields: dict[str, Any] = json.loads(line) if self._keep and line.strip() else {}
            missing = [name for name in self._keep if name not in fields]
            if missing and fields:
                raise DataError(f"{self._path}:{number}: --keep {missing[0]}: {did_you_mean(missing[0], fields)}")
            yield number, text, [fields.get(name, "") for name in self._keep]


def documents(model: TextModel, path: Path, field: str | None = None) -> Iterator[tuple[int, str, bytes]]:
    """The documents of a file, one in memory at a time: number from 1, text, and of JSON Lines the line as it stands.

    Args:
        model: read as the text that it was trained on.
        path: plain text, gzipped text or JSON Lines.
        field: of JSON Lines, with the text; None for the one trained on.

    Raises:
        DataError: the file cannot be read as text.
    """
    from hpo.objectives.text.corpus import documents_of
    from hpo.objectives.text.indexing import json_documents

    if is_json_lines(path):
        for number, text, line in json_documents(path, field or model.read.get("field", FIELD)):
            yield number, text.decode(), line
        return
    for number, document in enumerate(documents_of(model.read, path), 1):
        yield number, document, b""


def _line(cells: Sequence[Any]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerow(cells)
    return made.getvalue()
