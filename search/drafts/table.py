"""A table: the study that ``hpo run TABLE --target COLUMN`` would run, as a file to keep and change."""

from __future__ import annotations

from pathlib import Path

from hpo.search.contracts.draft import Draft, Given
from hpo.search.studyfile.table import study_text, table_of
from hpo.search.studyfile.yaml12 import parse


def takes(given: Given) -> bool:
    """Whether a table was named, behind ``--data`` or alone."""
    return given.source is None and _path(given) is not None


def draft(given: Given) -> Draft:
    """The study of the table, with a comment for each choice."""
    path = _path(given)
    assert path is not None
    there = Path(given.path(path))
    text = study_text(path, given.target, "new")
    if there != path:
        text = text.replace(f"path: {path}\n", f"path: {there.as_posix()}\n", 1)
    study = parse(text, str(path)).plain()
    return Draft(study["name"], f"What predicts {given.target}?", study, text=text)


def _path(given: Given) -> Path | None:
    if given.data is not None:
        return None if given.word else table_of(str(given.data)) or given.data
    return table_of(given.word) if given.word else None
