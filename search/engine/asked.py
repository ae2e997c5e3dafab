"""Hearing that somebody asks for a study to be stopped: `hpo stop`, here or on another machine, by way of the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hpo.search.engine.watch import Watch
from hpo.search.store import Store
from hpo.search.terms.errors import HpoError

_LOOK = 2.0
"""Seconds between two looks: the price of one is an open file, or a connection to a server."""


@contextmanager
def listening(store: Store, name: str, watch: Watch) -> Iterator[None]:
    """Have ``watch`` told within the block, from a thread of its own: a server may take long to answer."""
    ended = threading.Event()

    def listen() -> None:
        while not ended.wait(_LOOK):
            try:
                who = store.asked_to_stop(name)
            except HpoError:  # the store is away: whoever writes it tells
                continue
            if who is not None:
                watch.ask(who)
                return

    thread = threading.Thread(target=listen, name="hpo-asked", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
