"""Waiting for a lock that the kernel keeps: as long as its holder lives, and not in silence."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from hpo.search.terms.errors import Advice

TELL = 5.0
"""Seconds of waiting after which the user is told."""


def wait_for(attempt: Callable[[], bool], what: str, files: Iterable[Path]) -> None:
    """Try until an attempt succeeds; tell once who is in the way.

    A lock of the kernel ends with its process, so whoever holds it lives, even if it was stopped: to break the lock
    would let two write at once.

    Args:
        attempt: tries to take the lock and says whether it did.
        what: the store, as messages show it.
        files: those whose locks stand for it.
    """
    began, told, pause = time.monotonic(), False, 0.001
    while not attempt():
        if not told and time.monotonic() - began > TELL:
            told = True
            who = _holders(files)
            warnings.warn(
                f"{what}: waiting for {who or 'another program'} to finish writing; if it was stopped, let it go on"
                f"{f' (kill -CONT {who.split()[1]})' if who else ''} or end it",
                Advice,
                stacklevel=2,
            )
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _holders(files: Iterable[Path]) -> str | None:
    """The process that holds a write lock on one of the files, where the kernel tells (Linux, this machine)."""
    inodes = set()
    for file in files:
        try:
            inodes.add(str(os.stat(file).st_ino))
        except OSError:
            continue
    try:
        listed = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    for line in listed:  # 1: FLOCK  ADVISORY  WRITE 4711 08:01:12345 0 EOF
        words = line.split()
        if len(words) >= 6 and words[3] == "WRITE" and words[5].rpartition(":")[2] in inodes:
            pid = words[4]
            if pid.isdigit() and int(pid) not in (0, os.getpid()):
                return f"process {pid}"
    return None
