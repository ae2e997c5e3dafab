"""What the objectives of language models share: their metrics, the trainer's defaults, and how long a recipe trains.

Pure: no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.objectives.trainer.length import rows_of, steps_of
from hpo.search.terms.knobs import says_length

METRICS = (
    "train_loss", "val_loss", "val_accuracy", "val_bpb",
    "tokens", "micro_batch", "effective_batch",
    "gradient_variance", "gradient_variance_error", "gradient_square", "gradient_square_error",
)  # fmt: skip
"""Nats per token, share of tokens whose likeliest one is right, bits per byte of text; tokens seen; of the batch."""

DEFAULTS = {
    "epochs": 1000, "max_steps": 2000, "batch_size": 12, "learning_rate": 1e-3, "beta2": 0.99, "weight_decay": 0.1,
    "clip_norm": 1.0, "warmup": 0.05, "floor": 0.1,
}  # fmt: skip
"""Of the trainer's knobs: about nanoGPT's small setting; a run is over after the steps, or a thousand passes."""

LANES = 1
"""Trials a process trains at a time: matrices of this size keep a core busy, so that company brings nothing."""

POINTS = 20
"""Points of a run, evenly over it, where the recipe does not say how often it is scored."""


def horizon(recipe: Mapping[str, Any]) -> int | None:
    """Points of a complete curve: twenty, or one every ``eval_every`` steps; None where the text's length decides.

    >>> horizon({}), horizon({"eval_every": 150}), horizon({"context": 64, "max_tokens": 76800, "eval_every": 10})
    (20, 14, 10)
    """
    every, whole = int(recipe.get("eval_every") or 0), steps(recipe)
    if whole is None:
        return None if every else POINTS
    return -(-whole // every) if every else min(POINTS, whole)


def steps(recipe: Mapping[str, Any]) -> int | None:
    """Optimizer steps of a recipe, as far as it alone tells: short texts may be over before.

    Args:
        recipe: knobs that are stated, and ``context``.

    Returns:
        None where the passes over the text decide.
    """
    tokens = recipe.get("max_tokens") or 0
    limit = recipe.get("max_steps", 0 if says_length(recipe) else DEFAULTS["max_steps"])
    context = int(recipe["context"]) if tokens else 0
    batch = step_tokens(recipe) // context if tokens else 1
    return steps_of(batch, max_steps=int(limit), max_tokens=tokens, context=context)


def step_tokens(recipe: Mapping[str, Any]) -> int:
    """Tokens of an optimizer step in the beginning."""
    context = int(recipe["context"])
    if recipe.get("tokens_per_step"):
        return rows_of(recipe["tokens_per_step"], context) * context
    batch = recipe.get("batch_size", DEFAULTS["batch_size"])
    several = (1 if batch == "auto" else int(batch)) * int(recipe.get("accumulation_steps", 1))
    return int(recipe.get("effective_batch") or several) * context


def size(recipe: Mapping[str, Any]) -> dict[str, float]:
    """What ``hpo scale`` needs: parameters without embeddings, tokens of a step and, where it tells, of the run."""
    per_step, whole = step_tokens(recipe), steps(recipe)
    return {
        "parameters": 12.0 * recipe["depth"] * recipe["width"] ** 2,
        "tokens_per_step": float(per_step),
        **({} if whole is None else {"tokens": float(per_step * whole)}),
    }
