"""Where a study's trials keep their checkpoints and logs: beside the store, or checkpoints where the study says."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.describe.objective import Objective
from hpo.search.running.places import Folder, in_words, place_of
from hpo.search.store import Snapshot, Store, attributes
from hpo.search.terms.errors import Advice, HpoError, StoreError, UserError

if TYPE_CHECKING:
    from hpo.search.store.session import Session
    from hpo.search.terms.study import Study

_ID = re.compile("[0-9a-f]{16}")


class Folders:
    """Places for the checkpoints of a study's trials.

    Args:
        root: the study's folder or location; None where the objective keeps no checkpoints.
    """

    def __init__(self, root: str | Path | None) -> None:
        self._root = None if root is None else str(root)

    @classmethod
    def of(cls, study: Study, objective: Objective, store: Store, session: Session) -> Folders:
        """Those of a stored study, which is given its id; only an objective with a parameter ``checkpoint`` has any.

        Where the study names another place than before, the checkpoints of open trials are carried there.
        """
        if "checkpoint" not in objective.signature.knobs:
            return cls(None)
        stored = session.study
        storage, key = stored._storage, stored._study_id
        facts = dict(storage.get_study_system_attrs(key))
        before = _root(store, facts)
        new = {attributes.ID: facts[attributes.ID] if before is not None else secrets.token_hex(8)}
        if study.checkpoints != facts.get(attributes.CHECKPOINTS):
            new[attributes.CHECKPOINTS] = study.checkpoints
        for name, value in new.items():
            if facts.get(name) != value:
                storage.set_study_system_attr(key, name, value)
        root = _root(store, {**facts, **new})
        if before is not None and root is not None and before != root:
            open_ = [trial for trial in stored.get_trials(deepcopy=False) if not trial.state.is_finished()]
            _carry(before, root, [trial.number for trial in open_])
        return cls(root)

    def __call__(self, number: int) -> str | None:
        """The trial's, which need not be there yet."""
        return None if self._root is None else f"{self._root}/{number}"

    def drop(self, number: int) -> None:
        """Remove that of a trial which has ended."""
        if self._root is not None:
            _clear(f"{self._root}/{number}")

    def clear(self) -> None:
        """Remove all."""
        if self._root is not None:
            _clear(self._root)


def require_place(study: Study) -> None:
    """See that something can be kept where the study says, and removed.

    Raises:
        UserError: it cannot.
    """
    if study.checkpoints is None:
        return
    place = place_of(f"{study.checkpoints}/hpo-{secrets.token_hex(8)}")
    try:
        place.live.mkdir(parents=True)
        place.keep(0, place.live)
        place.clear()
    except OSError as error:
        raise UserError(f"checkpoints cannot be kept at {study.checkpoints}: {in_words(error)}") from None
    finally:
        place.leave()


def log_of(store: Store, name: str) -> Callable[[int | str], str | None]:
    """The file that takes what each trial of a study prints: beside the store; None for a store that keeps no files.

    ``start`` in place of a trial's number is for what the objective prints when it is imported.
    """
    folder = _logs(store, name)
    return lambda number: None if folder is None else str(folder / f"{number}.log")


def drop_kept(store: Store, name: str) -> None:
    """Remove a study's logs, and what its models predict."""
    for folder in (_logs(store, name), predictions_of(store, name)):
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def predictions_of(store: Store, name: str) -> Path | None:
    """The folder for what a study's models predict: beside the store; None for a store that keeps no files."""
    return _beside(store, name, "predictions")


def _logs(store: Store, name: str) -> Path | None:
    return _beside(store, name, "logs")


def _beside(store: Store, name: str, kind: str) -> Path | None:
    """``KIND/NAME-DIGEST`` beside the store; the digest is of the whole name."""
    if not store.keeps_files:
        return None
    shown = re.sub(r"[^\w=,+-]", "-", name).encode()[:60].decode(errors="ignore")
    whole = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return store.beside / kind / f"{shown}-{whole}"


def copy_files(source: Store, study: Snapshot, target: Store, copy: Snapshot) -> None:
    """Copy what a study keeps beside its store (checkpoints, logs, predictions) to where a copy of it will keep that.

    Raises:
        StoreError: there is no room, or no right to write or read.
    """
    old, new = _root(source, study.system_attrs), _root(target, copy.system_attrs)
    files = [(read(source, study.name), read(target, copy.name)) for read in (_logs, predictions_of)]
    try:
        if new is not None:
            place_of(new).clear()
            if old is not None:
                _bring(old, new, _numbers(old, study), move=False)
        for printed, kept in files:
            if kept is not None:
                shutil.rmtree(kept, ignore_errors=True)
                if printed is not None and printed.is_dir():
                    shutil.copytree(printed, kept, symlinks=True)
    except (OSError, ValueError, HpoError, shutil.Error) as error:
        listed = error.args[0] if isinstance(error, shutil.Error) else []  # one of several, which end in a reason
        reason = str(listed[0][2]) if listed else in_words(error) if isinstance(error, OSError) else str(error)
        where = target.beside if copy.system_attrs.get(attributes.CHECKPOINTS) is None else "their place"
        told = f"checkpoints and logs of study {study.name!r} cannot be copied to {where}: {reason}"
        raise StoreError(told) from error


def _numbers(root: str, study: Snapshot) -> list[int]:
    """Trials that may have checkpoints: in a folder those that have, at a location those that have not ended."""
    place = place_of(root)
    if isinstance(place, Folder):
        return place.steps()
    return [trial.number for trial in study.trials if not trial.state.is_finished()]


def drop_files(store: Store, study: Snapshot) -> None:
    """Remove what a study keeps beside its store."""
    drop_folders(store, study.system_attrs)
    drop_kept(store, study.name)


def drop_folders(store: Store, facts: Mapping[str, Any]) -> None:
    """Remove what a study that is deleted has left."""
    root = _root(store, facts)
    if root is not None:
        _clear(root)


def _root(store: Store, facts: Mapping[str, Any]) -> str | None:
    """A study's place by its stored facts; under a name that is ours, as another one might lead elsewhere."""
    own, at = str(facts.get(attributes.ID)), facts.get(attributes.CHECKPOINTS)
    if not _ID.fullmatch(own):
        return None
    return f"{at}/hpo-{own}" if isinstance(at, str) else str(store.beside / "checkpoints" / own)


def _clear(where: str) -> None:
    try:
        place_of(where).clear()
    except (OSError, HpoError) as error:
        reason = in_words(error) if isinstance(error, OSError) else str(error)
        warnings.warn(f"checkpoints could not be removed: {reason}", Advice, stacklevel=3)


def _carry(old: str, new: str, numbers: Iterable[int]) -> None:
    """Carry checkpoints from one place to another; those already there, as of one place by two names, are left."""
    try:
        _bring(old, new, numbers, move=True)
    except (OSError, ValueError, HpoError) as error:
        reason = in_words(error) if isinstance(error, OSError) else str(error)
        text = f"earlier checkpoints could not be brought to their new place, so trials train again: {reason}"
        warnings.warn(text, Advice, stacklevel=3)


def _bring(old: str, new: str, numbers: Iterable[int], *, move: bool) -> None:
    """Copy or move trials' checkpoints; trials that have some in the new place are left."""
    for number in numbers:
        source, target = place_of(f"{old}/{number}"), place_of(f"{new}/{number}")
        steps = [] if target.steps() else source.steps()
        for step in steps:
            shutil.rmtree(source.live, ignore_errors=True)
            source.lay(step)
            target.keep(step, source.live)
        shutil.rmtree(source.live, ignore_errors=True)
        for step in steps if move else ():  # and nothing else: it may be the same folder, seen in another way
            source.drop(step)
