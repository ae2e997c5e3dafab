"""The last to see to it that a command ends: a process of its own, for where Python's lock is held for good.

Code in C that does not let go of the interpreter's lock stops every thread of the command: none can record, and none
can leave. The guard looks from outside. Signals write to a pipe without that lock; what nobody reads there in time, or
a time limit that passes without word, is the end of the command.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys

from hpo.search.running.forks import not_in_children

_LATE = 2.0
"""Seconds beyond every other limit."""

_CODE = """
import os, select, signal, sys, time
told, heard, parent, grace = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
until, since = float("inf"), None
while os.getppid() == parent:
    if select.select([told], [], [], 0.2)[0]:
        words = os.read(told, 65536).decode().split()
        if not words:
            break
        until = float(words[-1])
    now = time.monotonic()
    unread = bool(select.select([heard], [], [], 0)[0])
    since = (since or now) if unread else None
    if now >= until or (since is not None and now >= since + grace):
        os.write(2, b"hpo: killed, as a step held Python's lock when its time was up; what was recorded is stored, and "
                    b"the same command goes on from here (--executor processes ends such steps)\\n")
        os.kill(parent, signal.SIGKILL)
        break
"""


class Guard:
    """Kills this process when it neither leaves nor reads its signals within ``grace`` seconds.

    ``heard`` is the end of a pipe from which this process reads its signals; the guard only looks whether it does.
    """

    def __init__(self, heard: int, grace: float) -> None:
        told, self._tell = os.pipe()
        words = [str(told), str(heard), str(os.getpid()), str(grace)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE, *words],
            pass_fds=[told, heard], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(told)
        not_in_children(self)
        self._until = math.inf

    def until(self, moment: float) -> None:
        """Say when, on the monotonic clock, the command has left or said another time."""
        if abs(moment - self._until) > 0.1 or math.isinf(moment) != math.isinf(self._until):
            self._until = moment
            with contextlib.suppress(OSError):
                os.write(self._tell, f"{moment + _LATE} ".encode())

    def close(self) -> None:
        """End the guard; in a forked child only its pipe."""
        if self._tell >= 0:
            os.close(self._tell)
            self._tell = -1

    def wait(self) -> None:
        """End the guard and wait for that."""
        self.close()
        self._process.wait()
