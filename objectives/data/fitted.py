"""What a training run hands back when its curve is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hpo.objectives.data.dataset import Part


@runtime_checkable
class Fitted(Protocol):
    """A trained model: the return value of an objective's generator.

    Training reads the test part only through ``test``, so that it is touched once, by the winner.
    """

    def test(self) -> dict[str, Any]:
        """Metrics on the test part, in original units; see ``scores`` for their names."""
        ...

    def evaluate(self, part: Part) -> dict[str, Any]:
        """The same metrics on other rows, such as those of another file."""
        ...

    def save(self, folder: Path) -> list[Path]:
        """Write the model into an existing folder; returns the files written."""
        ...
