"""The built-in MLP's training as people write it by hand: one model, a plain PyTorch loop, the same recipes and data.

What peers.py and live.py give to Optuna, Ray Tune and Syne Tune, none of which trains anything itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hpo.objectives import data
from hpo.search.terms.recipe import derive_seed

EPOCHS = 20


def tensors(source: Any = "digits", seed: int = 0) -> tuple[Tensor, ...]:
    """Train and validation parts, prepared and split as a study with this seed does: inputs [n, features], labels."""
    arrays = data.arrays(data.load(source, derive_seed(seed, "split")))
    pairs = (arrays.train, arrays.validation)
    return tuple(torch.as_tensor(part) for pair in pairs for part in (pair.X.reshape(len(pair.X), -1), pair.y))


def train(
    parts: tuple[Tensor, ...],
    *,
    learning_rate: float,
    seed: int,
    epochs: int = EPOCHS,
    width: int = 128,
    depth: int = 2,
    dropout: float = 0.1,
    batch_size: int = 32,
    accumulation_steps: int = 1,
    optimizer: str = "adamw",
    l1: float = 0.0,
    patience: int = 0,
    clip_norm: float = 0.0,
    weight_decay: float = 0.01,
    momentum: float = 0.9,
    nesterov: bool = False,
    beta2: float = 0.999,
    **course: Any,
) -> Iterator[float]:
    """Validation loss after each epoch; ``course`` is that of the learning rate, see ``rate``.

    The knobs are those of the suite's training recipe, with its defaults.
    """
    inputs, targets, held_out, labels = parts
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for at in range(depth):
        layers += [nn.Linear(width if at else inputs.shape[1], width), nn.ReLU(), nn.Dropout(dropout)]
    model = nn.Sequential(*layers, nn.Linear(width if depth else inputs.shape[1], int(targets.max()) + 1))
    matrices = [p for p in model.parameters() if p.ndim > 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    rules: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, nesterov=nesterov, fused=True),
        "adam": lambda: torch.optim.Adam(groups, lr=learning_rate, betas=(0.9, beta2), fused=True),
        "adamw": lambda: torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, beta2), fused=True),
    }
    rule = rules[optimizer]()
    window = batch_size * accumulation_steps
    total = epochs * math.ceil(len(inputs) / window)
    schedule = torch.optim.lr_scheduler.LambdaLR(rule, lambda step: rate(course, step, total))
    lowest, waited = math.inf, 0
    for _ in range(epochs):
        model.train()
        for samples in torch.randperm(len(inputs)).split(window):
            rule.zero_grad()
            for part in samples.split(batch_size):
                loss = functional.cross_entropy(model(inputs[part]), targets[part], reduction="sum") / len(samples)
                loss.backward()
            if clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            rule.step()
            if l1:
                with torch.no_grad():
                    for matrix in matrices:
                        matrix.copy_(functional.softshrink(matrix, rule.param_groups[0]["lr"] * l1))
            schedule.step()
        model.eval()
        with torch.no_grad():
            value = float(functional.cross_entropy(model(held_out), labels))
        yield value
        lowest, waited = (value, 0) if value < lowest else (lowest, waited + 1)
        if patience and waited >= patience:
            return


def rate(course: Mapping[str, Any], step: int, total: int) -> float:
    """Learning rate of a step relative to the highest: ``warmup`` share of all steps up, then ``schedule`` down.

    Args:
        course: ``schedule`` (default ``cosine``), ``warmup`` and ``floor`` (0).
        step: counted from 0.
        total: steps of the run; one more is asked for by the scheduler after the last.
    """
    warm = round(course.get("warmup", 0.0) * total)
    if step < warm:
        return (step + 1) / warm
    done, floor = (step - warm) / max(1, total - warm), course.get("floor", 0.0)
    return {
        "constant": lambda: 1.0,
        "step": lambda: 0.1 ** math.floor(done * 3 + 1e-9),
        "exponential": lambda: 0.1**done,
        "linear": lambda: 1 - (1 - floor) * done,
        "cosine": lambda: floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)),
    }[course.get("schedule", "cosine")]()
