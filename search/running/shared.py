"""Shared memory, through which processes of a trial hand data to one another: to the system a disk, to the user memory.

Data loaders with workers fill it, and containers have little of it: 64 MiB under Docker and Kubernetes.
"""

from __future__ import annotations

import errno
import os

SHARED = "/dev/shm"

_LITTLE = 1 << 20
"""Bytes; with less left it is full."""


def memory_full(error: BaseException) -> str:
    """What to do about an error where it says that shared memory is full; empty for any other."""
    if isinstance(error, OSError):
        named = error.filename
        here = error.errno == errno.ENOSPC and (_is_full() if named is None else str(named).startswith(f"{SHARED}/"))
    else:  # torch's own words: its files there by their beginning, and its guess about a worker that fell
        text = str(error) if isinstance(error, RuntimeError) else ""
        here = ("torch_" in text and os.strerror(errno.ENOSPC) in text) or "out of shared memory" in text
    return (
        f"shared memory ({SHARED}) is full: give the container more (docker run --shm-size 8g; in Kubernetes an "
        "emptyDir of medium Memory there), or the data loaders fewer workers"
        if here
        else ""
    )


def _is_full() -> bool:
    try:
        found = os.statvfs(SHARED)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LITTLE
