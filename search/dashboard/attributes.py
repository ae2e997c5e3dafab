"""Notes and plots in the study attributes that optuna-dashboard reads, written without importing it.

Format of optuna-dashboard 0.21: texts of at most 2045 characters under ``dashboard:note_str:<i>`` and
``dashboard:plot_data:<id>:<i>``, joined in order; surplus ones are empty. The note has a version, by which the
dashboard notices that two people edit it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study

_LENGTH = 2045
_NOTE = "dashboard:note_str:"
_VERSION = "dashboard:note_ver"
_OURS = "hpo:note"
"""Attribute with the digest of the note as the suite wrote it, by which a note edited by a person is known."""


def save_note(study: Study, text: str) -> None:
    """Set the study's Markdown note, unless a person has edited it; an emptied note is written again."""
    attrs = _attrs(study)
    present = _joined(attrs, _NOTE)
    if present == text or (present and _digest(present) != attrs.get(_OURS)):
        return
    _set(study, _VERSION, attrs.get(_VERSION, 0) + 1)
    _save(study, _NOTE, text)
    _set(study, _OURS, _digest(text))


def save_plot(study: Study, name: str, figure: Mapping[str, Any]) -> None:
    """Set a plot of the study: a plotly figure as plain data; ``name`` is an HTML id."""
    _save(study, f"dashboard:plot_data:{name}:", json.dumps(figure, separators=(",", ":"), allow_nan=False))


def _save(study: Study, prefix: str, text: str) -> None:
    chunks = [text[start : start + _LENGTH] for start in range(0, len(text), _LENGTH)]
    attrs = _attrs(study)
    surplus = sum(key.startswith(prefix) for key in attrs) - len(chunks)
    for i, chunk in enumerate(chunks + [""] * surplus):
        if attrs.get(f"{prefix}{i}") != chunk:
            _set(study, f"{prefix}{i}", chunk)


def _joined(attrs: Mapping[str, Any], prefix: str) -> str:
    count = sum(key.startswith(prefix) for key in attrs)
    return "".join(attrs[f"{prefix}{i}"] for i in range(count))


def _attrs(study: Study) -> Mapping[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def _set(study: Study, key: str, value: Any) -> None:
    study._storage.set_study_system_attr(study._study_id, key, value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
