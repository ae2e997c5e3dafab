"""A study as a whole: as the changes that make it anew, and told apart from another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hpo.search.store.changes import Changes, Snapshot
from hpo.search.store.names import shown
from hpo.search.store.recorder import Recorder
from hpo.search.terms.errors import StoreError, UserError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def changes_of(study: Snapshot) -> Changes:
    """The changes that make a study where there is none."""
    recorder = Recorder(study, new=True)
    recorder.rebase(study.trials)
    return recorder.changes


def check_absent(name: str, found: object, display: str) -> None:
    """Refuse to add a study whose name is taken.

    Args:
        name: the study's.
        found: what the store has under this name; None for nothing.
        display: the store, as messages show it.

    Raises:
        UserError: there is something.
    """
    if found is not None:
        raise UserError(f"there is a study {shown(name)} in {display} already; give the new one another name")


def check_same(study: Snapshot, found: Snapshot | None, display: str) -> None:
    """Compare a study with what a store reads back of it.

    Raises:
        StoreError: they differ.
    """
    where = "all of it" if found is None else _difference(study, found)
    if where:
        raise StoreError(f"{display} does not give study {shown(study.name)} back as it was written: {where} differs")


def _difference(study: Snapshot, other: Snapshot) -> str:
    for what, one, two in (
        ("the name", study.name, other.name),
        ("a goal", study.directions, other.directions),
        ("an attribute", _text(study.user_attrs), _text(other.user_attrs)),
        ("an attribute of Optuna", _text(study.system_attrs), _text(other.system_attrs)),
        ("the number of trials", len(study.trials), len(other.trials)),
    ):
        if one != two:
            return what
    pairs = zip(study.trials, other.trials, strict=True)
    return next((f"trial {one.number}" for one, two in pairs if _facts(one) != _facts(two)), "")


def _facts(trial: FrozenTrial) -> tuple[Any, ...]:
    """Everything of a trial, as text where numbers may be NaN."""
    return (
        trial.number,
        trial.state,
        trial.datetime_start,
        trial.datetime_complete,
        [_number(value) for value in trial.values or ()],
        {name: _number(trial.distributions[name].to_internal_repr(value)) for name, value in trial.params.items()},
        trial.distributions,
        {int(step): _number(value) for step, value in trial.intermediate_values.items()},
        _text(trial.user_attrs),
        _text(trial.system_attrs),
    )


def _number(value: float) -> str:
    return repr(float(value) + 0.0)  # SQLite keeps no negative zero


def _text(attrs: dict[str, Any]) -> str:
    return json.dumps(attrs, sort_keys=True)
