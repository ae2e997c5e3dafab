"""A language model out of its folder: what a text costs it, what it writes, what it takes hidden words for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpo.objectives.models.base import MASK, TEMPERATURE, TextModel
from hpo.objectives.models.built import Built, schema_of
from hpo.objectives.text.tokenizers import Tokenizer
from hpo.objectives.trainer.text_task import TextTask
from hpo.objectives.trainer.writing import continued
from hpo.search.terms.errors import UserError


class LanguageModel(Built, TextModel):
    """See ``TextModel`` and ``Built``.

    Attributes:
        tokenizer: between text and symbols.
        context: tokens that it sees at a time.
        schema: its classes are the symbols.
    """

    preparation = None

    def __init__(self, folder: Path, about: Mapping[str, Any], module: ModuleType) -> None:
        """Build the network of the recipe and give it its weights.

        Raises:
            UserError: weights or tokenizer are missing, damaged or do not fit.
        """
        made = about["preprocessing"]
        self.tokenizer = Tokenizer.saved(made["tokenizer"], folder)
        self.context, self.masked = int(made["context"]), bool(made["masked"])
        self.read: Mapping[str, str] = dict(made["text"])
        if self.tokenizer.symbols != about["network"]["symbols"]:
            raise UserError(
                f"{folder}: the tokenizer has {self.tokenizer.symbols} symbols and the network "
                f"{about['network']['symbols']}: one of them is not of this model"
            )
        self._task = TextTask(
            self.tokenizer, self.context, torch.device("cpu"), documents=about["network"]["documents"],
            masked=self.masked, split_seed=made["split_seed"],
        )  # fmt: skip
        self.schema = schema_of(about, None)
        self.build(folder, about, module, self._task, None)

    def __repr__(self) -> str:
        does = "finds out hidden tokens" if self.masked else "predicts the next token"
        return f"<hpo language model: {does}, {self.tokenizer.name}, context {self.context}>"

    def measured(self, texts: str | Sequence[str]) -> tuple[dict[str, float], int]:
        """See ``TextModel``."""
        documents = [texts] if isinstance(texts, str) else list(texts)
        wrong = next((text for text in documents if not isinstance(text, str)), None)
        if wrong is not None:
            raise UserError(f"a text is a str, got {type(wrong).__name__}: score takes a document or a list of them")
        if not any(documents):
            raise UserError("there is no text to score")
        part = self._task.given(documents)
        if not part.bytes:
            return dict.fromkeys(("loss", "accuracy", "bpb"), math.nan), 0
        return self.predictor.scores(part), part.bytes

    def prepare(self, text: str) -> NDArray[Any]:
        """What the network is given for the beginning of a document: its symbols, int64 [1, at most the context]."""
        symbols = np.concatenate([[self.tokenizer.separator], self.tokenizer.encode(text).astype(np.int64)])
        found: NDArray[Any] = symbols[None, : self.context]
        return found

    def generate(
        self, prompt: str = "", n: int = 256, temperature: float = TEMPERATURE, top_k: int = 0, seed: int = 0
    ) -> str:
        """See ``TextModel``."""
        if self.masked:
            raise UserError(f"a masked model does not write: fill(text) finds out what stands at {MASK}")
        for name, value, fits in (("n", n, n >= 1), ("temperature", temperature, 0 <= temperature < math.inf),
                                  ("top_k", top_k, top_k >= 0)):  # fmt: skip
            if not fits:
                raise UserError(f"{name} must be {'at least 1' if name == 'n' else '0 or more'}, got {value}")
        begun = self.tokenizer.encode(prompt).tolist()
        drawn = continued(
            self.predictor.forward(), self.tokenizer, begun, n, self.context, seed, numbers=self._task.documents,
            temperature=temperature, top_k=top_k,
        )  # fmt: skip
        return self.tokenizer.decode(np.array(drawn, np.int64))

    def fill(self, text: str) -> str:
        """See ``TextModel``."""
        if not self.masked:
            raise UserError("this model predicts the next token and fills nothing in: generate(prompt) goes on")
        if MASK not in text:
            raise UserError(f"the text has no {MASK}, which stands for a token to be found out")
        pieces = [self.tokenizer.encode(piece).astype(np.int64) for piece in text.split(MASK)]
        between = np.array([self.tokenizer.mask])
        ids = np.concatenate([pieces[0], *(part for piece in pieces[1:] for part in (between, piece))])
        return self.tokenizer.decode(self._task.filled(self.predictor.forward(), ids, self.predictor.rows))
