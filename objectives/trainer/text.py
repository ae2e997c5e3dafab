"""Text as a cohort trains on it: rows of tokens gathered from a memory-mapped file, scored in bits per byte.

A sample is a row of ``context`` tokens. Of a stream, each pass over the data begins at a place of its own, so that
tokens stand at other places of their rows from pass to pass; of packed documents the rows are fixed. What a masked
language model does not see follows from a word per row: from seed, pass and row, or, where masks are static, from seed
and row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpo.objectives.text import masking, packing
from hpo.objectives.text.corpus import how_read, open_corpus
from hpo.objectives.text.mixing import mixed
from hpo.objectives.text.packing import Batch, Rows, Stream, Truncate
from hpo.objectives.text.tokenizers import Tokenized, Tokens, tokenize
from hpo.objectives.trainer.tensors import FEW
from hpo.objectives.trainer.text_recipe import Pack, TextRecipe
from hpo.objectives.trainer.text_task import Array, Masking, ScoredPart, TextTask
from hpo.objectives.trainer.writing import found_out, written
from hpo.search.terms.recipe import derive_seed

TESTED = 1 << 18
"""Bytes of test text that a model is scored on: enough for 0.01 bits per byte, and no more time than training took."""


@dataclass(frozen=True, eq=False)
class TextSplits:
    """Text that an objective's ``data`` returns.

    Attributes:
        tokenized: the corpus as numbers.
        context: tokens of a row.
        pack: rows of a stream, of whole documents that do not see one another, or of one document each.
        truncate: what becomes of documents longer than the context.
        score_bytes: how much of the validation text each point is scored on; 0 for all of it.
        masking: of masked language models; None where the next token is to be predicted.
        split_seed: of the split; the validation part's masks follow from it too.
        text: how documents are found in files, ``documents`` and ``field`` as the study names them.
    """

    tokenized: Tokenized
    context: int
    pack: Pack = "stream"
    truncate: Truncate = "window"
    score_bytes: int = 0
    masking: Masking | None = None
    split_seed: int = 0
    text: Mapping[str, str] = field(default_factory=dict)

    labels = ()
    prepare = None
    reported = False

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What was done to the text, as plain JSON data."""
        tokenized = self.tokenized
        return {
            "tokenizer": tokenized.name, "symbols": tokenized.symbols, "tokens": tokenized.digest,
            "context": self.context, "pack": self.pack, "truncate": self.truncate, "split_seed": self.split_seed,
            "masked": self.masking is not None, "text": self.text,
        }  # fmt: skip

    @classmethod
    def of(cls, recipe: TextRecipe, masking: Masking | None = None) -> TextSplits:
        """Number the text of a recipe.

        Raises:
            DataError: it cannot be read, or is too little to be split.
            UserError: there is no such tokenizer, or its vocabulary is too small.
        """
        spec = "stdlib" if recipe.data is None else recipe.data
        corpus = open_corpus(spec, recipe.split_seed)
        return cls(
            tokenize(corpus, recipe.tokenizer, recipe.vocabulary), recipe.context, recipe.pack, recipe.truncate,
            recipe.score_bytes, masking, recipe.split_seed, how_read(spec),
        )  # fmt: skip

    def on(self, device: torch.device) -> TextData:
        """The same, to be gathered for a device; see ``TextData``."""
        return TextData(self, device)


class TextPart:
    """Rows of training, as the trainer draws them."""

    def __init__(self, data: TextData, tokens: Tokens) -> None:
        """Lay out the rows.

        Raises:
            UserError: there is less text than a row takes.
        """
        splits = data.splits
        self._data = data
        self._masking = splits.masking
        self._static = splits.masking is not None and splits.masking.static
        self._rows = data.rows(tokens)
        self._count = len(self._rows)
        if isinstance(self._rows, Stream) and not self._static:  # so many there are whatever the phase
            self._count = self._rows.samples(splits.context - 1)

    def __len__(self) -> int:
        return self._count

    def locate(self, seed: int, passes: Array, index: Array) -> tuple[Array, Array | None]:
        """Where the rows begin in a stream, or which rows they are; and the word that each one's masks follow from."""
        words = mixed(derive_seed(seed, "masks"), index)
        if not self._static:
            words = mixed(words, passes)
        at = index
        if isinstance(self._rows, Stream):
            at = self._rows.offsets(index, 0 if self._static else self._phases(seed, passes))
        return at, None if self._masking is None else words

    def weights(self, index: Array, keys: Array | None, length: int) -> Array:
        """Targets of each row among its first ``length`` tokens (0: all), of the shape of ``index``."""
        flat, words = index.reshape(-1), None if keys is None else keys.reshape(-1)
        if words is None and not length:
            return np.asarray(self._rows.targets_in(flat)).reshape(index.shape)
        found = np.empty(len(flat), np.int64)
        for start in range(0, len(flat), _COUNTED):
            here = slice(start, start + _COUNTED)
            if words is not None and not length:
                found[here] = self._data.hidden(self._gather(flat[here]), words[here])
                continue
            targets = self._batch(flat[here], None if words is None else words[here]).targets
            found[here] = (targets[:, :length] >= 0).sum(axis=1)
        return found.reshape(index.shape)

    def read(self, index: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        """Inputs [m, context], or [m, 2, context] with documents, and targets [m, context]."""
        words = None if keys is None else keys.cpu().numpy().view(np.uint64)
        return self._data.tensors(self._batch(index.cpu().numpy(), words))

    def _batch(self, at: Array, words: Array | None) -> Batch:
        batch = self._gather(at)
        if words is None:
            return batch
        assert self._masking is not None
        return self._data.masked_rows(batch, words, self._masking)

    def _gather(self, at: Array) -> Batch:
        return self._rows.at(at) if isinstance(self._rows, Stream) else self._rows.gather(at)

    def _phases(self, seed: int, passes: Array) -> Array:
        """Where in the tokens each pass begins, in 0 .. context - 1."""
        drawn = mixed(derive_seed(seed, "phase"), passes) % np.uint64(self._data.context)
        return drawn.astype(np.int64)


_COUNTED = 4096
"""Rows whose masks are drawn at a time to count them."""


class TextData(TextTask):
    """Training rows and scored text of one recipe's tokenizer, context and packing."""

    task = "classification"
    mean, deviation = 0.0, 1.0
    by_steps = per_token = True
    classes = None

    def __init__(self, splits: TextSplits, device: torch.device) -> None:
        """Lay out the rows; text is read when it is asked for."""
        tokenized = splits.tokenized
        super().__init__(
            tokenized, splits.context, device, documents=splits.pack != "stream", masked=splits.masking is not None,
            split_seed=splits.split_seed,
        )  # fmt: skip
        self.splits = splits
        self.notes = tokenized.own_notes  # those of the corpus are told when the study starts
        self.symbols = self.outputs = tokenized.symbols
        self.tokens = splits.context
        self.shape = (2, splits.context) if self.documents else (splits.context,)
        self.output_shape = (splits.context, self.outputs)
        self.train = TextPart(self, tokenized.train)

    @cached_property
    def validation(self) -> ScoredPart:
        """The text that each point of the curve is scored on."""
        return ScoredPart(self, self.splits.tokenized.scored(self.splits.score_bytes))

    @property
    def sample(self) -> Tensor:
        """Two inputs, to try a model on."""
        first = np.zeros(2, np.int64)
        index, keys = self.train.locate(0, first, first)
        return self.train.read(
            torch.from_numpy(index), None if keys is None else torch.from_numpy(keys.view(np.int64))
        )[0]

    @property
    def few(self) -> Tensor:
        """Some validation inputs, to look into a model on: a few hundred tokens of them."""
        rows = min(max(1, 4 * FEW // self.context), len(self.validation))
        return self.tensors(self.validation.gather(np.arange(rows)))[0]

    def test(self) -> ScoredPart:
        """The test text, up to ``TESTED`` bytes of it.

        Raises:
            DataError: there is none.
        """
        return ScoredPart(self, self.splits.tokenized.test(TESTED))

    def rows(self, tokens: Tokens) -> Stream | Rows:
        """Rows to train on."""
        splits = self.splits
        if splits.pack == "stream":
            return packing.stream(tokens, splits.context)
        if splits.pack == "documents":
            return packing.documents(tokens, splits.context, splits.truncate, derive_seed(splits.split_seed, "packing"))
        return packing.padded(tokens, splits.context, splits.truncate)

    def hidden(self, batch: Batch, words: Array) -> Array:
        """How many tokens of each row training hides; cheaper than hiding them."""
        how = self.splits.masking
        assert how is not None
        return masking.count(batch.inputs, batch.documents, words, how.rate, how.unit, self.tokenizer)

    def look(self, forward: Callable[[Tensor], Tensor], seed: int) -> str:
        """A few lines for a look at what a trained model writes, or finds out."""
        if not self.masked:
            return written(forward, self.tokenizer, self.context, seed, numbers=self.documents)
        batch = self.validation.gather(np.arange(1))
        inputs, targets = self.tensors(batch)
        symbols = inputs[0, 0] if self.documents else inputs[0]
        return found_out(forward(inputs.unsqueeze(0))[0, 0], symbols, targets[0], self.tokenizer)

    def save(self, folder: Path) -> list[Path]:
        """Write what a model needs beside its weights, the tokenizer; gives the files."""
        return self.tokenizer.save(folder)
