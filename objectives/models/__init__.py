"""Trained models in use: loaded from the folder that ``hpo train`` wrote, they predict on raw rows, or score text.

``model.json`` says by ``trained_by`` which file here opens it. What is loaded is data: no pickle is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from hpo.objectives.models.base import Model, TextModel
from hpo.objectives.models.explained import explained
from hpo.objectives.models.onnx import to_onnx
from hpo.objectives.models.predictions import Predictions
from hpo.objectives.models.texts import TextScores
from hpo.search.terms.errors import DataError, UserError

__all__ = [
    "Model", "Predictions", "TextModel", "explained", "opened", "predicted_csv", "to_onnx",
]  # fmt: skip


def opened(folder: Path, module: ModuleType | None, metric: str | None = None) -> Model | TextModel:
    """Open a saved model.

    Args:
        folder: with ``model.json`` and the weights that it describes.
        module: the objective's, which builds the network; None where none is needed.
        metric: the user's own, which may run; None where there is none, or it may not.

    Raises:
        UserError: it is no model of the suite, or another one than it says.
        DataError: what it says of its data contradicts itself.
    """
    found = _opened(folder, module)
    if isinstance(found, Model):
        found.judge = replace(found.judge, metric=metric or "")
    return found


def _opened(folder: Path, module: ModuleType | None) -> Model | TextModel:
    about = _described(folder / "model.json")
    kind = about.get("trained_by")
    try:
        if kind == "suite" and module is not None:
            if "tokenizer" in about["preprocessing"]:
                from hpo.objectives.models.language import LanguageModel

                return LanguageModel(folder, about, module)
            from hpo.objectives.models.network import NetworkModel

            return NetworkModel(folder, about, module)
        if kind == "combination":
            from hpo.objectives.models.ensemble import EnsembleModel

            return EnsembleModel(folder, about, lambda member: _of_rows(opened(member, module)))
        if kind == "scikit-learn":
            from hpo.objectives.models.estimator import EstimatorModel

            return EstimatorModel(folder, about)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{folder / 'model.json'} does not describe a model: {what}; train it again") from error
    raise UserError(f"{folder / 'model.json'} describes no model of this suite: train it again with hpo train")


def _of_rows(model: Model | TextModel) -> Model:
    if not isinstance(model, Model):
        raise ValueError("a language model is no member of a combination")
    return model


def predicted_csv(
    model: Any, path: Path, *, keep: Sequence[str] | None = None, field: str | None = None
) -> Predictions | TextScores:
    """What a model gives for a file, as pieces of CSV: a row for each of its rows, or documents.

    Args:
        model: as ``opened`` gives it, or any object with ``predict`` that takes a frame.
        path: the file.
        keep: columns or fields to copy; None for those of a table that the model does not read.
        field: of JSON Lines, with the text.

    Raises:
        DataError: the file has no fields and some are named.
    """
    if isinstance(model, TextModel):
        return TextScores(model, path, keep, field)
    if field is not None:
        raise DataError("--field names a field of JSON Lines, and this model reads rows: drop it")
    return Predictions(model, path, keep)


def _described(path: Path) -> Mapping[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(about, dict):
        raise UserError(f"{path} describes no model")
    return about
