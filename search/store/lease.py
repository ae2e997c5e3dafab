"""Who may write a study in a file: a lock of the kernel, gone when its process dies however it dies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

from hpo.search.store.location import unwritable
from hpo.search.terms.errors import UserError

_PATIENCE = 0.3  # seconds; `holder` and the journal look at a lock by taking it for an instant


class Lease:
    """The right of one process to write one study, taken on construction.

    The lock file lies in a hidden folder beside the store; it is empty of meaning when nobody holds its lock.

    Raises:
        UserError: another process runs the study, or the folder is missing or not ours to write.
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
            os.close(self._fd)
            self._fd = None


def busy(name: str, who: str) -> UserError:
    """Build the error for a study that another process runs."""
    return UserError(f"study {name!r} is being run by {who}; follow it with: hpo status {name}")


def lease_path(store: Path, name: str) -> Path:
    """Lock file of a study."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:60]
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return store.parent / ".hpo" / f"{store.name}.{readable}.{digest}.lease"


def holder(store: Path, name: str) -> str | None:
    """Say who runs a study, None when nobody does."""
    try:
        fd = os.open(lease_path(store, name), os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(os.pread(fd, 4096, 0))
    else:
        return None
    finally:
        os.close(fd)


def released(path: Path) -> int | None:
    """Take the lock of a lease whose process is gone; None when it lives, or the file is not a lease."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _locked(path: Path, store: Path) -> int | None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            path.parent.mkdir(exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(str(store), store.parent, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one who held it may have removed the file in between: the lock of a removed file is worth nothing.
            if path.exists() and os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                return None
            time.sleep(0.01)
        except FileNotFoundError:
            pass
        os.close(fd)


def _describe(text: bytes) -> str:
    try:
        told: dict[str, Any] = json.loads(text)
        since = time.localtime(told["since"])
    except (ValueError, KeyError, TypeError):
        return "another process"
    today = time.strftime("%F", since) == time.strftime("%F")
    return f"process {told['pid']} on {told['host']} since {time.strftime('%H:%M' if today else '%F %H:%M', since)}"
