"""Files of text: which of them a specification names, what is wrong with it, and the digest of what they hold.

A corpus is text for language models, ``stdlib`` or ``{text: {path: ...}}``; ``objectives/text`` reads it. Here is what
can be told without numpy and without reading the text, except for its digest.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.objectives.data.options import missing_file, mistakes, names, shares
from hpo.search.terms.errors import DataError

FEWEST_PAIRS = 258
"""Symbols of byte-level BPE without a single merge: bytes, separator and mask."""

BUNDLED = ("stdlib",)
"""Corpora known by name: the sources of the Python standard library that runs this."""

OPTIONS = {
    "path": "paths", "documents": "documents", "field": "text", "validation": "share", "test": "share or 0",
}  # fmt: skip

SHARES = (0.1, 0.1)
"""Usual shares of validation and test: a tenth of a text scores it well, and the rest is trained on."""

FOLDER = Path(".hpo") / "text"
"""Where what is made of texts is kept, beside the studies' other scratch files in the working directory."""

JSON_LINES = (".jsonl", ".jsonl.gz")
FIELD = "text"

_OTHER = {
    ".bz2": "decompress it, or recompress it with gzip",
    ".xz": "decompress it, or recompress it with gzip",
    ".zst": "decompress it, or recompress it with gzip",
    ".zip": "unpack it and name its files",
    ".parquet": "write its column of text as JSON Lines",
    ".pdf": "save it as plain text",
    ".docx": "save it as plain text",
}
"""Files that are no plain text, by their suffix, and what to do with them."""

_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
_LARGE = 32 << 20
"""Bytes from which on the digest of a file is worth keeping on disk."""
_SETTLED = 2_000_000_000
"""Nanoseconds after which a file that is written again has another time of change, whatever the file system."""

_digests: dict[str, str] = {}


@dataclass(frozen=True)
class Texts:
    """The files of a corpus, in their order.

    Attributes:
        name: what messages call it.
        paths: absolute, each once.
        documents: what a document is in plain text: ``file``, ``line`` or ``blank`` (between blank lines).
        field: of a JSON line, with the text of its document.
        validation: share of the documents, in (0, 1).
        test: share of the documents, in [0, 1).
        doubtful: whether files that are not UTF-8 are left out instead of being a mistake.
    """

    name: str
    paths: tuple[Path, ...]
    documents: str = "file"
    field: str = FIELD
    validation: float = SHARES[0]
    test: float = SHARES[1]
    doubtful: bool = False


def is_json_lines(path: Path) -> bool:
    """Whether each line of a file is a JSON object, by its name."""
    return path.name.lower().endswith(JSON_LINES)


def found_mistakes(options: Mapping[str, Any], base: Path) -> list[str]:
    """Every mistake in the options of ``text`` that can be told without reading its files."""
    found = mistakes("text", options, OPTIONS, ("path",), SHARES)
    if found:
        return found
    paths = []
    for name in names(options["path"]):
        matched = _matches(name, base)
        if not matched:
            found.append(f"data text: no file matches {name!r} in {base.absolute()}")
        paths += matched
    for path in paths:
        problem = missing_file(path)
        if path.is_dir():
            problem = f"{path} is a folder: name its files, such as {path}/*.txt or {path}/**/*.txt"
        elif not problem and path.suffix.lower() in _OTHER:
            problem = f"{path.name} is no plain text: {_OTHER[path.suffix.lower()]}"
        found += [f"data text: {problem}"] if problem else []
    if not found and options.get("field") and not any(map(is_json_lines, paths)):
        found.append(f"data text: field names a field of JSON Lines, and no file ends in {' or '.join(JSON_LINES)}")
    return found


def _title(named: Sequence[str]) -> str:
    """What messages call files and patterns."""
    first = named[0] if glob.has_magic(named[0]) else Path(named[0]).name
    return first if len(named) == 1 else f"{first} (and {len(named) - 1} more)"


def texts(spec: Any) -> Texts:
    """The files of a corpus.

    Args:
        spec: ``stdlib`` or ``{text: options}``; relative paths start from the working directory.

    Raises:
        DataError: it is no text, or has mistakes.
    """
    if spec in BUNDLED:
        return _stdlib()
    if not isinstance(spec, Mapping) or set(spec) != {"text"} or not isinstance(spec["text"], Mapping):
        raise DataError(
            f"a language model is trained on text, not on data {spec!r}: "
            "write {text: {path: FILE}}, or stdlib for the sources of the Python standard library"
        )
    options = {name: value for name, value in spec["text"].items() if value is not None}
    problems = found_mistakes(options, Path())
    if problems:
        raise DataError("\n".join(problems))
    named = names(options["path"])
    validation, test = shares(options, SHARES)
    return Texts(
        name=_title(named),
        paths=tuple(dict.fromkeys(path.resolve() for name in named for path in _matches(name, Path()))),
        documents=options.get("documents", "file"),
        field=options.get("field", FIELD),
        validation=validation,
        test=test,
    )


def digest(found: Texts) -> str:
    """Twelve hex digits that name what the files hold, in their order, whatever they are called.

    Raises:
        DataError: a file cannot be read.
    """
    return digest_of(file_digests(found.paths))


def digest_of(contents: Sequence[str]) -> str:
    """Twelve hex digits for the digests of a corpus' files."""
    return hashlib.sha256("/".join(["text", *contents]).encode()).hexdigest()[:12]


def file_digests(paths: Sequence[Path]) -> list[str]:
    """SHA-256 of each file; one that has not changed since is not read again."""
    kept = _kept()
    known, result = {**kept, **_digests}, list[str]()
    for path in paths:
        try:
            facts = path.stat()
            stamp = f"{path}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}:{facts.st_ino}"
            if stamp not in known:
                with path.open("rb") as file:
                    known[stamp] = hashlib.file_digest(file, "sha256").hexdigest()
                if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > _SETTLED:
                    _digests[stamp] = known[stamp]
                    if facts.st_size >= _LARGE:
                        kept[stamp] = known[stamp]
                        _keep(kept)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        result.append(known[stamp])
    return result


def _kept() -> dict[str, str]:
    """Digests of large files on disk; nothing where there are none or they cannot be read."""
    try:
        kept = json.loads((FOLDER / "digests.json").read_bytes())
        return {str(stamp): str(content) for stamp, content in kept.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _keep(kept: Mapping[str, str]) -> None:
    """Where it cannot be kept the file is read again."""
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        aside = FOLDER / f"digests.{os.getpid()}.tmp"
        aside.write_text(json.dumps(kept), encoding="utf-8")
        aside.replace(FOLDER / "digests.json")


def _matches(name: str, base: Path) -> list[Path]:
    """The file of a name, or those that match a pattern, in order of their names."""
    path = base / Path(name).expanduser()
    if not glob.has_magic(name) or path.exists():
        return [path]
    return sorted((Path(found) for found in glob.glob(str(path), recursive=True) if os.path.isfile(found)), key=str)


def _stdlib() -> Texts:
    """Python sources of the standard library without its tests and what was installed beside it."""
    top = Path(sysconfig.get_path("stdlib")).resolve()
    found = []
    for folder, inner, files in os.walk(top):
        inner[:] = sorted(set(inner) - _LEFT_OUT)
        found += [Path(folder, name) for name in files if name.endswith(".py")]
    if not found:
        raise DataError(f"there are no sources of the Python standard library in {top}: name a file of your own")
    return Texts("stdlib", tuple(sorted(found, key=lambda path: path.relative_to(top).as_posix())), doubtful=True)


def no_rows(name: str) -> str:
    """What to say where a text is asked for rows and a target."""
    return (
        f"{name} is text, which has no target column: train objective gpt or masked on it, "
        "or write {table: {path: ..., target: ...}} for a table with a column of text"
    )
