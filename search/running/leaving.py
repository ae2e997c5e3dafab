"""How the command's own process ends: recorded, in time, with a message and an exit code, whatever runs in it.

The engine may end the process only where it is the command's own. In a notebook or a script that calls ``hpo.run`` the
process is the user's, and nothing here touches it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPED = 130
"""Exit code of a command that a signal stopped."""

BROUGHT_DOWN = 1
"""Exit code of a command whose objective left the process, or would not end when its time was spent."""

_LINGER = 20.0
"""Seconds that an ended command waits for threads and exit handlers that the objective has left."""

_exit = os._exit
_own: int | None = None
_stored = False
_records: list[Callable[[], None]] = []


def is_command() -> bool:
    """Whether this process is the command's own."""
    return _own == os.getpid()


@contextmanager
def own_process() -> Iterator[None]:
    """This process is the command's: signals end it with a message from now on, and its end is bounded."""
    global _own
    _own = os.getpid()
    os._exit = _objective_left  # type: ignore[assignment]
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _on_signal)
    try:
        yield
    finally:
        threading.Thread(target=_linger, name="hpo-linger", daemon=True).start()


def stores() -> None:
    """Note that what the command does is in a store from now on."""
    global _stored
    _stored = True


def told(how: str) -> str:
    """How the command was stopped, and what that means for what it has done."""
    return f"{how}; what was recorded is stored" if _stored else how


@contextmanager
def recording(record: Callable[[], None]) -> Iterator[None]:
    """Have ``record`` called before the process leaves inside the block."""
    _records.append(record)
    try:
        yield
    finally:
        _records.remove(record)


def leave(code: int, message: str, patience: float = 5.0) -> NoReturn:
    """Record for so many seconds at most, say why, and end the process without another look at what runs in it."""
    worker = threading.Thread(target=_record, daemon=True)
    worker.start()
    worker.join(patience)
    with contextlib.suppress(OSError):
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            os.write(1, b"\x1b[?25h")  # a live view hides the cursor
        os.write(2, f"hpo: {message}\n".encode(errors="replace"))
    _exit(code)


def _record() -> None:
    for record in reversed(_records):
        with contextlib.suppress(Exception):  # leaving all the same
            record()


def _on_signal(number: int, frame: FrameType | None) -> None:
    if is_command():
        leave(STOPPED, told(f"stopped by {signal.Signals(number).name}"))
    signal.signal(number, signal.SIG_DFL)  # a forked copy
    os.kill(os.getpid(), number)


def _objective_left(code: int) -> NoReturn:
    """Stand in for ``os._exit`` where the objective is in the command's process."""
    if not is_command():
        _exit(code)
    leave(
        BROUGHT_DOWN,
        f"the objective ended the process itself, by os._exit({code}); its trial is taken up when the same command is "
        "run again, and with --executor processes only a worker ends",
    )


def _linger() -> None:
    time.sleep(_LINGER)
    with contextlib.suppress(OSError):
        os.write(2, f"hpo: left {_LINGER:g} s after the end, as a thread or exit handler would not end\n".encode())
    _exit(_code)


_code = 0


def ends_with(code: int) -> int:
    """Note the exit code that the command ends with; returns it."""
    global _code
    _code = code
    return code
