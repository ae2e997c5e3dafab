"""Where a store is: the spellings a user may write, and what messages may show of them."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from hpo.search.terms.errors import HpoError, StoreError, UserError

_SQLITE = (".db", ".sqlite", ".sqlite3")
_JOURNAL = (".journal", ".log")
_SPELLINGS = (
    "a path ending in .db, .sqlite or .sqlite3 (SQLite), .journal or .log (Optuna journal), or postgresql://..."
)


@dataclass(frozen=True)
class Location:
    """A parsed location; ``path`` is absolute, or None without a file; PostgreSQL's ``url`` may hold a password."""

    kind: Literal["sqlite", "journal", "postgres", "memory"]
    display: str
    path: Path | None = None
    url: str = ""


def parse_location(text: str | os.PathLike[str] | None) -> Location:
    """Read a location; None stands for ``$HPO_STORAGE``, and without it for ``./hpo.db``.

    Raises:
        UserError: the spelling is unknown, or a folder stands where a file should be.
    """
    text = os.fspath(text) if text is not None else os.environ.get("HPO_STORAGE") or "hpo.db"
    if text == ":memory:":
        return Location("memory", "memory")
    scheme, colon, rest = text.partition("://")
    if colon:
        if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
            return Location("postgres", _without_password(rest), url=f"postgresql://{rest}")
        if scheme not in ("sqlite", "journal"):
            raise UserError(f"storage {scheme}://... is not supported; write {_SPELLINGS}")
        name = rest.removeprefix("/")
        if name in ("", ":memory:"):
            raise UserError(f"storage {text!r} names no file; write {scheme}:///path/to/file")
    else:
        name = text
    path = Path(name).expanduser()
    if path.is_dir():
        raise UserError(f"storage {name} is a folder; name a file in it, such as {path / 'hpo.db'}")
    kind: Literal["sqlite", "journal"]
    if scheme == "sqlite" if colon else path.suffix in _SQLITE:
        kind = "sqlite"
    elif colon or path.suffix in _JOURNAL:
        kind = "journal"
    else:
        raise UserError(f"storage {text!r}: write {_SPELLINGS}")
    return Location(kind, name, Path(os.path.abspath(path)))


def beside(location: Location) -> Path | None:
    """Folder for what belongs to a store and is no record: checkpoints, logs; None for a store in memory.

    A file's lies next to it, whatever links lead there; a server's in the working directory, under a digest of its
    address.
    """
    if location.kind == "memory":
        return None
    if location.path is not None:
        real = Path(os.path.realpath(location.path))
        return real.parent / ".hpo" / real.name
    return Path(".hpo", hashlib.sha256(location.display.encode()).hexdigest()[:12]).absolute()


def _without_password(rest: str) -> str:
    """Show server, user and database; everything else in a URL may hold a secret."""
    try:
        parts = urlsplit(f"postgresql://{rest}")
        user, port = parts.username, parts.port
    except ValueError:
        raise UserError(
            "storage postgresql://...: not a URL; write postgresql://user:password@host:5432/name"
        ) from None
    query = dict(parse_qsl(parts.query))
    host = parts.hostname or query.get("host", "")
    user = user or query.get("user")
    return f"postgresql://{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}{parts.path}"


def unwritable(store: str, folder: Path, error: OSError) -> HpoError:
    """What is told when a store's files cannot be made in their folder."""
    if isinstance(error, PermissionError):
        return UserError(f"{store}: no permission to write in the folder {folder}")
    if isinstance(error, (FileNotFoundError, NotADirectoryError)) and not folder.is_dir():
        return UserError(f"{store}: there is no folder {folder}")
    told = f"{store}: nothing can be written in the folder {folder}: {error.strerror}"
    return UserError(told) if error.errno in (errno.ENOENT, errno.EROFS) else StoreError(told)
