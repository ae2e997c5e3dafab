"""What the layers of one forward pass gave, for those who look into a network: statistics of training, explanations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Step(NamedTuple):
    """What one layer gave.

    Attributes:
        place: where it stands, as in the names of parameters: ``0``, ``3.1.1``.
        kind: what it is called, here and in ``torch.nn``: ``Linear``, ``Conv2d``.
        output: [K, B, ...].
    """

    place: str
    kind: str
    output: Tensor


class Seen:
    """A forward pass that is looked at.

    Attributes:
        steps: every layer in the order in which it ran, those inside of another before it.
        attention: by place of the layer what each position took of each other, [K, B, heads, T, T], rows adding up
            to 1.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.steps: list[Step] = []
        self.attention: dict[str, Tensor] = {}
        self._path: list[str] = []

    @property
    def place(self) -> str:
        """Where the layer stands that runs now."""
        return ".".join(self._path)

    def run(self, at: int, kind: str, layer: Callable[[], Tensor]) -> Tensor:
        """Run the layer that stands at a place of the chain which runs now."""
        self._path.append(str(at))
        output = layer()
        self.steps.append(Step(self.place, kind, output))
        self._path.pop()
        return output

    @property
    def ends(self) -> list[Step]:
        """Layers that hold no others."""
        chains = {step.place.rpartition(".")[0] for step in self.steps}
        return [step for step in self.steps if step.place not in chains]
