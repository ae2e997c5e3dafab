"""Who may write a study in a file: a lock of the kernel, gone when its process dies however it dies.

Locks and what else goes with a store lie in the hidden folder ``.hpo`` beside its file. Others may write there too,
where many share a folder: nothing in it is opened through a link, and only what is a lease is written over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shlex
import socket
import stat
import time
from pathlib import Path
from typing import Any

from hpo.search.store.location import unwritable
from hpo.search.store.private import close_private, open_private
from hpo.search.terms.errors import Busy, UserError

_PATIENCE = 0.3  # seconds that one who has the lease may take to let it go
_LOOK = 60.0  # seconds; `holder` looks at a lock by taking it for an instant, in which it may be stopped
_OPENING = b'{"pid"'


class Lease:
    """The right of one process to write one study, taken on construction; forked children do not share it.

    The lock file is empty of meaning when nobody holds its lock.

    Args:
        store: the store's file by its real path, see ``location.real_path``.
        name: the study's.

    Raises:
        Busy: another process runs the study.
        UserError: the folder is missing or not ours to write.
        StoreError: nothing can be written in the folder for another reason, such as a full disk.
    """

    def __init__(self, store: Path, name: str) -> None:
        self.path = lease_path(store, name)
        self._fd = _locked(self.path, store)
        if self._fd is None:
            raise busy(name, holder(store, name) or "another process")
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def close(self) -> None:
        """Let other processes run the study; safe to call twice."""
        if self._fd is not None:
            self.path.unlink(missing_ok=True)  # still locked: nobody else can have made it theirs
            close_private(self._fd)
            self._fd = None


def busy(name: str, who: str) -> Busy:
    """Build the error for a study that another process runs."""
    return Busy(f"study {name!r} is being run by {who}; follow it with: hpo status {shlex.quote(name)}")


def lease_path(store: Path, name: str) -> Path:
    """Lock file of a study."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:60]
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    beginning = os.fsdecode(os.fsencode(store.name)[:120])  # a file's name has 255 bytes at most
    return store.parent / ".hpo" / f"{beginning}.{readable}.{digest}.lease"


def holder(store: Path, name: str) -> str | None:
    """Say who runs a study, None when nobody does."""
    try:
        fd = open_side_file(lease_path(store, name), os.O_RDONLY)
    except OSError:  # there is none, or what is there is no lease
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(os.pread(fd, 4096, 0))
    else:
        return None
    finally:
        close_private(fd)


def open_side_file(path: Path, flags: int) -> int:
    """Open a file in the folder ``.hpo``, made where ``flags`` say so; close it with ``close_private``.

    Raises:
        OSError: neither the folder nor the file may be a link, and the file is a plain one of a single name.
    """
    if flags & os.O_CREAT:
        path.parent.mkdir(exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fd = open_private(path.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, folder=folder)
    finally:
        os.close(folder)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        close_private(fd)
        raise OSError(errno.ELOOP, "is a link or no plain file", str(path))
    return fd


def refused(path: Path, store: str, folder: Path, error: OSError) -> Exception:
    """What is told when a file in the folder ``.hpo`` cannot be opened."""
    planted = next((place for place in (path.parent, path) if place.is_symlink()), path)
    if error.errno == errno.ELOOP or planted.is_symlink():
        return UserError(f"{store}: {planted} is a link or no plain file, so it is left alone; remove it")
    return unwritable(store, folder, error)


def _locked(path: Path, store: Path) -> int | None:
    began = time.monotonic()
    while True:
        try:
            fd = open_side_file(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise refused(path, str(store), store.parent, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one who held it may have removed the file in between: the lock of a removed file is worth nothing.
            if os.path.samestat(os.fstat(fd), os.lstat(path)):
                if not _OPENING.startswith(os.pread(fd, len(_OPENING), 0).strip(b"\0")):
                    close_private(fd)
                    raise UserError(f"{store}: {path} is not a lease, so it is left alone; remove it")
                return fd
        except BlockingIOError:
            if time.monotonic() > began + (_PATIENCE if _taken(fd) else _LOOK):
                close_private(fd)
                return None
            time.sleep(0.01)
        except FileNotFoundError:
            pass
        close_private(fd)


def _taken(fd: int) -> bool:
    """Whether somebody has a lease, and does not only look at it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _describe(text: bytes) -> str:
    try:
        told: dict[str, Any] = json.loads(text)
        since = time.localtime(told["since"])
        who = f"process {int(told['pid'])} on {ascii(str(told['host'])[:80])[1:-1]}"
    except (ValueError, KeyError, TypeError, OverflowError):
        return "another process"
    today = time.strftime("%F", since) == time.strftime("%F")
    return f"{who} since {time.strftime('%H:%M' if today else '%F %H:%M', since)}"
