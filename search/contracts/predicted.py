"""What a trained model predicts on one part of the data, kept to be combined with what others predict there."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

PartName: TypeAlias = Literal["validation", "test"]
"""A part of the data that is held out from training."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of a model.

    Attributes:
        values: probabilities [n, classes], or values [n] in the target's own units.
        targets: class numbers or values [n].
        probable: whether these are probabilities; False for 1 at the predicted class and 0 else.
        milliseconds: that the model takes for 64 rows, 0 where not measured.
        kilobytes: of its weights.
        labels: of the classes, where they are known; they are not kept.
    """

    values: NDArray[Any]
    targets: NDArray[Any]
    probable: bool = True
    milliseconds: float = 0.0
    kilobytes: float = 0.0
    labels: tuple[Any, ...] = ()

    @property
    def classes(self) -> int:
        """How many; 0 for values."""
        return self.values.shape[1] if self.values.ndim == 2 else 0

    def packed(self, key: str) -> bytes:
        """As bytes of an npz file; ``key`` says what they are of."""
        import numpy as np

        raw = io.BytesIO()
        about = np.array([self.probable, self.milliseconds, self.kilobytes])
        np.savez_compressed(raw, values=self.values, targets=self.targets, about=about, key=np.array(key))
        return raw.getvalue()

    @classmethod
    def read(cls, raw: bytes, key: str) -> Predicted | None:
        """Read back what ``packed`` gave; None where that is damaged or of something else."""
        import zipfile

        import numpy as np

        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
                if str(kept["key"]) != key:
                    return None
                probable, milliseconds, kilobytes = kept["about"].tolist()
                return cls(kept["values"], kept["targets"], bool(probable), milliseconds, kilobytes)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
