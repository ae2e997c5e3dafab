"""Change a lane's samples at random before it sees them; each lane from its own stream, never in evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.objectives.trainer.order import generator
from hpo.objectives.trainer.training_recipe import TrainingRecipe


class Augmentation:
    """The augmentations of one epoch; a lane that asks for none is left as it is."""

    def __init__(self, recipes: Sequence[TrainingRecipe], epochs: Sequence[int]) -> None:
        self._lanes = [
            (lane, recipe, generator(recipe.seed, "augmentation", epoch), _steps(recipe))
            for lane, (recipe, epoch) in enumerate(zip(recipes, epochs, strict=True))
            if _steps(recipe)
        ]

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def apply(self, inputs: Tensor) -> None:
        """Change samples [K, B, ...] in place; to be called once a tick."""
        for lane, recipe, random, steps in self._lanes:
            if lane < len(inputs):
                own = inputs[lane]
                for step in steps:
                    own = step(own, recipe, random)
                inputs[lane] = own


Step = Callable[[Tensor, TrainingRecipe, np.random.Generator], Tensor]


def _steps(recipe: TrainingRecipe) -> list[Step]:
    wanted: list[tuple[object, Step]] = [
        (recipe.shift or recipe.rotation or recipe.flip, move),
        (recipe.cutout, cut),
        (recipe.feature_masking, mask),
        (recipe.input_noise, noise),
    ]
    return [step for asked, step in wanted if asked]


def move(x: Tensor, recipe: TrainingRecipe, random: np.random.Generator) -> Tensor:
    """Shift, rotate and mirror images [B, channels, height, width], each its own way; 0 comes in at the edges."""
    count = len(x)
    angle = np.radians(recipe.rotation) * random.uniform(-1, 1, count)
    offset = 2 * recipe.shift * random.uniform(-1, 1, (count, 2))
    mirror = np.where(random.random(count) < recipe.flip, -1.0, 1.0)
    aspect = x.shape[2] / x.shape[3]
    cos, sin = np.cos(angle), np.sin(angle)
    maps = np.stack(
        [
            np.stack([cos * mirror, -sin * aspect, offset[:, 0]], axis=1),
            np.stack([sin * mirror / aspect, cos, offset[:, 1]], axis=1),
        ],
        axis=1,
    )
    theta = torch.from_numpy(maps.astype(np.float32)).to(x.device)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def cut(x: Tensor, recipe: TrainingRecipe, random: np.random.Generator) -> Tensor:
    """Set a square of each image to 0; its center is anywhere, so part of it may lie outside."""
    height, width = x.shape[2:]
    side = recipe.cutout * math.sqrt(height * width)
    row, column = random.uniform(0, height, len(x)), random.uniform(0, width, len(x))
    outside_rows = np.abs(np.arange(height) + 0.5 - row[:, None]) >= side / 2
    outside_columns = np.abs(np.arange(width) + 0.5 - column[:, None]) >= side / 2
    kept = outside_rows[:, None, :, None] | outside_columns[:, None, None, :]
    return x * torch.from_numpy(kept).to(x.device)


def mask(x: Tensor, recipe: TrainingRecipe, random: np.random.Generator) -> Tensor:
    """Set inputs to 0, each with probability ``feature_masking``."""
    kept = random.random(tuple(x.shape), dtype=np.float32) >= recipe.feature_masking
    return x * torch.from_numpy(kept).to(x.device)


def noise(x: Tensor, recipe: TrainingRecipe, random: np.random.Generator) -> Tensor:
    """Add Gaussian noise."""
    drawn = torch.from_numpy(random.standard_normal(tuple(x.shape), dtype=np.float32)).to(x.device)
    return x.add(drawn, alpha=recipe.input_noise)
