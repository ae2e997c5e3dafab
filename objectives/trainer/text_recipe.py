"""The knobs of text, as the objectives of language models take them.

Pure: no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from hpo.objectives.data.texts import FEWEST_PAIRS
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

Pack = Literal["stream", "documents", "pad"]


@dataclass(frozen=True)
class TextRecipe:
    """Which text, and how rows of tokens are made of it; see ``hpo.objectives.text``."""

    data: Any = "stdlib"
    split_seed: int = 0
    tokenizer: Literal["bytes", "char", "bpe"] = "bytes"
    """bytes, the characters that occur, or pairs of bytes learnt from the training part."""
    vocabulary: Annotated[int, AT_LEAST_1] = 1024
    """symbols of bpe."""
    context: Annotated[int, AT_LEAST_1] = 64
    """tokens that the model sees at a time."""
    pack: Pack = "stream"
    """rows of a stream, of whole documents that do not see one another, or of one document each."""
    truncate: Literal["head", "tail", "window"] = "window"
    """of documents longer than the context: the first tokens, the last, or all, cut in pieces."""
    score_bytes: Annotated[int, AT_LEAST_0] = 32768
    """validation text that a point is scored on; 0 for all there is."""

    def __post_init__(self) -> None:
        if self.tokenizer == "bpe" and self.vocabulary < FEWEST_PAIRS:
            raise UserError(
                f"vocabulary {self.vocabulary} is too small for bpe: 256 bytes, separator and mask take {FEWEST_PAIRS}"
            )
