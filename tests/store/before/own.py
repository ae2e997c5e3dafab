"""What the studies beside this file train: nothing but arithmetic, so that every machine gets the same numbers."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path


def train(
    *, x: float = 0.5, kind: str = "a", power: int = 1, epochs: int = 5, seed: int = 0
) -> Iterator[dict[str, float]]:
    """A bowl in x that is learned step by step; ``luck`` fails for some seeds, ``bad`` for all."""
    noise = random.Random(seed)
    for epoch in range(1, epochs + 1):
        if epoch == 2 and (kind == "bad" or (kind == "luck" and noise.random() < 0.5)):
            raise ValueError("no luck")
        yield {"loss": (x - 0.25) * (x - 0.25) + power / epoch + noise.random() / 8, "size": x + epoch * noise.random()}
        _perhaps_die()


def _perhaps_die() -> None:
    """Kill this process after as many points as a file says, as a power cut would."""
    left = Path(__file__).with_name("points-to-live")
    if left.exists():
        count = int(left.read_text()) - 1
        left.write_text(str(count))
        if count <= 0:
            left.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
