"""An objective that searches are tried on: some recipes raise, some diverge. It imports nothing of the suite."""

import math
import random
from collections.abc import Iterator

EPOCHS = 9


def train(*, x: float = 0.5, kind: str = "good", epochs: int = EPOCHS, seed: int = 0) -> Iterator[dict[str, float]]:
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        if kind == "raises" and epoch == 3:
            raise ValueError("no luck")
        loss = (x - 0.3) ** 2 + 1 / epoch + rng.gauss(0, 0.02)
        yield {"loss": math.nan if kind == "diverges" and epoch > 1 else loss}
