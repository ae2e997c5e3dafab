"""A small GPT as people write it by hand: torch.nn modules and nanoGPT's loop.

What language.py compares costs with, and what live.py gives to Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from plain_mlp import rate
from torch import Tensor, nn
from torch.nn import functional

from hpo.objectives.trainer.problem import Problem
from hpo.search.terms import registry
from hpo.search.terms.job import Task


class Block(nn.Module):
    """Attention with one map for queries, keys and values, and a layer of two matrices; both behind a normalization."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add both branches to [batch, context, width]."""
        batch, length, width = x.shape
        parts = self.queries_keys_values(self.before(x)).split(width, dim=2)
        q, k, v = (part.view(batch, length, self.heads, width // self.heads).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.joined(seen.transpose(1, 2).reshape(batch, length, width))
        return x + self.narrow(functional.gelu(self.wide(self.between(x))))


class GPT(nn.Module):
    """Tokens [batch, context] to outputs [batch, context, symbols]: the shape of the objective's own default."""

    def __init__(self, symbols: int, context: int, width: int = 128, depth: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.table, self.positions = nn.Embedding(symbols, width), nn.Embedding(context, width)
        nn.init.normal_(self.table.weight, std=1 / math.sqrt(width))
        nn.init.normal_(self.positions.weight, std=1 / math.sqrt(width))
        self.blocks = nn.Sequential(*(Block(width, heads, causal=True) for _ in range(depth)))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        """Run all layers."""
        return self.head(self.last(self.blocks(self.table(tokens) + self.positions.weight)))


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW as the objective's default has it, in torch's fastest form."""
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)


def trainer(ids: Tensor, symbols: int, batch: int, context: int) -> Callable[[int], None]:
    """Train a new model; call it with a number of steps on random windows, clipped to norm 1."""
    model = GPT(symbols, context)
    rule = optimizer(model)

    def train(steps: int) -> None:
        for _ in range(steps):
            starts = torch.randint(len(ids) - context - 1, (batch,)).tolist()
            inputs = torch.stack([ids[start : start + context] for start in starts])
            targets = torch.stack([ids[start + 1 : start + context + 1] for start in starts])
            update(model, rule, inputs, targets)

    return train


def update(model: nn.Module, rule: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> None:
    """One step on one batch; targets of -1 do not count."""
    outputs = model(inputs)
    loss = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=-1)
    rule.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    rule.step()


def parts(path: str, seed: int) -> tuple[Tensor, Tensor, int]:
    """Characters of a text as numbers, of training and of validation, and how many there are.

    A text of one piece is cut along its length, whatever the seed.
    """
    problem = Problem(registry.load("objective", "gpt"), Task("gpt", data={"text": {"path": path}}, split_seed=seed))
    found = problem.setup({"tokenizer": "char", "seed": 0}).data.splits.tokenized
    train, validation = (
        torch.from_numpy(np.array(part.ids, dtype=np.int64)) for part in (found.train, found.validation)
    )
    return train, validation, found.symbols


def train(
    data: tuple[Tensor, Tensor, int],
    *,
    seed: int,
    learning_rate: float,
    weight_decay: float,
    context: int,
    batch_size: int,
    width: int,
    depth: int,
    heads: int,
    max_steps: int,
    eval_every: int,
    score_bytes: int,
    tokenizer: str = "char",
    **course: Any,
) -> Iterator[float]:
    """Validation loss, nats of a character, each time so many steps are done: windows side by side, as nanoGPT does.

    AdamW with the objective's defaults and decay of matrices alone; the knobs are the objective's, ``course`` as
    ``plain_mlp.rate`` takes it. The first ``score_bytes`` characters of validation are scored.
    """
    ids, held_out, symbols = data
    torch.manual_seed(seed)
    model = GPT(symbols, context, width, depth, heads)
    decayed = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    groups = [
        {"params": [p for p in model.parameters() if id(p) in decayed], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if id(p) not in decayed], "weight_decay": 0.0},
    ]
    rule = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(rule, lambda step: rate(course, step, max_steps))
    windows = (min(score_bytes, len(held_out)) - 1) // context
    inputs, targets = (held_out[at : at + windows * context].view(windows, context) for at in (0, 1))
    for step in range(1, max_steps + 1):
        starts = torch.randint(len(ids) - context - 1, (batch_size,)).tolist()
        rows = [torch.stack([ids[start + at : start + at + context] for start in starts]) for at in (0, 1)]
        update(model, rule, *rows)
        schedule.step()
        if step % eval_every == 0:
            with torch.no_grad():
                yield float(functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()))
