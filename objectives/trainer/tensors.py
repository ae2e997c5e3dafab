"""What a cohort trains on: three parts as tensors on the device, shared by all its lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.data.judge import Judge
from hpo.objectives.data.scorers import Said
from hpo.objectives.trainer import metrics
from hpo.objectives.trainer.losses import Task
from hpo.objectives.trainer.token_scores import IGNORED
from hpo.search.terms.errors import DataError, NoTestPart

Array: TypeAlias = NDArray[Any]

FEW = 64
"""Validation inputs on which a model is looked into while it trains."""

_NAMES = ("train", "validation", "test")

_NEEDED = {"classification": "[n], or [n, positions] where each token has a class", "regression": "[n]"}


@dataclass(frozen=True, eq=False)
class Splits:
    """Arrays that an objective's ``data`` returns.

    Attributes:
        train, validation: (inputs [n, ...], targets [n]); classes may also be [n, positions], one per token, -1 for
            none.
        test: a function that returns the same for the test part, called when it is scored; None when there is none.
        task: ``classification`` (whole-number targets from 0) or ``regression``.
        classes: number of classes; 0 for regression.
        symbols: number of symbols (token ids from 0) where inputs are whole numbers; 0 counts those that occur.
        labels: name of each class, for reports.
        preprocessing: what was done to raw data before, as plain JSON data; saved beside the weights.
        prepare: makes inputs and targets of other rows, as the objective's data reads them; None when they come ready.
        reported: whether reports have every metric of ``data.scores``, beside those of the learning curve.
    """

    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: Callable[[], tuple[Any, Any]] | None
    task: Task
    classes: int = 0
    symbols: int = 0
    labels: tuple[Any, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Any], tuple[Any, Any]] | None = None
    reported: bool = False

    def on(self, device: torch.device) -> Data:
        """The same as tensors on a device; see ``Data``."""
        return Data(self, device)

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
        whole = not as_tensor(found["train"][1]).is_floating_point()
        every = torch.cat([as_tensor(part[1]).flatten() for part in found.values()])
        return cls(
            found["train"],
            found["validation"],
            (lambda: found["test"]) if "test" in found else None,
            "classification" if whole else "regression",
            int(every.max()) + 1 if whole else 0,
            _symbols([as_tensor(part[0]) for part in found.values()]),
        )


@dataclass(frozen=True, eq=False)
class Part:
    """Samples on the device.

    Attributes:
        inputs: [n, ...], float32, or int64 where they were whole numbers.
        targets: class numbers (int64) or standardized values (float32), [n]; or the class of each token,
            [n, positions], ``IGNORED`` where it has none.
        classes: how many; 0 for values.
    """

    inputs: Tensor
    targets: Tensor
    classes: int

    def __len__(self) -> int:
        return len(self.inputs)

    def locate(self, seed: int, passes: Array, index: Array) -> tuple[Array, None]:
        """Samples are where they are, and nothing in them is random."""
        return index, None

    def weights(self, index: Array, keys: Array | None, length: int) -> Array | None:
        """Targets of each of these samples, among its first ``length`` tokens (0: all); None where it is one."""
        return None if self.targets.dim() == 1 else self._counts[index, (length or self.targets.shape[1]) - 1]

    def read(self, index: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        """Inputs and targets of samples [m]."""
        return self.inputs.index_select(0, index), self.targets.index_select(0, index)

    def wanted(self, index: Tensor) -> Tensor:
        """The outputs that a perfect network gives for samples [m]: 1 for the class and 0 else, or the value."""
        return self._table.index_select(0, index)

    @cached_property
    def _table(self) -> Tensor:
        return F.one_hot(self.targets, self.classes).float() if self.classes else self.targets.unsqueeze(1)

    @cached_property
    def _counts(self) -> Array:
        return (self.targets != IGNORED).cumsum(dim=1).cpu().numpy()


class TaskData:
    """Checks rows for a task, and scores a network on them; the same for data to train on and for a saved model.

    Attributes:
        task: ``classification`` or ``regression``.
        number: of classes; 0 for regression.
        symbols: number of symbols where inputs are whole numbers; 0 where they are real numbers.
        mean, deviation: of the training targets of a regression, by which targets are standardized; else 0 and 1.
        device: where rows are moved to.
    """

    def __init__(
        self, task: Task, number: int, symbols: int, device: torch.device, mean: float = 0.0, deviation: float = 1.0
    ) -> None:
        """Take what is known of the task."""
        self.task, self.number, self.symbols, self.device = task, number, symbols, device
        self.mean, self.deviation = mean, deviation

    def score(
        self, forward: Callable[[Tensor], Tensor], part: Part, lanes: int, most: int | None, judge: Judge | None = None
    ) -> list[dict[str, float]]:
        """Scores of each lane on a part; see ``metrics.score``. A ``judge`` adds its own of these held-out rows."""

        def judged(outputs: Tensor) -> Mapping[str, float]:
            assert judge is not None
            targets = self.in_units(part.targets)
            return judge.held_out(Said.of(targets, self.predicted(outputs).numpy()))

        return metrics.score(
            forward, part.inputs, part.targets, classes=part.classes, deviation=self.deviation, lanes=lanes, most=most,
            judged=None if judge is None else judged,
        )  # fmt: skip

    def predicted(self, outputs: Tensor) -> Tensor:
        """Probabilities [n, ..., classes], or values [n] in the target's own units, of a network's outputs."""
        if self.task == "classification":
            return outputs.softmax(dim=-1).cpu()
        return (outputs.squeeze(1).double() * self.deviation + self.mean).cpu()

    def in_units(self, targets: Tensor) -> Array:
        """Class numbers, or values in their own units, of the targets of a part."""
        values: Array = targets.cpu().numpy()
        return values if self.task == "classification" else values.astype(float) * self.deviation + self.mean

    def inputs(self, name: str, inputs: Any) -> Tensor:
        """Check and move inputs.

        Raises:
            DataError: NaN or infinite numbers, or symbols that are none.
        """
        x = as_tensor(inputs)
        if x.is_floating_point() or x.dtype == torch.uint8:  # pixels are numbers; wider whole numbers are symbols
            x = x.float()
            finite = torch.isfinite(x)
            if not bool(finite.all()):
                row, *at = (~finite).nonzero()[0].tolist()
                raise DataError(
                    f"the {name} part's inputs hold {x[row, *at].item()} in row {row} (from 0), place {at}: networks "
                    "take finite numbers, so fill or drop what is missing"
                )
        else:
            x = x.long()
            if self.symbols and len(x) and not 0 <= int(x.min()) <= int(x.max()) < self.symbols:
                raise DataError(f"the {name} part's inputs are not all in 0..{self.symbols - 1}")
        return x.to(self.device).contiguous()

    def part(self, name: str, inputs: Any, targets: Any) -> Part:
        """Check and move one part.

        Raises:
            DataError: it is empty, has unequal lengths, NaN or infinite inputs, or impossible targets.
        """
        x, y = as_tensor(inputs), as_tensor(targets)
        if len(x) == 0 or len(x) != len(y):
            raise DataError(f"the {name} part has {len(x)} rows of inputs and {len(y)} targets")
        moved = self.inputs(name, x)
        y = y.flatten() if y.numel() == len(y) else y
        if y.dim() > (1 if self.task == "regression" else 2):
            raise DataError(
                f"the {name} part's targets have shape {list(y.shape)}; {self.task} needs {_NEEDED[self.task]}"
            )
        if self.task == "regression":
            y = ((y.double() - self.mean) / self.deviation).float()
            if not bool(torch.isfinite(y).all()):
                place = int((~torch.isfinite(y)).nonzero()[0])
                raise DataError(f"the {name} part's targets hold NaN or infinite values, the first in row {place}")
        else:
            y = y.long()
            if int(y.min()) < (IGNORED if y.dim() > 1 else 0) or int(y.max()) >= self.number:
                ignored = f", or {IGNORED} for tokens without one" if y.dim() > 1 else ""
                raise DataError(f"the {name} part's classes are not all in 0..{self.number - 1}{ignored}")
        return Part(moved, y.to(self.device), self.number)


class Data(TaskData):
    """The parts on a device; regression targets are standardized by the training part's mean and deviation."""

    def __init__(self, splits: Splits, device: torch.device) -> None:
        """Check the arrays and move them.

        Raises:
            DataError: as ``part`` does.
        """
        mean, deviation = 0.0, 1.0
        if splits.task == "regression":
            raw = np.asarray(splits.train[1], dtype=np.float64)
            mean, deviation = float(raw.mean()), float(raw.std()) or 1.0
        super().__init__(splits.task, splits.classes, splits.symbols, device, mean, deviation)
        self.splits = splits
        self.notes: tuple[str, ...] = ()
        self.train = self.part("train", *splits.train)
        self.validation = self.part("validation", *splits.validation)
        self.symbols = self.symbols or _symbols([self.train.inputs, self.validation.inputs])

    by_steps = False
    """Whether points of the curve go by optimizer steps unless the recipe says otherwise."""

    documents = False
    """Whether a sample is symbols and the number of the document that each belongs to, [2, positions]."""

    @property
    def per_token(self) -> bool:
        """Whether each token of a sample has a target of its own."""
        return self.train.targets.dim() > 1

    @property
    def tokens(self) -> int:
        """Targets per sample; 1 where it has one."""
        return self.train.targets.shape[1] if self.train.targets.dim() > 1 else 1

    @property
    def context(self) -> int:
        """Positions of a sequence of symbols; 0 where samples are no such sequences."""
        return self.shape[0] if self.symbols and len(self.shape) == 1 else 0

    @property
    def sample(self) -> Tensor:
        """Two inputs, to try a model on."""
        return self.train.inputs[:2]

    @property
    def few(self) -> Tensor:
        """Some validation inputs, to look into a model on."""
        return self.validation.inputs[:FEW]

    @property
    def classes(self) -> Array | None:
        """Class of each training sample; None for regression, and where each token has one."""
        single = self.task == "classification" and self.train.targets.dim() == 1
        return self.train.targets.cpu().numpy() if single else None

    @property
    def outputs(self) -> int:
        """How many numbers the network gives per target."""
        return self.number if self.task == "classification" else 1

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what the network gives per sample: the outputs, of each position where each has a target."""
        return (*self.train.targets.shape[1:], self.outputs)

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
            raise NoTestPart("the data has no test part")
        return self.part("test", *self.splits.test())

    def given(self, rows: Any) -> Part:
        """Other rows to score on: as the objective's data module reads them, or a pair of inputs and targets."""
        inputs, targets = self.splits.prepare(rows) if self.splits.prepare is not None else rows
        return self.part("given", inputs, targets)

    def look(self, forward: Callable[[Tensor], Tensor], seed: int) -> str:
        """Nothing to look at."""
        return ""

    def save(self, folder: Path) -> list[Path]:
        """Nothing but weights is needed: how rows are prepared stands in the model's description."""
        return []


def _symbols(inputs: Sequence[Tensor]) -> int:
    """One more than the highest symbol; 0 where inputs are real numbers, pixels or below 0."""
    if any(x.is_floating_point() or x.dtype == torch.uint8 for x in inputs):
        return 0
    every = torch.cat([x.flatten() for x in inputs])
    return int(every.max()) + 1 if len(every) and int(every.min()) >= 0 else 0


def as_tensor(values: Any) -> Tensor:
    """A tensor of its own where the array may not be written to, which torch warns about."""
    frozen = isinstance(values, np.ndarray) and not values.flags.writeable
    return torch.as_tensor(values.copy() if frozen else values)
