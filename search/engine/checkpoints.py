"""Where a study's trials keep their checkpoints: beside the store, under the study's id and the trial's number."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.store import Store, attributes

_ID = re.compile("[0-9a-f]{16}")


class Folders:
    """Folders of a study's trials.

    Args:
        root: the study's folder; None where the objective keeps no checkpoints.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root

    @classmethod
    def of(cls, objective: Objective, store: Store, facts: Mapping[str, Any]) -> Folders:
        """Those of a study with these stored facts; only an objective with a parameter ``checkpoint`` has any."""
        wanted = "checkpoint" in objective.signature.knobs
        return cls(_root(store, facts) if wanted else None)

    def __call__(self, number: int) -> str | None:
        """The trial's, which need not be there yet."""
        return None if self._root is None else str(self._root / str(number))

    def drop(self, number: int) -> None:
        """Remove that of a trial which has ended."""
        if self._root is not None:
            shutil.rmtree(self._root / str(number), ignore_errors=True)

    def clear(self) -> None:
        """Remove all."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)


def new_id() -> str:
    """An id for a new study."""
    return secrets.token_hex(8)


def drop_folders(store: Store, facts: Mapping[str, Any]) -> None:
    """Remove what a study that is deleted has left."""
    root = _root(store, facts)
    if root is not None:
        shutil.rmtree(root, ignore_errors=True)


def _root(store: Store, facts: Mapping[str, Any]) -> Path | None:
    own = str(facts.get(attributes.ID))
    return store.beside / "checkpoints" / own if _ID.fullmatch(own) else None  # another one might lead elsewhere
