"""Language model that predicts the next token, on any text; the Python standard library's sources by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.objectives.networks.transformer_recipe import TransformerRecipe
from hpo.objectives.trainer.language import DEFAULTS, LANES, METRICS, horizon, size
from hpo.objectives.trainer.text_recipe import TextRecipe

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


def data(recipe: TextRecipe) -> TextSplits:
    """Number the text, and lay out rows of it."""
    from hpo.objectives.trainer.text import TextSplits

    return TextSplits.of(recipe)
