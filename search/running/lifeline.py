"""Child processes that do not outlive the one that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hpo.search.running.forks import not_in_children


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere a broken pipe ends it later).

    ``parent`` is the process id the parent had when it started this one: where it is another now, it died before the
    kernel was asked. The kernel takes the thread that started this process for the parent: if that ends, so does this.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def group_dies_with_us(group: int) -> Iterator[None]:
    """Have a process group killed when this process dies inside the block, however it dies.

    The kernel tells a child of its parent's death, but not the children of that child. A shell waits on a pipe that
    only this process holds open: a line on it means that all went well, its end that this process is no more.
    """
    watch = subprocess.Popen(
        ["/bin/sh", "-c", f"read line || kill -s KILL -- -{group}"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    not_in_children(watch.stdin)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            watch.communicate(b"\n")


def swept_after_us(folder: str) -> None:
    """Lead a process group from now on; when this process is no more, what is left of the group and a folder go too.

    However it dies: a shell of its own waits on a pipe that only this process holds open.
    """
    with contextlib.suppress(OSError):  # it leads a session, and with it its group
        os.setpgid(0, 0)
    watch = subprocess.Popen(
        ["/bin/sh", "-c", 'read line; kill -s KILL -- "-$0"; rm -rf -- "$1"', str(os.getpid()), folder],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    not_in_children(watch.stdin)
    _watches.append(watch)


_watches: list[subprocess.Popen[bytes]] = []
