"""Language model that finds out hidden tokens, on any text; the Python standard library's sources by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from hpo.objectives.networks.transformer_recipe import TransformerRecipe
from hpo.objectives.trainer.language import DEFAULTS, LANES, METRICS, horizon, size
from hpo.objectives.trainer.text_recipe import TextRecipe
from hpo.search.terms.knobs import FRACTION, Range

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


@dataclass(frozen=True)
class MaskedRecipe(TextRecipe):
    """What is hidden of the text; points are scored on masks that never change."""

    masking: Literal["dynamic", "static"] = "dynamic"
    """hide other tokens of a row in each pass (Liu et al. 2019), or the same ones in all."""
    mask_rate: Annotated[float, Range(0, 1, open_low=True)] = 0.15
    """share of the tokens to find out."""
    mask_unit: Literal["token", "word"] = "token"
    """hide single tokens, or whole words."""
    mask_symbol: Annotated[float, FRACTION] = 0.8
    """share of these that the mask's symbol stands for."""
    mask_random: Annotated[float, FRACTION] = 0.1
    """share that random symbols stand for; the rest is shown as it is."""


def data(recipe: MaskedRecipe) -> TextSplits:
    """Number the text, lay out rows of it, and hide tokens of each."""
    from hpo.objectives.trainer.text import TextSplits
    from hpo.objectives.trainer.text_task import Masking
    from hpo.search.terms.errors import UserError

    symbol, random = recipe.mask_symbol, recipe.mask_random
    if symbol + random > 1:
        raise UserError(f"mask_symbol {symbol:g} and mask_random {random:g} are more than all: 1 at most")
    static = recipe.masking == "static"
    return TextSplits.of(recipe, Masking(recipe.mask_rate, recipe.mask_unit, symbol, random, static=static))
