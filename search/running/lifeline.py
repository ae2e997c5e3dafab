"""Child processes that do not outlive the one that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
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


_USERS = """
for one in /proc/[0-9]*; do
    [ "$one" = "/proc/$1" ] && continue
    case "$(ls -l "$one/fd" 2>/dev/null)" in *" -> $0/"*) kill -s KILL "${one#/proc/}" ;; esac
done
"""
"""Ends what has a file of the folder ``$0`` open, but for the process ``$1`` (Linux; elsewhere nothing)."""


def folder_goes_with_us(folder: str) -> Callable[[], None]:
    """Have a folder removed, and first whatever process has a file in it ended, when this process is no more.

    For what works in a folder and is nobody's child any more. However this process dies: a shell of its own waits on
    a pipe that only this process holds open.

    Returns:
        What does it now, and returns when it is done.
    """
    watch = subprocess.Popen(
        ["/bin/sh", "-c", f'read line; {_USERS} rm -rf -- "$0"', os.path.realpath(folder), str(os.getpid())],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    not_in_children(watch.stdin)

    def sweep() -> None:
        watch.communicate()

    return sweep


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
