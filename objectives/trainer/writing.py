"""A look at what a language model does: lines that it writes, or words that it finds out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from hpo.objectives.text.tokenizers import Tokenized
from hpo.search.terms.recipe import derive_seed

_TOKENS = 240
_TEMPERATURE = 0.8


def written(
    forward: Callable[[Tensor], Tensor], tokenized: Tokenized, context: int, seed: int, *, numbers: bool
) -> str:
    """The beginning of a document, drawn token by token at a temperature of 0.8.

    Args:
        forward: maps inputs [1, 1, T], or [1, 1, 2, T] with document numbers, to outputs [1, 1, T, symbols].
        tokenized: the corpus it was trained on.
        context: most tokens it sees at a time.
        seed: what is drawn follows from it.
        numbers: whether inputs hold document numbers.
    """
    random = torch.Generator().manual_seed(derive_seed(seed, "written"))
    ids = [tokenized.separator]
    for _ in range(_TOKENS):
        seen = torch.tensor(ids[-context:])
        inputs = torch.stack([seen, torch.zeros_like(seen)]) if numbers else seen
        scores = forward(inputs.view(1, 1, *inputs.shape))[0, 0, -1].double().cpu() / _TEMPERATURE
        scores[tokenized.mask] = -torch.inf
        ids.append(int(torch.multinomial(scores.softmax(dim=0), 1, generator=random)))
        if ids[-1] == tokenized.separator:
            break
    return tokenized.decode(np.array(ids))


def found_out(outputs: Tensor, inputs: Tensor, targets: Tensor, tokenized: Tokenized) -> str:
    """A row of text with what was hidden in brackets: what the model takes it for, and what it was where that differs.

    Args:
        outputs: [T, symbols].
        inputs: [T].
        targets: [T], below 0 where nothing was hidden.
        tokenized: the corpus it was trained on.
    """
    chosen, pieces = outputs.argmax(dim=-1).tolist(), []
    for guess, shown, wanted in zip(chosen, inputs.tolist(), targets.tolist(), strict=True):
        if wanted < 0:
            pieces.append(tokenized.decode([shown]))
            continue
        right, guessed = tokenized.decode([wanted]), tokenized.decode([guess])
        pieces.append(f"[{guessed}]" if guess == wanted else f"[{guessed}, not {right}]")
    return "".join(pieces)
