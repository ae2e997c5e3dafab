"""How many samples and optimizer steps a run takes whose length is told in steps, tokens or passes over the data.

Pure: no torch.
"""

from __future__ import annotations


def rows_of(tokens: float, context: int) -> int:
    """Rows of ``context`` tokens that come nearest to so many tokens; one at least."""
    return max(1, round(tokens / context))


def steps_of(
    batch: int, *, max_steps: int = 0, max_tokens: float = 0, context: int = 0, samples: int | None = None
) -> int | None:
    """Optimizer steps of a run by steps under a batch that does not grow, by whichever of its ends comes first.

    Args:
        batch: samples of a step.
        max_steps: its end in steps; 0 for none.
        max_tokens: its end in tokens; 0 for none.
        context: tokens of a sample; 0 where samples are no text, which has no end in tokens.
        samples: those of all its passes over the data; None where the size of the data is not known.

    Returns:
        One at least; None where none of its ends is known.

    >>> steps_of(12, max_steps=100, max_tokens=6400, context=64), steps_of(12, max_steps=100, samples=1300)
    (9, 100)
    """
    seen = [rows_of(max_tokens, context)] if max_tokens and context else []
    seen += [] if samples is None else [samples]
    ends = [*([max_steps] if max_steps else []), *(-(-count // batch) for count in seen)]
    return max(1, min(ends)) if ends else None
