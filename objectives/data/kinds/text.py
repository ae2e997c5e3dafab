"""Plain text, gzipped text and JSON Lines, for language models.

Options: ``path``, a file, a pattern such as ``books/**/*.txt``, or a list of them: UTF-8 text, also .gz, and .jsonl or
.jsonl.gz with a document in each line; ``documents``, what a document of plain text is: ``file`` (the default),
``line``, or ``blank``, what stands between blank lines; ``field`` of a JSON line that holds the text (``text``);
``validation`` and ``test``, shares of the documents (0.1 each; ``test: 0`` keeps no test part).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.objectives.data import texts
from hpo.objectives.data.dataset import Source
from hpo.search.terms.errors import DataError

OPTIONS = texts.OPTIONS

DISCLAIMS = ("rows",)


def check(options: Mapping[str, Any], base: Path) -> list[str]:
    """Mistakes in the options, and files that are missing or empty."""
    return texts.found_mistakes(options, base)


def digest(options: Mapping[str, Any]) -> str:
    """Digest of what the files hold."""
    return texts.digest(texts.texts({"text": options}))


def notes(spec: Any, split_seed: int) -> tuple[str, ...]:
    """What the user should know of a text, bundled or not, and of its split.

    Raises:
        DataError: it is no text, cannot be read or is too short to be split.
    """
    from hpo.objectives.text.corpus import open_corpus

    return open_corpus(spec, split_seed).notes


def documents_of(spec: Any, path: Path) -> list[str]:
    """Documents of another file, read as those of a corpus are; see ``objectives.text.corpus``."""
    from hpo.objectives.text import corpus

    return list(corpus.documents_of(corpus.how_read(spec), path))


def read(options: Mapping[str, Any]) -> Source:
    """Say what to do instead: a text has no rows.

    Raises:
        DataError: always.
    """
    raise DataError(texts.no_rows(texts.texts({"text": options}).name))
