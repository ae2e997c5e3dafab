"""Where a study's trials keep their checkpoints and logs: beside the store."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.describe.objective import Objective
from hpo.search.store import Snapshot, Store, attributes
from hpo.search.terms.errors import StoreError

if TYPE_CHECKING:
    from hpo.search.store.session import Session

_ID = re.compile("[0-9a-f]{16}")


class Folders:
    """Folders of a study's trials.

    Args:
        root: the study's folder; None where the objective keeps no checkpoints.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root

    @classmethod
    def of(cls, objective: Objective, store: Store, session: Session) -> Folders:
        """Those of a stored study, which is given its id; only an objective with a parameter ``checkpoint`` has any."""
        if "checkpoint" not in objective.signature.knobs:
            return cls(None)
        stored = session.study
        facts = stored._storage.get_study_system_attrs(stored._study_id)
        if _root(store, facts) is None:
            facts = {attributes.ID: secrets.token_hex(8)}
            stored._storage.set_study_system_attr(stored._study_id, attributes.ID, facts[attributes.ID])
        return cls(_root(store, facts))

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


def log_of(store: Store, name: str) -> Callable[[int | str], str | None]:
    """The file that takes what each trial of a study prints: beside the store; None for a store that keeps no files.

    ``start`` in place of a trial's number is for what the objective prints when it is imported.
    """
    folder = _logs(store, name)
    return lambda number: None if folder is None else str(folder / f"{number}.log")


def drop_logs(store: Store, name: str) -> None:
    """Remove a study's logs."""
    folder = _logs(store, name)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _logs(store: Store, name: str) -> Path | None:
    """``logs/NAME-DIGEST`` beside the store; the digest is of the whole name."""
    if not store.keeps_files:
        return None
    shown = re.sub(r"[^\w=,+-]", "-", name).encode()[:60].decode(errors="ignore")
    whole = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return store.beside / "logs" / f"{shown}-{whole}"


def copy_files(source: Store, study: Snapshot, target: Store, copy: Snapshot) -> None:
    """Copy what a study keeps beside its store, checkpoints and logs, to where a copy of it will keep that.

    Raises:
        StoreError: there is no room, or no right to write or read.
    """
    pairs = [
        (_root(source, study.system_attrs), _root(target, copy.system_attrs)),
        (_logs(source, study.name), _logs(target, copy.name)),
    ]
    try:
        for old, new in pairs:
            if new is not None:
                shutil.rmtree(new, ignore_errors=True)
                if old is not None and old.is_dir():
                    shutil.copytree(old, new, symlinks=True)
    except (OSError, shutil.Error) as error:
        listed = error.args[0] if isinstance(error, shutil.Error) else []  # one of several, which end in a reason
        reason = str(listed[0][2] if listed else error.strerror or error)
        raise StoreError(
            f"checkpoints and logs of study {study.name!r} cannot be copied to {target.beside}: {reason}"
        ) from error


def drop_files(store: Store, study: Snapshot) -> None:
    """Remove what a study keeps beside its store."""
    drop_folders(store, study.system_attrs)
    drop_logs(store, study.name)


def drop_folders(store: Store, facts: Mapping[str, Any]) -> None:
    """Remove what a study that is deleted has left."""
    root = _root(store, facts)
    if root is not None:
        shutil.rmtree(root, ignore_errors=True)


def _root(store: Store, facts: Mapping[str, Any]) -> Path | None:
    own = str(facts.get(attributes.ID))
    return store.beside / "checkpoints" / own if _ID.fullmatch(own) else None  # another one might lead elsewhere
