"""One question for every kind of trained model: what do its predictions follow from?"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hpo.objectives.models.base import Model, TextModel
from hpo.objectives.models.explain import Explanation, explain, held_out, rows_with_targets
from hpo.search.terms.errors import DataError, UserError
from hpo.search.terms.job import Task

if TYPE_CHECKING:
    from hpo.objectives.models.attention import AttentionExplanation
    from hpo.objectives.models.saliency import ImageExplanation

Explained: TypeAlias = "Explanation | ImageExplanation | AttentionExplanation"

_DOCUMENTS = 16
"""Documents of a file that are looked at, the first ones."""


def explained(model: Any, task: Task, path: Path | None = None, prompt: str | None = None) -> tuple[Explained, str]:
    """Explain a model on held-out rows, images or text.

    Args:
        model: as ``opened`` gives it.
        task: what it was trained on; its test part is taken where nothing else is named.
        path: other rows with their target, or text.
        prompt: text for a language model to read.

    Returns:
        The explanation, and in words what it is of.

    Raises:
        UserError: there is no explanation for such a model, or no rows are named.
        DataError: the rows do not fit, are too few, or are no longer there.
    """
    if isinstance(model, TextModel):
        return _text(model, task, path, prompt)
    if prompt is not None:
        raise UserError("--prompt is text for a language model to read, and this model reads rows: name a file, --data")
    if not isinstance(model, Model) or model.preparation is None:
        raise UserError("only models of tables, arrays and text of the suite's can be explained, and this is none")
    if path is not None:
        (X, targets), where = rows_with_targets(model, path), str(path)
    elif task.data is None:
        raise UserError("on which rows? name a file that holds the target: --data FILE")
    else:
        (X, targets), where = held_out(task.data, task.split_seed), "its test part"
    if model.schema.image is None:
        return explain(model, X, targets), where
    if not hasattr(model, "predictor"):
        raise DataError(
            "the model reads images and is no single network: permuting pixels one by one says nothing; of several "
            "models combined, explain one: FOLDER/members/0"
        )
    from hpo.objectives.models.saliency import explain_images

    return explain_images(model, X, targets), where  # type: ignore[arg-type]  # what has a predictor is a network


def _text(model: TextModel, task: Task, path: Path | None, prompt: str | None) -> tuple[AttentionExplanation, str]:
    from hpo.objectives.models.attention import explain_attention
    from hpo.objectives.models.language import LanguageModel
    from hpo.objectives.models.texts import documents

    assert isinstance(model, LanguageModel)

    if prompt is not None and path is not None:
        raise UserError("--prompt and --data both say what is read: give one")
    if prompt is not None:
        if not prompt.strip():
            raise UserError("--prompt is empty: give some text to read")
        return explain_attention(model, task, [prompt]), "the prompt"
    if path is None:
        return explain_attention(model, task), "its test text"
    texts = [text for _, text, _ in islice(documents(model, path), _DOCUMENTS)]
    return explain_attention(model, task, texts), str(path)
