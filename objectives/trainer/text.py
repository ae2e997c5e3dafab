"""Text as a cohort trains on it: rows of tokens gathered from a memory-mapped file, scored in bits per byte.

A sample is a row of ``context`` tokens. Of a stream, each pass over the data begins at a place of its own, so that
tokens stand at other places of their rows from pass to pass; of packed documents the rows are fixed. What a masked
language model does not see follows from a word per row: from seed, pass and row, or, where masks are static, from seed
and row alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.text import masking, packing
from hpo.objectives.text.corpus import open_corpus
from hpo.objectives.text.mixing import mixed
from hpo.objectives.text.packing import Batch, Rows, Stream, Truncate
from hpo.objectives.text.tokenizers import Tokenized, Tokens, tokenize
from hpo.objectives.trainer.text_recipe import Pack, TextRecipe
from hpo.objectives.trainer.token_scores import TokenSums, rows_at_once
from hpo.objectives.trainer.writing import found_out, written
from hpo.search.terms.recipe import derive_seed

Array: TypeAlias = NDArray[Any]
TESTED = 1 << 18
"""Bytes of test text that a model is scored on: enough for 0.01 bits per byte, and no more time than training took."""


@dataclass(frozen=True)
class Masking:
    """What of a row a masked language model is to find out; see ``text.masking``."""

    rate: float = 0.15
    unit: Literal["token", "word"] = "token"
    symbol: float = 0.8
    random: float = 0.1
    static: bool = False


SCORED = Masking()
"""Masks of the validation part: the same for every recipe (Devlin et al. 2019, section 3.1)."""


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
    """

    tokenized: Tokenized
    context: int
    pack: Pack = "stream"
    truncate: Truncate = "window"
    score_bytes: int = 0
    masking: Masking | None = None
    split_seed: int = 0

    labels = ()
    prepare = None
    report = None

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What was done to the text, as plain JSON data."""
        tokenized = self.tokenized
        return {
            "tokenizer": tokenized.tokenizer, "symbols": tokenized.symbols, "tokens": tokenized.digest,
            "context": self.context, "pack": self.pack, "truncate": self.truncate, "split_seed": self.split_seed,
        }  # fmt: skip

    @classmethod
    def of(cls, recipe: TextRecipe, masking: Masking | None = None) -> TextSplits:
        """Number the text of a recipe.

        Raises:
            DataError: it cannot be read, or is too little to be split.
            UserError: there is no such tokenizer, or its vocabulary is too small.
        """
        corpus = open_corpus("stdlib" if recipe.data is None else recipe.data, recipe.split_seed)
        return cls(
            tokenize(corpus, recipe.tokenizer, recipe.vocabulary), recipe.context, recipe.pack, recipe.truncate,
            recipe.score_bytes, masking, recipe.split_seed,
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
        return self._data.masked(batch, words, self._masking)

    def _gather(self, at: Array) -> Batch:
        return self._rows.at(at) if isinstance(self._rows, Stream) else self._rows.gather(at)

    def _phases(self, seed: int, passes: Array) -> Array:
        """Where in the tokens each pass begins, in 0 .. context - 1."""
        drawn = mixed(derive_seed(seed, "phase"), passes) % np.uint64(self._data.context)
        return drawn.astype(np.int64)


_COUNTED = 4096
"""Rows whose masks are drawn at a time to count them."""


class ScoredPart:
    """Text to score on: rows in which each token is asked for once.

    Of a masked language model, tokens are hidden by their place in the text, in stretches of ``_STRETCH``, so that no
    knob but the tokenizer's changes what it is to find out.
    """

    def __init__(self, data: TextData, tokens: Tokens) -> None:
        """Lay out the rows."""
        cut = packing.sliding_documents if data.documents else packing.sliding
        context, self.tokens, self.bytes = data.context, tokens, tokens.bytes
        self._targets: Rows | None = None
        if data.splits.masking is None:
            self.rows = cut(tokens, context)
            return
        hidden, wanted = _hidden(data, tokens)
        self.rows = cut(Tokens(hidden, tokens.starts, tokens.bytes), context)
        self._targets = cut(Tokens(wanted, tokens.starts, tokens.bytes), context)
        self.bytes = int(data.splits.tokenized.lengths[wanted[wanted >= 0]].sum())

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, index: Array) -> Batch:
        """Rows by their number."""
        batch = self.rows.gather(index)
        return batch if self._targets is None else batch._replace(targets=self._targets.gather(index).targets)


_STRETCH = 128


def _hidden(data: TextData, tokens: Tokens) -> tuple[Array, Array]:
    """The tokens with some hidden, and one place further what stood there; -1 where nothing was."""
    ids = np.asarray(tokens.ids[:]).astype(np.int64)
    separator = data.splits.tokenized.separator
    rows = np.full(-(-len(ids) // _STRETCH) * _STRETCH, separator)
    rows[: len(ids)] = ids
    words = mixed(derive_seed(data.splits.split_seed, "scored masks"), np.arange(len(rows) // _STRETCH))
    batch = data.masked(Batch(rows.reshape(-1, _STRETCH), rows.reshape(-1, _STRETCH), None), words, SCORED)
    wanted = np.full(len(ids), packing.NOTHING)
    wanted[1:] = batch.targets.ravel()[: len(ids) - 1]
    return batch.inputs.ravel()[: len(ids)], wanted


class TextData:
    """Training rows and scored text of one recipe's tokenizer, context and packing."""

    task = "classification"
    mean, deviation = 0.0, 1.0
    by_steps = per_token = True
    classes = None

    def __init__(self, splits: TextSplits, device: torch.device) -> None:
        """Lay out the rows; text is read when it is asked for."""
        self.splits, self.device = splits, device
        tokenized = splits.tokenized
        self.notes = tokenized.own_notes  # those of the corpus are told when the study starts
        self.symbols = self.outputs = tokenized.symbols
        self.context = self.tokens = splits.context
        self.documents = splits.pack != "stream"
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

    def masked(self, batch: Batch, words: Array, how: Masking) -> Batch:
        """Rows with some tokens hidden, which become the only targets."""
        hidden, targets = masking.mask(
            batch.inputs, batch.documents, words, how.rate, how.unit, self.splits.tokenized, how.symbol, how.random
        )
        return Batch(hidden, targets, batch.documents)

    def hidden(self, batch: Batch, words: Array) -> Array:
        """How many tokens of each row training hides; cheaper than hiding them."""
        how = self.splits.masking
        assert how is not None
        return masking.count(batch.inputs, batch.documents, words, how.rate, how.unit, self.splits.tokenized)

    def tensors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the network is given, and the targets."""
        given = batch.inputs if batch.documents is None else np.stack([batch.inputs, batch.documents], axis=1)
        inputs, targets = (torch.from_numpy(np.ascontiguousarray(part)) for part in (given, batch.targets))
        return inputs.to(self.device), targets.to(self.device)

    def score(
        self, forward: Callable[[Tensor], Tensor], part: ScoredPart, lanes: int, most: int | None
    ) -> list[dict[str, float]]:
        """``loss``, nats per token, ``accuracy`` and ``bpb``, bits per byte of text, of each lane.

        Each token is scored once, with half the context before it at least; bits per byte are the sum over all tokens,
        ends of documents included, over the bytes of the text, so that they compare between tokenizers and contexts;
        which character an unknown one is costs as if all were equally likely. Of masked language models they are those
        of the tokens hidden.
        """
        sums, tokenized = TokenSums(lanes, self.device), self.splits.tokenized
        rows, extra = rows_at_once(self.context, self.symbols, most), 0.0
        for start in range(0, len(part), rows):
            batch = part.gather(np.arange(start, min(start + rows, len(part))))
            extra += float(tokenized.unspelled[batch.targets[batch.targets >= 0]].sum())
            inputs, targets = self.tensors(batch)
            sums.add(forward(inputs.unsqueeze(0).expand(lanes, *inputs.shape)), targets)
        bits = ((sums.nats + extra) / (math.log(2) * max(1, part.bytes))).tolist()
        return [{**own, "bpb": bpb} for own, bpb in zip(sums.scores(), bits, strict=True)]

    def look(self, forward: Callable[[Tensor], Tensor], seed: int) -> str:
        """A few lines for a look at what a trained model writes, or finds out."""
        tokenized = self.splits.tokenized
        if self.splits.masking is None:
            return written(forward, tokenized, self.context, seed, numbers=self.documents)
        batch = self.validation.gather(np.arange(1))
        inputs, targets = self.tensors(batch)
        symbols = inputs[0, 0] if self.documents else inputs[0]
        return found_out(forward(inputs.unsqueeze(0))[0, 0], symbols, targets[0], tokenized)

    def given(self, documents: Sequence[bytes]) -> ScoredPart:
        """Other documents to score on, in UTF-8."""
        tokenized = self.splits.tokenized
        separator, pieces, starts, place = np.array([tokenized.separator]), list[Array](), [0], 0
        for text in documents:
            pieces += [separator, tokenized.encode(text.decode()).astype(np.int64)]
            place += 1 + len(pieces[-1])
            starts.append(place)
        return ScoredPart(
            self, Tokens(np.concatenate([*pieces, separator]), np.array(starts), sum(map(len, documents)))
        )
