"""The folder that a run alone gets for its checkpoints: nothing of it outlives the run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fresh_scratch() -> Iterator[str]:
    """An empty folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="hpo-", ignore_cleanup_errors=True) as folder:
        yield folder
