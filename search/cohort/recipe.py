"""Every knob of a training run that the suite carries out, one typed dataclass; a study is ranges over its fields.

Each field's text says: what it does; [unit; neutral value where there is one; source]. All fields may differ between
the lanes of one cohort except those marked *own cohort*, whose values decide with whom a lane can share kernels.

Pure: no torch.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal

from hpo.search.errors import UserError


@dataclass(frozen=True)
class Range:
    """Values a number may take: ``low <= value <= high``, without ``low`` itself if ``open_low``."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        return f"{'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"


POSITIVE = Range(0, open_low=True)
AT_LEAST_0 = Range(0)
AT_LEAST_1 = Range(1)
FRACTION = Range(0, 1)
BELOW_1 = Range(0, 1, open_high=True)


@dataclass(frozen=True)
class TrainingRecipe:
    """How a model is trained; what is trained is the objective's own ``build`` and ``data``."""

    # --- how long, and how many samples a step ---------------------------------------------------------------------
    epochs: Annotated[int, AT_LEAST_1] = 20
    """Passes over the training part, each one point of the learning curve. [epochs]"""

    batch_size: Annotated[int, AT_LEAST_1] = 32
    """Samples in one micro-batch. [samples; *own cohort* through the size of its kernels, which is chosen from it]"""

    accumulation_steps: Annotated[int, AT_LEAST_1] = 1
    """Micro-batches whose gradients make one optimizer step; the effective batch is the product. [micro-batches; 1]"""

    # --- learning rate ---------------------------------------------------------------------------------------------
    learning_rate: Annotated[float, POSITIVE] = 3e-3
    """Highest learning rate of the run, reached after the warm-up. [per step]"""

    schedule: Literal["constant", "step", "exponential", "linear", "cosine"] = "cosine"
    """Course of the learning rate after the warm-up, over optimizer steps. [constant; see ``schedules``]"""

    warmup: Annotated[float, BELOW_1] = 0.0
    """Share of all optimizer steps in which the rate rises linearly from near zero. [fraction; 0; Goyal et al. 2017]"""

    floor: Annotated[float, FRACTION] = 0.0
    """The rate never falls below this share of ``learning_rate`` after the warm-up. [fraction; 0]"""

    decay: Annotated[float, Range(0, 1, open_low=True)] = 0.1
    """Factor of each drop of ``step``, and of the whole run under ``exponential``. [factor; 1]"""

    drops: Annotated[int, AT_LEAST_1] = 2
    """Drops of ``step``, evenly spaced over the run. [count]"""

    # --- optimizer -------------------------------------------------------------------------------------------------
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """Update rule. [SGD: Sutskever et al. 2013; Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019]"""

    momentum: Annotated[float, BELOW_1] = 0.9
    """Momentum of SGD. [fraction; 0]"""

    nesterov: bool = False
    """Nesterov's form of SGD's momentum. [false; Nesterov 1983 as in Sutskever et al. 2013]"""

    beta1: Annotated[float, BELOW_1] = 0.9
    """Decay of the mean of gradients in Adam and AdamW. [fraction]"""

    beta2: Annotated[float, BELOW_1] = 0.999
    """Decay of the mean of squared gradients in Adam and AdamW. [fraction]"""

    epsilon: Annotated[float, POSITIVE] = 1e-8
    """Added to the root of the mean square in Adam and AdamW. [gradient units]"""

    clip_norm: Annotated[float, AT_LEAST_0] = 0.0
    """Largest Euclidean norm of the gradient of one step; 0 is no limit. [gradient units; 0; Pascanu et al. 2013]"""

    # --- regularization --------------------------------------------------------------------------------------------
    weight_decay: Annotated[float, AT_LEAST_0] = 0.01
    """Decay of weight matrices, never of biases and normalization gains: decoupled (times the learning rate) under
    AdamW, an L2 term of the gradient under SGD and Adam. [1/step; 0]"""

    l1: Annotated[float, AT_LEAST_0] = 0.0
    """Soft-thresholding of weight matrices by learning rate x l1 after each step, so that weights become exactly 0.
    [1/step; 0; proximal gradient, Parikh and Boyd 2014]"""

    seed: int = 0
    """Seed of the initial weights, the order of samples and everything else random in the run."""

    def __post_init__(self) -> None:
        for name, (limits, options) in _limits().items():
            value = getattr(self, name)
            if options and value not in options:
                raise UserError(f"{name}: {value!r} is not one of {', '.join(map(str, options))}")
            if limits is not None and (not isinstance(value, (int, float)) or value not in limits):
                raise UserError(f"{name}: {value!r} is not in {limits}")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise UserError("nesterov: true needs a momentum above 0")

    @property
    def effective_batch(self) -> int:
        """Samples per optimizer step."""
        return self.batch_size * self.accumulation_steps

    @classmethod
    def names(cls) -> frozenset[str]:
        """Names of all knobs of training."""
        return frozenset(item.name for item in fields(cls))

    @classmethod
    def take(cls, knobs: Mapping[str, Any]) -> TrainingRecipe:
        """Pick the training knobs out of a trial's recipe; absent ones keep their defaults.

        Raises:
            UserError: a value is outside its range.

        >>> TrainingRecipe.take({"learning_rate": 0.1, "width": 64}).learning_rate
        0.1
        """
        numbers = _numbers()
        chosen = {}
        for name in cls.names() & set(knobs):
            value = knobs[name]
            if name in numbers and isinstance(value, float) and value.is_integer() and numbers[name] is int:
                value = int(value)
            elif name in numbers and (isinstance(value, bool) or not isinstance(value, (int, numbers[name]))):
                raise UserError(f"{name}: {value!r} is not {'a whole number' if numbers[name] is int else 'a number'}")
            chosen[name] = value
        return cls(**chosen)


@cache
def _limits() -> dict[str, tuple[Range | None, tuple[Any, ...]]]:
    found: dict[str, tuple[Range | None, tuple[Any, ...]]] = {}
    for name, hint in typing.get_type_hints(TrainingRecipe, include_extras=True).items():
        if typing.get_origin(hint) is Annotated:
            found[name] = (hint.__metadata__[0], ())
        elif typing.get_origin(hint) is Literal:
            found[name] = (None, typing.get_args(hint))
    return found


@cache
def _numbers() -> dict[str, type[int] | type[float]]:
    hints = typing.get_type_hints(TrainingRecipe)
    return {name: hint for name, hint in hints.items() if hint in (int, float)}
