"""What a cohort trains on: three parts as tensors on the device, shared by all its lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hpo.search.errors import DataError

Task: TypeAlias = Literal["classification", "regression"]

Array: TypeAlias = NDArray[Any]

_NAMES = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Splits:
    """Arrays that an objective's ``data`` returns.

    Attributes:
        train, validation: (inputs [n, ...], targets [n]).
        test: a function that returns the same for the test part, called when it is scored; None when there is none.
        task: ``classification`` (whole-number targets from 0) or ``regression``.
        classes: number of classes; 0 for regression.
        labels: name of each class, for reports.
        preprocessing: what was done to raw data before, as plain JSON data; saved beside the weights.
        prepare: makes inputs and targets of other rows, as the objective's data reads them; None when they come ready.
        report: metrics for reports, of targets [n] and probabilities [n, classes] or values [n] in their own units;
            None for the metrics of the learning curve.
    """

    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: Callable[[], tuple[Any, Any]] | None
    task: Task
    classes: int = 0
    labels: tuple[Any, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Any], tuple[Any, Any]] | None = None
    report: Callable[[Array, Array], Mapping[str, Any]] | None = None

    @classmethod
    def of(cls, found: Any) -> Splits:
        """Read what a user's ``data`` returned: Splits, ``{"train": (X, y), ...}``, or 4 or 6 arrays in that order.

        Raises:
            DataError: it is something else.
        """
        if isinstance(found, Splits):
            return found
        if isinstance(found, (tuple, list)) and len(found) in (4, 6):
            found = {name: (found[2 * i], found[2 * i + 1]) for i, name in enumerate(_NAMES) if 2 * i < len(found)}
        if not isinstance(found, Mapping) or not {"train", "validation"} <= set(found) <= set(_NAMES):
            raise DataError(
                "data must return {'train': (X, y), 'validation': (X, y), 'test': (X, y)} "
                "or the arrays X_train, y_train, X_validation, y_validation[, X_test, y_test]"
            )
        targets = as_tensor(found["train"][1])
        whole = not targets.is_floating_point()
        every = torch.cat([as_tensor(part[1]).flatten() for part in found.values()])
        return cls(
            found["train"],
            found["validation"],
            (lambda: found["test"]) if "test" in found else None,
            "classification" if whole else "regression",
            int(every.max()) + 1 if whole else 0,
        )


@dataclass(frozen=True, eq=False)
class Part:
    """Samples on the device.

    Attributes:
        inputs: [n, ...], float32 unless they were whole numbers.
        targets: class numbers (int64) or standardized values (float32), [n].
        wanted: the outputs that a perfect network gives, [n, outputs]: 1 for the class and 0 else, or the value.
    """

    inputs: Tensor
    targets: Tensor
    wanted: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


class Data:
    """The parts on a device; regression targets are standardized by the training part's mean and deviation."""

    def __init__(self, splits: Splits, device: torch.device) -> None:
        """Check the arrays and move them.

        Raises:
            DataError: a part is empty, has unequal lengths, NaN or infinite inputs, or impossible targets.
        """
        self.splits = splits
        self.task = splits.task
        self.device = device
        self.mean, self.deviation = 0.0, 1.0
        if splits.task == "regression":
            raw = np.asarray(splits.train[1], dtype=np.float64)
            self.mean, self.deviation = float(raw.mean()), float(raw.std()) or 1.0
        self.train = self.part("train", *splits.train)
        self.validation = self.part("validation", *splits.validation)

    @property
    def classes(self) -> Array | None:
        """Class of each training sample, None for regression."""
        return self.train.targets.cpu().numpy() if self.task == "classification" else None

    @property
    def outputs(self) -> int:
        """How many numbers the network gives per sample."""
        return self.splits.classes if self.task == "classification" else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.inputs.shape[1:])

    def test(self) -> Part:
        """The test part, read only when asked for.

        Raises:
            DataError: there is none.
        """
        if self.splits.test is None:
            raise DataError("the data has no test part")
        return self.part("test", *self.splits.test())

    def part(self, name: str, inputs: Any, targets: Any) -> Part:
        """Check and move one part."""
        x, y = as_tensor(inputs), as_tensor(targets)
        if len(x) == 0 or len(x) != len(y):
            raise DataError(f"the {name} part has {len(x)} rows of inputs and {len(y)} targets")
        if x.is_floating_point() or x.dtype == torch.uint8:  # pixels are numbers; wider whole numbers are symbols
            x = x.float()
            if not bool(torch.isfinite(x).all()):
                raise DataError(f"the {name} part's inputs hold NaN or infinite values")
        if self.task == "regression":
            y = ((y.double().flatten() - self.mean) / self.deviation).float()
            if not bool(torch.isfinite(y).all()):
                raise DataError(f"the {name} part's targets hold NaN or infinite values")
        else:
            y = y.long().flatten()
            if int(y.min()) < 0 or int(y.max()) >= self.splits.classes:
                raise DataError(f"the {name} part's classes are not all in 0..{self.splits.classes - 1}")
        wanted = F.one_hot(y, self.splits.classes).float() if self.task == "classification" else y.unsqueeze(1)
        return Part(x.to(self.device).contiguous(), y.to(self.device), wanted.to(self.device))


def as_tensor(values: Any) -> Tensor:
    """A tensor of its own where the array may not be written to, which torch warns about."""
    frozen = isinstance(values, np.ndarray) and not values.flags.writeable
    return torch.as_tensor(values.copy() if frozen else values)
