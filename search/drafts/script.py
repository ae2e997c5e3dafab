"""A training script: its options are the knobs, what its text prints are the metrics."""

from __future__ import annotations

from pathlib import Path

from hpo.search.contracts.draft import Draft, Given
from hpo.search.studyfile.scriptstudy import draft_of, is_script


def takes(given: Given) -> bool:
    """Whether a Python file with a command line was named."""
    path = Path(given.word).expanduser()
    return path.suffix == ".py" and path.is_file() and is_script(path)


def draft(given: Given) -> Draft:
    """The study that the script suggests."""
    path = Path(given.word).expanduser()
    made = draft_of(path, given.path(path))
    made.study["budget"] = {"trials": 50}
    return made
