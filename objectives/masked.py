"""Language model that finds out hidden tokens, on any text; the Python standard library's sources by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.networks.transformer_recipe import TransformerRecipe
from hpo.objectives.trainer.language import DEFAULTS, LANES, METRICS, horizon, size
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, FRACTION, Range

if TYPE_CHECKING:
    from hpo.objectives.networks.layers import Sequential
    from hpo.objectives.trainer.text import TextSplits

__all__ = ["DEFAULTS", "LANES", "LANGUAGE", "METRICS", "build", "data", "horizon", "size"]

LANGUAGE = "masked"

TRIED = (
    {"depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 4, "eval_every": 2, "score_bytes": 2000,
     "batch_size": "auto", "effective_batch": 4},
    {"depth": 1, "width": 16, "heads": 2, "context": 16, "max_steps": 4, "eval_every": 2, "score_bytes": 2000,
     "masking": "static", "mask_unit": "word", "pack": "pad", "batch_size": 2, "accumulation_steps": 2,
     "batch_schedule": "noise"},
)  # fmt: skip


def build(recipe: TransformerRecipe) -> Sequential:
    """A transformer of pre-normalized blocks that sees the tokens on both sides (Devlin et al. 2019)."""
    from hpo.objectives.networks.transformer import transformer

    return transformer(causal=False, **vars(recipe))


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
    masking: Literal["dynamic", "static"] = "dynamic",
    mask_rate: Annotated[float, Range(0, 1, open_low=True)] = 0.15,
    mask_unit: Literal["token", "word"] = "token",
    mask_symbol: Annotated[float, FRACTION] = 0.8,
    mask_random: Annotated[float, FRACTION] = 0.1,
) -> TextSplits:
    """Number the text, lay out rows of it, and hide tokens of each; points are scored on masks that never change.

    Args:
        tokenizer: bytes, the characters that occur, or pairs of bytes learnt from the training part.
        vocabulary: symbols of bpe.
        context: tokens that the model sees at a time.
        pack: rows of a stream, of whole documents that do not see one another, or of one document each.
        truncate: of documents longer than the context: the first tokens, the last, or all, cut in pieces.
        score_bytes: validation text that a point is scored on; 0 for all there is.
        masking: hide other tokens of a row in each pass (Liu et al. 2019), or the same ones in all.
        mask_rate: share of the tokens to find out.
        mask_unit: hide single tokens, or whole words.
        mask_symbol: share of these that the mask's symbol stands for.
        mask_random: share that random symbols stand for; the rest is shown as it is.
    """
    from hpo.objectives.text.corpus import open_corpus
    from hpo.objectives.text.tokenizers import tokenize
    from hpo.objectives.trainer.text import Masking, TextSplits
    from hpo.search.terms.errors import UserError

    if mask_symbol + mask_random > 1:
        raise UserError(f"mask_symbol {mask_symbol:g} and mask_random {mask_random:g} are more than all: 1 at most")
    how = Masking(mask_rate, mask_unit, mask_symbol, mask_random, static=masking == "static")
    corpus = open_corpus("stdlib" if data is None else data, split_seed)
    return TextSplits(tokenize(corpus, tokenizer, vocabulary), context, pack, truncate, score_bytes, how, split_seed)
