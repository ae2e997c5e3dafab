"""Where a store is: the spellings a user may write, and what messages may show of them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hpo.search.store.server import Server, parse_server
from hpo.search.terms.errors import HpoError, StoreError, UserError

_SQLITE = (".db", ".sqlite", ".sqlite3")
_JOURNAL = (".journal", ".log")
_SPELLINGS = (
    "a path ending in .db, .sqlite or .sqlite3 (SQLite), .journal or .log (Optuna journal), or postgresql://..."
)
_ALMOST_URL = re.compile(r"\s*(postgres|sqlite|journal|mysql|mariadb|redis)[\w+]*(:|//)", re.IGNORECASE)
_PLAIN = re.compile(r"[\w./~+ -]{1,200}")


@dataclass(frozen=True)
class Location:
    """A parsed location; ``path`` is absolute, or None without a file; ``server`` is where a PostgreSQL database is."""

    kind: Literal["sqlite", "journal", "postgres", "memory"]
    display: str
    path: Path | None = None
    server: Server | None = field(default=None, repr=False)


def parse_location(text: str | os.PathLike[str] | None) -> Location:
    """Read a location; None stands for ``$HPO_STORAGE``, and without it for ``./hpo.db``.

    What cannot be read is not repeated: it may be a URL with a password in it.

    Raises:
        UserError: the spelling is unknown, or something other than a file stands where a file should be.
    """
    text = os.fsdecode(text) if text is not None else os.environ.get("HPO_STORAGE") or "hpo.db"
    if text == ":memory:":
        return Location("memory", "memory")
    if not text.strip():
        raise UserError(f"storage is empty; write {_SPELLINGS}")
    scheme, colon, rest = text.partition("://")
    if colon:
        if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
            server = parse_server(rest)
            return Location("postgres", server.display, server=server)
        if scheme not in ("sqlite", "journal"):
            known = f" {scheme}://..." if re.fullmatch(r"[A-Za-z][A-Za-z0-9+-]{0,30}", scheme) else ""
            raise UserError(f"storage{known} is not supported; write {_SPELLINGS}")
        name = rest.removeprefix("/")
        if name in ("", ":memory:"):
            raise UserError(f"storage {scheme}://... names no file; write {scheme}:///path/to/file")
    elif _ALMOST_URL.match(text):
        raise UserError(f"storage: a URL has :// behind its first word; write {_SPELLINGS}")
    else:
        name = text
    path = _absolute(name)
    kind: Literal["sqlite", "journal"]
    if scheme == "sqlite" if colon else path.suffix in _SQLITE:
        kind = "sqlite"
    elif colon or path.suffix in _JOURNAL:
        kind = "journal"
    else:
        _check_file(path, name)  # a folder is told apart from a file of another ending
        raise UserError(f"storage{f' {text!r}' if _PLAIN.fullmatch(text) else ''}: write {_SPELLINGS}")
    _check_file(path, name)
    return Location(kind, _shown(name), path)


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


def _absolute(name: str) -> Path:
    try:
        path = Path(os.path.abspath(Path(name).expanduser()))
        os.fsencode(path)
        os.lstat(path)
    except RuntimeError:
        raise UserError(f"storage {_shown(name)}: there is no home folder of that name; write the whole path") from None
    except (ValueError, UnicodeEncodeError):
        raise UserError(f"storage {_shown(name)}: a file cannot be called that") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(f"storage {_shown(name)}: this name is too long; name the file shorter") from None
    return path


def _check_file(path: Path, name: str) -> None:
    """Refuse what is no file; one that is missing, or behind a folder closed to us, is told of when it is opened."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"storage {_shown(name)} is a link that leads to itself; name another file") from None
        return
    if stat.S_ISDIR(mode):
        example = _shown(os.path.join(name, "hpo.db"))
        raise UserError(f"storage {_shown(name)} is a folder; name a file in it, such as {example}")
    if not stat.S_ISREG(mode):
        raise UserError(f"storage {_shown(name)} is a device or pipe, not a file; name another file")


def _shown(name: str) -> str:
    """A path as messages may show it: on one line, and not too long."""
    visible = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
    return visible if len(visible) <= 300 else f"{visible[:60]}…"


def real_path(path: Path, display: str, *, write: bool) -> Path:
    """The one path of a store's file, however it is reached: what is kept beside the file goes by its name.

    Symbolic links are followed. A file of several names (hard links) counts under the name that is in use, else the
    first, as long as all are in one folder.

    Args:
        path: as it was given.
        display: the store, as messages show it.
        write: the file is to be written, so what is kept beside it must be found under each of its names.

    Raises:
        UserError: it is to be written, and has names in other folders or is mounted by itself.
    """
    path = Path(os.path.realpath(path))
    try:
        found = os.stat(path)
        if found.st_nlink > 1:
            names = sorted(other for other in path.parent.iterdir() if os.path.samestat(os.lstat(other), found))
            if len(names) == found.st_nlink:
                return next((name for name in names if _in_use(name)), names[0])
    except OSError:  # missing, or in a folder closed to us
        return path
    if write and found.st_nlink > 1:
        raise UserError(
            f"{display}: the file has {found.st_nlink} names (hard links) in several folders, and what is written"
            " beside it is found under one of them only; remove the other names, or make them symbolic links"
        )
    if write and _mounted_by_itself(path):
        raise UserError(
            f"{display}: the file is mounted by itself, and what is written beside it is not seen from elsewhere;"
            " mount its folder"
        )
    return path


def _in_use(path: Path) -> bool:
    """Whether something is kept beside a file under this of its names: SQLite's files, or a lease."""
    beside = path.parent / ".hpo"
    leases = [found.name for found in beside.iterdir() if found.suffix == ".lease"] if beside.is_dir() else []
    return any(os.path.exists(f"{path}{ending}") for ending in ("-wal", "-journal")) or any(
        lease.startswith(f"{path.name}.") for lease in leases
    )


def _mounted_by_itself(path: Path) -> bool:
    """Whether a file is a mount point, as containers have them; where the kernel does not tell, it is not."""
    try:
        listed = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    place = os.fsencode(path)
    for letter in b"\\ \t\n":  # as the kernel writes them there
        place = place.replace(bytes([letter]), b"\\%03o" % letter)
    return any(line.split(b" ")[4:5] == [place] for line in listed)


def unwritable(store: str, folder: Path, error: OSError) -> HpoError:
    """What is told when a store's files cannot be made in their folder."""
    if isinstance(error, PermissionError):
        return UserError(f"{store}: no permission to write in the folder {folder}")
    if isinstance(error, (FileNotFoundError, NotADirectoryError)) and not folder.is_dir():
        return UserError(f"{store}: there is no folder {folder}")
    told = f"{store}: nothing can be written in the folder {folder}: {error.strerror}"
    return UserError(told) if error.errno in (errno.ENOENT, errno.EROFS) else StoreError(told)
