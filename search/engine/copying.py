"""Copying a study from one store to another, so that it goes on there as it would have here.

The lease of the study is held meanwhile, its records and those of its fresh runs are one unit of the target, and what
lies beside the store is there before them. So after a crash at any moment there is the whole copy or none, and the same
command makes it.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, suppress
from dataclasses import replace

from hpo.search.engine.checkpoints import copy_files, drop_files
from hpo.search.store import Snapshot, Store, attributes
from hpo.search.store.names import CONFIRM, check_name
from hpo.search.store.whole import check_absent
from hpo.search.terms.errors import HpoError, StoreError


def copy(source: Store, name: str, target: Store, new: str) -> list[Snapshot]:
    """Copy a study with its fresh runs, its checkpoints and its logs; returns what was copied, the study first.

    Args:
        source: where the study is.
        name: its name there.
        target: where the copy will be.
        new: the copy's name.

    Raises:
        UserError: there is no such study, the copy's name is taken or none, or a process runs one of the two.
        StoreError: a store cannot be read or written, or did not give back what was written; there is no copy then.
    """
    check_name(new)
    check_absent(new, new if new in target.names() else None, target.display)  # the study itself may be named
    with ExitStack() as held:
        held.enter_context(source.hold(name))
        pairs = [(name, new)]
        if name + CONFIRM in source.names():
            held.enter_context(source.hold(name + CONFIRM))
            pairs.append((name + CONFIRM, new + CONFIRM))
        studies = [(_read(source, old), called) for old, called in pairs]
        copies = [_renamed(study, called, target) for study, called in studies]

        laid = []

        def files() -> None:
            for (study, _), made in zip(studies, copies, strict=True):
                laid.append(made)
                copy_files(source, study, target, made)

        try:
            target.add(copies, files)
        except BaseException:
            with suppress(HpoError):  # a store that went away may have them all the same
                if new not in target.names():
                    for made in laid:
                        drop_files(target, made)
            raise
    return copies


def _read(store: Store, name: str) -> Snapshot:
    study = store.read(name)
    if study is None or any(trial.number != i for i, trial in enumerate(study.trials)):
        raise StoreError(
            f"study {name!r} in {store.display} has two trials of one number, which several plain Optuna workers on one"
            " file can leave; it cannot be copied as it is"
        )
    return study


def _renamed(study: Snapshot, name: str, target: Store) -> Snapshot:
    """The study under another name, and its checkpoints under another id: in one place they would be two studies'.

    The id follows from the old one, the name and the store that takes the copy, so that no two copies share one, and a
    copy which was killed is made anew over its own remains.
    """
    attrs = study.system_attrs
    if isinstance(own := attrs.get(attributes.ID), str):
        where = f"{target.display} {target.beside.resolve()}"
        attrs = {**attrs, attributes.ID: hashlib.sha256(f"{own} {name} {where}".encode()).hexdigest()[:16]}
    return replace(study, name=name, system_attrs=attrs)
