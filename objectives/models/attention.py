"""What the heads of a transformer look at: of each position's attention, how much goes where, on held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from hpo.objectives.models.language import LanguageModel
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.text_task import ScoredPart
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

ROWS = 16
"""Stretches of held-out text, each as long as the context, over which a head's habits are averaged."""
SHOWN = 32
"""Tokens whose attention is shown."""


@dataclass(frozen=True)
class Head:
    """One head of attention.

    Attributes:
        layer, head: counted from 1.
        itself, before, first: mean share of a position's attention that goes to itself, to the token just before, and
            to the first token.
        spread: how many tokens it looks at, the exponential of the mean entropy in nats.
        weights: [position][position looked at] of the tokens shown; three digits.
    """

    layer: int
    head: int
    itself: float
    before: float
    first: float
    spread: float
    weights: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class AttentionExplanation:
    """Of a language model on some text.

    Attributes:
        rows: stretches of text.
        positions: tokens in them that were looked from: all but the first of each stretch.
        tokens: those shown, as text.
        heads: by layer, then head.
    """

    kind: ClassVar[str] = "attention"
    rows: int
    positions: int
    tokens: tuple[str, ...]
    heads: tuple[Head, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, **asdict(self)}


def explain_attention(model: LanguageModel, task: Task, texts: Sequence[str] = ()) -> AttentionExplanation:
    """Measure what each head looks at.

    Args:
        model: with attention.
        task: what it was trained on; its test text is taken where there are no texts.
        texts: documents, of which the beginnings are taken.

    Raises:
        UserError: the model has no attention, or there is too little text.
        DataError: the model's own text is no longer there.
    """
    rows = [torch.from_numpy(model.prepare(text)[0]) for text in texts] or _test(model, task)
    rows = [row for row in rows if len(row) > 1]
    if not rows:
        raise UserError("there is too little text to look at: two tokens are needed")
    maps = [_maps(model, row) for row in rows]
    if not maps[0]:
        raise UserError("the network has no layer of attention to look into")
    shown = min(SHOWN, len(rows[0]))
    heads = [
        _head(layer, head, [found[layer][head] for found in maps], shown)
        for layer in range(len(maps[0]))
        for head in range(len(maps[0][layer]))
    ]
    tokens = tuple(_spelled(model, int(symbol)) for symbol in rows[0][:shown])
    return AttentionExplanation(len(rows), sum(len(row) - 1 for row in rows), tokens, tuple(heads))


def _test(model: LanguageModel, task: Task) -> list[Tensor]:
    """Stretches from all over the model's own test text."""
    part = Problem(model.module, task).setup(model.knobs).data.test()
    assert isinstance(part, ScoredPart)
    ids = np.asarray(part.tokens.ids[:]).astype(np.int64)
    stretches = max(1, len(ids) // model.context)
    chosen = np.unique(np.linspace(0, stretches - 1, ROWS).round().astype(int))
    return [torch.from_numpy(ids[at * model.context : (at + 1) * model.context].copy()) for at in chosen]


def _maps(model: LanguageModel, ids: Tensor) -> list[Tensor]:
    """Of each layer its heads' weights [heads, T, T] on one row, taken as one document."""
    used = model.predictor
    inputs = torch.stack([ids, torch.zeros_like(ids)]) if model.documents else ids
    used.network.mode(training=False)
    with torch.no_grad():
        seen = used.network.look(used.network.views(used.weights.unsqueeze(0)), inputs.view(1, 1, *inputs.shape))
    return [weights[0, 0] for weights in seen.attention.values()]


def _head(layer: int, head: int, maps: Sequence[Tensor], shown: int) -> Head:
    entropy = torch.cat([-(own.clamp(min=1e-30).log() * own).sum(dim=1)[1:] for own in maps])
    itself, before, first = (
        float(torch.cat(parts).mean())
        for parts in (
            [own.diagonal()[1:] for own in maps],
            [own.diagonal(-1) for own in maps],
            [own[1:, 0] for own in maps],
        )
    )
    weights = tuple(tuple(round(value, 3) for value in row) for row in maps[0][:shown, :shown].tolist())
    return Head(layer + 1, head + 1, itself, before, first, float(entropy.mean().exp()), weights)


def _spelled(model: LanguageModel, symbol: int) -> str:
    if symbol == model.tokenizer.separator:
        return "[start]"
    return model.tokenizer.decode([symbol])
