"""What a language model does, whatever it was trained on: rows of text to score on, and their score in bits per byte.

The same for text to train on, which ``text`` adds, and for a model out of its folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.text import masking, packing
from hpo.objectives.text.mixing import mixed
from hpo.objectives.text.packing import Batch, Rows
from hpo.objectives.text.tokenizers import Tokenizer, Tokens
from hpo.objectives.trainer.token_scores import TokenSums, rows_at_once
from hpo.search.terms.recipe import derive_seed

Array: TypeAlias = NDArray[Any]


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


class TextTask:
    """What a language model is given and asked for.

    Attributes:
        tokenizer: between text and symbols.
        context: tokens that it sees at a time.
        documents: whether its rows hold documents that do not see one another; else a stream.
        masked: whether it finds out hidden tokens; else it predicts the next one.
        split_seed: what is hidden of text to score on follows from it.
        device: where rows are moved to.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        context: int,
        device: torch.device,
        *,
        documents: bool,
        masked: bool,
        split_seed: int,
    ) -> None:
        """Take them."""
        self.tokenizer, self.context, self.device = tokenizer, context, device
        self.documents, self.masked, self.split_seed = documents, masked, split_seed

    def masked_rows(self, batch: Batch, words: Array, how: Masking) -> Batch:
        """Rows with some tokens hidden, which become the only targets."""
        hidden, targets = masking.mask(
            batch.inputs, batch.documents, words, how.rate, how.unit, self.tokenizer, how.symbol, how.random
        )
        return Batch(hidden, targets, batch.documents)

    def tensors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the network is given, and the targets."""
        given = batch.inputs if batch.documents is None else np.stack([batch.inputs, batch.documents], axis=1)
        inputs, targets = (torch.from_numpy(np.ascontiguousarray(part)) for part in (given, batch.targets))
        return inputs.to(self.device), targets.to(self.device)

    def given(self, documents: Sequence[str]) -> ScoredPart:
        """Other documents to score on."""
        return ScoredPart(self, self.tokenizer.tokens(documents))

    def score(
        self, forward: Callable[[Tensor], Tensor], part: ScoredPart, lanes: int, most: int | None
    ) -> list[dict[str, float]]:
        """``loss``, nats per token, ``accuracy`` and ``bpb``, bits per byte of text, of each lane.

        Each token is scored once, with half the context before it at least; bits per byte are the sum over all tokens,
        ends of documents included, over the bytes of the text, so that they compare between tokenizers and contexts;
        which character an unknown one is costs as if all were equally likely. Of masked language models they are those
        of the tokens hidden.
        """
        sums, unspelled = TokenSums(lanes, self.device), self.tokenizer.unspelled
        rows, extra = rows_at_once(self.context, self.tokenizer.symbols, most), 0.0
        for start in range(0, len(part), rows):
            batch = part.gather(np.arange(start, min(start + rows, len(part))))
            extra += float(unspelled[batch.targets[batch.targets >= 0]].sum())
            inputs, targets = self.tensors(batch)
            sums.add(forward(inputs.unsqueeze(0).expand(lanes, *inputs.shape)), targets)
        bits = ((sums.nats + extra) / (math.log(2) * max(1, part.bytes))).tolist()
        return [{**own, "bpb": bpb} for own, bpb in zip(sums.scores(), bits, strict=True)]

    def filled(self, forward: Callable[[Tensor], Tensor], ids: Array, most: int | None) -> Array:
        """A document's ids [n] with the likeliest symbol in the place of each mask, all found out at the same time.

        Args:
            forward: of one lane.
            ids: without separators; of any length, for it is read as text to score on is.
            most: samples of a forward pass; None for as many as is fast.
        """
        separator, mask = self.tokenizer.separator, self.tokenizer.mask
        whole = np.concatenate([[separator], ids, [separator]]).astype(np.int64)
        wanted = np.full(len(whole), packing.NOTHING)
        wanted[1:] = np.where(whole[:-1] == mask, np.arange(len(whole) - 1), packing.NOTHING)
        starts = np.array([0, len(whole) - 1])
        part = ScoredPart.hiding(self, Tokens(whole, starts, 0), wanted)
        rows = rows_at_once(self.context, self.tokenizer.symbols, most)
        for start in range(0, len(part), rows):
            batch = part.gather(np.arange(start, min(start + rows, len(part))))
            inputs, places = self.tensors(batch)
            scores = forward(inputs.unsqueeze(0))[0][..., :separator]  # neither separator nor mask is text
            asked = places >= 0
            whole[places[asked].cpu().numpy()] = scores[asked].argmax(dim=-1).cpu().numpy()
        return whole[1:-1]


class ScoredPart:
    """Text to score on: rows in which each token is asked for once.

    Of a masked language model, tokens are hidden by their place in the text, in stretches of ``_STRETCH``, so that no
    knob but the tokenizer's changes what it is to find out.
    """

    def __init__(self, task: TextTask, tokens: Tokens) -> None:
        """Lay out the rows."""
        self.tokens, self.bytes = tokens, tokens.bytes
        self._targets: Rows | None = None
        if not task.masked:
            self.rows = _cut(task, tokens)
            return
        hidden, wanted = _hidden(task, tokens)
        self._hide(task, Tokens(hidden, tokens.starts, tokens.bytes), wanted)
        self.bytes = int(task.tokenizer.lengths[wanted[wanted >= 0]].sum())

    @classmethod
    def hiding(cls, task: TextTask, hidden: Tokens, wanted: Array) -> ScoredPart:
        """Text of which it is told what is asked for, one place behind where it stands; -1 for nothing."""
        part = cls.__new__(cls)
        part.tokens, part.bytes = hidden, hidden.bytes
        part._hide(task, hidden, wanted)
        return part

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, index: Array) -> Batch:
        """Rows by their number."""
        batch = self.rows.gather(index)
        return batch if self._targets is None else batch._replace(targets=self._targets.gather(index).targets)

    def _hide(self, task: TextTask, hidden: Tokens, wanted: Array) -> None:
        self.rows = _cut(task, hidden)
        self._targets = _cut(task, Tokens(wanted, hidden.starts, hidden.bytes))


_STRETCH = 128


def _cut(task: TextTask, tokens: Tokens) -> Rows:
    return (packing.sliding_documents if task.documents else packing.sliding)(tokens, task.context)


def _hidden(task: TextTask, tokens: Tokens) -> tuple[Array, Array]:
    """The tokens with some hidden, and one place further what stood there; -1 where nothing was."""
    ids = np.asarray(tokens.ids[:]).astype(np.int64)
    rows = np.full(-(-len(ids) // _STRETCH) * _STRETCH, task.tokenizer.separator)
    rows[: len(ids)] = ids
    words = mixed(derive_seed(task.split_seed, "scored masks"), np.arange(len(rows) // _STRETCH))
    batch = task.masked_rows(Batch(rows.reshape(-1, _STRETCH), rows.reshape(-1, _STRETCH), None), words, SCORED)
    wanted = np.full(len(ids), packing.NOTHING)
    wanted[1:] = batch.targets.ravel()[: len(ids) - 1]
    return batch.inputs.ravel()[: len(ids)], wanted
