"""Standing by: a command that waits for a study which another process runs, and takes it over.

It goes by the lease alone, so it holds for every kind of store. What takes over is the same command as any other: it
goes on from what is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hpo.search.engine.watch import Watch
from hpo.search.store import Store
from hpo.search.terms.errors import Interrupted, Unreachable

LOOK = 2.0
"""Seconds between two looks at the lease."""

_TICK = 0.1


def stand_by(store: Store, name: str, watch: Watch, say: Callable[[str], None], reason: str = "") -> None:
    """Wait until nobody runs a study and its store can be reached, and let the budget's time begin then.

    Args:
        store: where the study lives.
        name: the study's.
        watch: hears signals meanwhile.
        say: is told once for whom or what is waited, and again when that changes.
        reason: why an attempt before this one ended; another look is taken after a pause only.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP.
        UserError: the store cannot be used.
    """
    told = ""
    reason = reason or _in_the_way(store, name)
    while reason:
        if (who := _asked(store, name)) is not None:
            raise Interrupted(f"stopped by {who} while standing by; the same command stands by again")
        if reason != told:
            say(f"standing by: {reason}")
            told = reason
        _pause(watch)
        reason = _in_the_way(store, name)
    watch.begin()


def _asked(store: Store, name: str) -> str | None:
    """Who asks that the study be stopped; None where nobody does, or the store cannot be reached."""
    try:
        return store.asked_to_stop(name)
    except Unreachable:
        return None


def _in_the_way(store: Store, name: str) -> str:
    """What there is to wait for; nothing where the study can be run."""
    try:
        who = store.running(name)
    except Unreachable as error:
        return str(error)
    return f"study {name!r} is being run by {who}" if who else ""


def _pause(watch: Watch) -> None:
    until = time.monotonic() + LOOK
    while time.monotonic() < until:
        if watch.stop:
            raise Interrupted("stopped while standing by; the same command stands by again")
        time.sleep(_TICK)
