"""The built-in MLP's training as people write it by hand: one model, a plain PyTorch loop, the same recipe and data.

What peers.py and live.py give to Optuna, Ray Tune and Syne Tune, none of which trains anything itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

from hpo.objectives import data
from hpo.search.terms.recipe import derive_seed

EPOCHS = 20
WARMUP = 0.05


def tensors(seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Train and validation parts of digits, split as the study lr-batch with this seed splits them."""
    arrays = data.arrays(data.load("digits", derive_seed(seed, "split")))
    pairs = (arrays.train, arrays.validation)
    return tuple(torch.as_tensor(part) for pair in pairs for part in (pair.X.reshape(len(pair.X), -1), pair.y))


def train(
    parts: tuple[torch.Tensor, ...], learning_rate: float, batch_size: int, accumulation_steps: int, seed: int
) -> Iterator[float]:
    """Validation loss after each epoch of AdamW with warm-up and cosine decay, gradients accumulated."""
    inputs, targets, held_out, labels = parts
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Dropout(0.1),
        torch.nn.Linear(128, 128), torch.nn.ReLU(), torch.nn.Dropout(0.1),
        torch.nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    window = batch_size * accumulation_steps
    steps = EPOCHS * math.ceil(len(inputs) / window)
    warm = max(1, round(WARMUP * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for _ in range(EPOCHS):
        model.train()
        for samples in torch.randperm(len(inputs)).split(window):
            optimizer.zero_grad()
            for part in samples.split(batch_size):
                loss = functional.cross_entropy(model(inputs[part]), targets[part], reduction="sum") / len(samples)
                loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            yield float(functional.cross_entropy(model(held_out), labels))
