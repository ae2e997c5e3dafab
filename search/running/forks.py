"""Forked copies of a process: what goes wrong or ends well in one never speaks for the process it was copied from.

An objective may fork: a helper of its own, a data loader's workers. Such a child holds a copy of everything, the engine
included, and would report points and ends of a trial that is not its own as soon as the objective's code let it out.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_HELD: WeakSet[Any] = WeakSet()


def not_in_children(end: Any) -> None:
    """Have a forked child close its copy of this end of a pipe: whose other end is alone must be told at once."""
    _HELD.add(end)


def _let_go() -> None:
    for end in list(_HELD):
        with contextlib.suppress(OSError):
            end.close()


os.register_at_fork(after_in_child=_let_go)


def stay(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function; a child that was forked inside and comes out of it ends here, with its own exit code.

    Raises:
        BaseException: whatever the function raises, in the process that called it.
    """
    home = os.getpid()
    try:
        made = function(*arguments)
    except BaseException as error:
        if os.getpid() != home:
            _end(_code(error))
        raise
    if os.getpid() != home:
        _end(0)
    return made


def _code(error: BaseException) -> int:
    """The exit code that Python gives a process that ends by this exception; what it prints is printed."""
    if isinstance(error, (GeneratorExit, StopIteration)):
        return 0
    if not isinstance(error, SystemExit):
        with contextlib.suppress(Exception):  # the user's own exception may not even have a text
            traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{error.code}\n")
    return 1


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
