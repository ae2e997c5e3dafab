"""What the tests of exported formats share: objectives as their sources describe them, and random recipes."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.describe.objective import Objective, describe
from hpo.search.report.formats.common.run import Run, run_of
from hpo.search.terms import registry
from hpo.search.terms.knobs import Knob

CAUSAL = [name for name in registry.names("format") if "causal" in registry.load("format", name).TAKES]

TEXT: Mapping[str, Any] = {
    "depth": 4, "heads": 4, "width": 128, "context": 64, "positions": "learned", "normalization": "layer",
    "activation": "gelu", "tied": True, "bias": True, "init": "torch", "dropout": 0.1, "parametrization": "standard",
    "base_width": 64, "base_depth": 2, "checkpoint_activations": False, "tokenizer": "bpe", "vocabulary": 1024,
    "pack": "stream", "truncate": "head", "tokens_per_step": 0, "max_tokens": 0, "eval_every": 0, "length_warmup": 0.0,
}  # fmt: skip
"""Knobs that language models have beside those of every network that the suite trains."""


def network() -> Objective:
    return describe("mlp", Path())


def text(language: str = "causal") -> Objective:
    """A built-in language model, as far as an export looks at it."""
    objective = network()
    own = {name: Knob(name, value) for name, value in TEXT.items()}
    drop = ("width", "depth", "activation", "normalization", "init", "dropout")
    knobs = {name: knob for name, knob in objective.signature.knobs.items() if name not in drop}
    return replace(objective, language=language, signature=replace(objective.signature, knobs={**knobs, **own}))


def run(objective: Objective | None = None, *, devices: int = 1, samples: int | None = None, **recipe: Any) -> Run:
    """A recipe on so many devices; of a language model with 200 steps where nothing else is said."""
    if objective is None:
        recipe = {"max_steps": 200, **recipe}
    return run_of(
        objective or text(), recipe, tool="tool", title="study: the recipe of trial 3", name="study", devices=devices,
        samples=samples,
    )  # fmt: skip


def written(tool: str, made: Run) -> str:
    found: str = registry.load("format", tool).write(made)
    return found


def fields(package: str, *files: str) -> set[str]:
    """Names of annotated class attributes in files of an installed package, read without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return set()
    found: set[str] = set()
    for file in files:
        tree = ast.parse((Path(next(iter(spec.submodule_search_locations))) / file).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found |= {
                    item.target.id
                    for item in node.body
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                }
    return found


_FRACTION = st.floats(0, 0.9).map(lambda value: round(value, 3))
_POSITIVE = st.floats(1e-6, 1.0)

TRAINING = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.integers(1, 64), "accumulation_steps": st.integers(1, 9), "learning_rate": _POSITIVE,
        "coupling": st.sampled_from(["none", "sqrt", "linear"]), "warmup": _FRACTION, "floor": st.floats(0, 1),
        "schedule": st.sampled_from(
            ["constant", "step", "exponential", "linear", "cosine", "polynomial", "one-cycle", "wsd"]
        ),
        "decay": st.floats(0.01, 1), "drops": st.integers(1, 5), "power": st.floats(0.5, 4),
        "cooldown": st.floats(0, 1),
        "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop", "lion", "muon"]), "adam_rate": _POSITIVE,
        "momentum": st.floats(0.1, 0.99), "nesterov": st.booleans(), "beta1": _FRACTION,
        "beta2": st.floats(0.5, 0.9999), "epsilon": st.floats(1e-12, 1e-3), "clip_norm": st.floats(0, 10),
        "weight_decay": st.floats(0, 1),
        "precision": st.sampled_from(["float32", "bfloat16"]), "label_smoothing": _FRACTION, "mixup": st.floats(0, 1),
        "l1": st.floats(0, 1), "patience": st.integers(0, 9), "average": st.sampled_from(["none", "ema", "swa"]),
        "seed": st.integers(0, 2**40), "max_steps": st.integers(1, 3000),
    },
)  # fmt: skip
LANGUAGE = st.fixed_dictionaries(
    {},
    optional={
        "positions": st.sampled_from(["learned", "rotary"]), "normalization": st.sampled_from(["layer", "rms"]),
        "activation": st.sampled_from(["gelu", "swiglu", "relu2"]), "tied": st.booleans(),
        "bias": st.booleans(), "dropout": _FRACTION,
        "parametrization": st.sampled_from(["standard", "mup"]), "checkpoint_activations": st.booleans(),
        "pack": st.sampled_from(["stream", "documents", "pad"]), "eval_every": st.integers(0, 500),
        "tokens_per_step": st.integers(0, 100_000), "max_tokens": st.integers(0, 10**7),
    },
)  # fmt: skip


def legal(recipe: dict[str, Any]) -> dict[str, Any]:
    """The same without a batch that is said twice."""
    if recipe.get("tokens_per_step"):
        recipe.pop("accumulation_steps", None)
    return recipe


RECIPES = st.builds(lambda one, two: legal({**one, **two}), TRAINING, LANGUAGE)
TRAINED = TrainingRecipe.names()
