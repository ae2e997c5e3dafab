"""Language model that predicts the next token, on any text; the Python standard library's sources by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.networks.transformer_recipe import TransformerRecipe
from hpo.objectives.trainer.language import DEFAULTS, LANES, METRICS, horizon, size
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1

if TYPE_CHECKING:
    from hpo.objectives.networks.layers import Sequential
    from hpo.objectives.trainer.text import TextSplits

__all__ = ["DEFAULTS", "LANES", "LANGUAGE", "METRICS", "build", "data", "horizon", "size"]

LANGUAGE = "causal"

TRIED = (
    {"depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 4, "eval_every": 2, "score_bytes": 2000,
     "batch_size": "auto", "effective_batch": 4},
    {"depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 4, "eval_every": 2, "score_bytes": 2000,
     "pack": "documents", "batch_size": 2, "accumulation_steps": 2, "batch_schedule": "noise"},
)  # fmt: skip


def build(recipe: TransformerRecipe) -> Sequential:
    """A transformer of pre-normalized blocks that sees the tokens before (Radford et al. 2019)."""
    from hpo.objectives.networks.transformer import transformer

    return transformer(causal=True, **vars(recipe))


def data(
    *,
    data: Any = "stdlib",
    split_seed: int = 0,
    tokenizer: Literal["bytes", "char", "bpe"] = "bytes",
    vocabulary: Annotated[int, AT_LEAST_1] = 1024,
    context: Annotated[int, AT_LEAST_1] = 64,
    pack: Literal["stream", "documents", "pad"] = "stream",
    truncate: Literal["head", "tail", "window"] = "window",
    score_bytes: Annotated[int, AT_LEAST_0] = 32768,
) -> TextSplits:
    """Number the text, and lay out rows of it.

    Args:
        tokenizer: bytes, the characters that occur, or pairs of bytes learnt from the training part.
        vocabulary: symbols of bpe.
        context: tokens that the model sees at a time.
        pack: rows of a stream, of whole documents that do not see one another, or of one document each.
        truncate: of documents longer than the context: the first tokens, the last, or all, cut in pieces.
        score_bytes: validation text that a point is scored on; 0 for all there is.
    """
    from hpo.objectives.text.corpus import open_corpus
    from hpo.objectives.text.tokenizers import tokenize
    from hpo.objectives.trainer.text import TextSplits

    corpus = open_corpus("stdlib" if data is None else data, split_seed)
    return TextSplits(
        tokenize(corpus, tokenizer, vocabulary), context, pack, truncate, score_bytes, split_seed=split_seed
    )
