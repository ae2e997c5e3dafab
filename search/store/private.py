"""Descriptors that belong to this process alone, not to the children that an objective forks.

A lock of the kernel lives as long as any copy of the descriptor that took it, and a server's session as long as its
connection. A forked helper, such as a data loader's worker, has copies of both and may outlive the search. So in each
forked child these descriptors are replaced by the null device: their numbers stay taken, whoever closes them closes
nothing of another's, and nothing is sent. Programs that are started inherit none of them.
"""

from __future__ import annotations

import contextlib
import os
import threading

_guard = threading.RLock()  # no fork between a descriptor's opening and its entry here
_descriptors: dict[int, tuple[int, int]] = {}  # device and inode: a number may be given to another file


def open_private(path: str | os.PathLike[str], flags: int, mode: int = 0o666, *, folder: int | None = None) -> int:
    """Open a file as ``os.open`` does; ``folder`` is a descriptor that ``path`` starts from. OSError as there."""
    with _guard:
        fd = os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=folder)
        _descriptors[fd] = _identity(fd)
    return fd


def adopt(fd: int) -> None:
    """Keep a descriptor that something else has opened, and will close after ``forget``."""
    with _guard:
        _descriptors[fd] = _identity(fd)


def forget(fd: int) -> None:
    """Say that a descriptor is about to be closed by its owner."""
    with _guard:
        _descriptors.pop(fd, None)


def close_private(fd: int) -> None:
    """Close a descriptor that ``open_private`` gave."""
    with _guard:
        _descriptors.pop(fd, None)
        os.close(fd)


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _in_child() -> None:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd, identity in _descriptors.items():
        with contextlib.suppress(OSError):  # closed by a library that has lost its server
            if _identity(fd) == identity:
                os.dup2(null, fd, inheritable=False)
    os.close(null)
    _descriptors.clear()
    _guard.release()


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_in_child)
