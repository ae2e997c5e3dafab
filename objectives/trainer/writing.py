"""A look at what a language model does: lines that it writes, or words that it finds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from hpo.objectives.text.tokenizers import Tokenizer
from hpo.search.terms.recipe import derive_seed

_TOKENS = 240
_TEMPERATURE = 0.8


def written(
    forward: Callable[[Tensor], Tensor], tokenizer: Tokenizer, context: int, seed: int, *, numbers: bool
) -> str:
    """The beginning of a document, drawn token by token at a temperature of 0.8.

    Args:
        forward: maps inputs [1, 1, T], or [1, 1, 2, T] with document numbers, to outputs [1, 1, T, symbols].
        tokenizer: between text and symbols.
        context: most tokens it sees at a time.
        seed: what is drawn follows from it.
        numbers: whether inputs hold document numbers.
    """
    drawn = continued(
        forward, tokenizer, [], _TOKENS, context, derive_seed(seed, "written"), numbers=numbers
    )  # fmt: skip
    return tokenizer.decode(np.array(drawn))


def continued(
    forward: Callable[[Tensor], Tensor],
    tokenizer: Tokenizer,
    begun: Sequence[int],
    count: int,
    context: int,
    seed: int,
    *,
    numbers: bool,
    temperature: float = _TEMPERATURE,
    top_k: int = 0,
) -> list[int]:
    """Symbols that go on from the beginning of a document, up to its end or so many.

    Args:
        forward: as ``written`` takes it.
        tokenizer: between text and symbols.
        begun: ids of the beginning.
        count: most symbols.
        context: most tokens the model sees at a time.
        seed: of what is drawn.
        numbers: whether inputs hold document numbers.
        temperature: divides the outputs before they become probabilities; 0 takes the likeliest symbol.
        top_k: draw from so many likeliest symbols (Fan et al. 2018); 0 from all.
    """
    random = torch.Generator().manual_seed(seed)
    ids, end = [tokenizer.separator, *begun], len(begun) + 1 + count
    while len(ids) < end:
        seen = torch.tensor(ids[-context:])
        inputs = torch.stack([seen, torch.zeros_like(seen)]) if numbers else seen
        scores = forward(inputs.view(1, 1, *inputs.shape))[0, 0, -1].double().cpu()
        scores[tokenizer.mask] = -torch.inf
        if 0 < top_k < len(scores):
            scores[scores < scores.topk(top_k).values[-1]] = -torch.inf
        if temperature == 0:
            chosen = int(scores.argmax())
        else:
            chosen = int(torch.multinomial((scores / temperature).softmax(dim=0), 1, generator=random))
        if chosen == tokenizer.separator:
            break
        ids.append(chosen)
    return ids[1 + len(begun) :]


def found_out(outputs: Tensor, inputs: Tensor, targets: Tensor, tokenizer: Tokenizer) -> str:
    """A row of text with what was hidden in brackets: what the model takes it for, and what it was where that differs.

    Args:
        outputs: [T, symbols].
        inputs: [T].
        targets: [T], below 0 where nothing was hidden.
        tokenizer: between text and symbols.
    """
    chosen, pieces = outputs.argmax(dim=-1).tolist(), []
    for guess, shown, wanted in zip(chosen, inputs.tolist(), targets.tolist(), strict=True):
        if wanted < 0:
            pieces.append(tokenizer.decode([shown]))
            continue
        right, guessed = tokenizer.decode([wanted]), tokenizer.decode([guess])
        pieces.append(f"[{guessed}]" if guess == wanted else f"[{guessed}, not {right}]")
    return "".join(pieces)
